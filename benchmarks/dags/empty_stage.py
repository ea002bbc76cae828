"""For benchmarks/stage_overhead.py only: a stage that does nothing, by our operator and by Kubernetes' as it comes."""

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

from wakee.stages import CONFIG, CONTAINER_SECURITY, POD_SECURITY, stage

COMMAND = ["python3", "-c", "open('/airflow/xcom/return.json', 'w').write('{\"status\": \"success\"}')"]

with DAG("empty_stage", schedule=None, is_paused_upon_creation=False, tags=["benchmark"]):
    ours = stage("drift", "empty_stage", cmds=COMMAND)
    default = KubernetesPodOperator(
        task_id="default_operator",
        name="wakee-default-operator",
        namespace=CONFIG.namespace,
        image=CONFIG.image("drift"),
        cmds=COMMAND,
        do_xcom_push=True,
        # Without these the namespace admits no pod.
        security_context=POD_SECURITY,
        container_security_context=CONTAINER_SECURITY,
    )
    ours >> default
