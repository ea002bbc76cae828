"""What the DAG files promise: ids, schedules, documentation, forms, and the shape of every pod."""

import json

import pytest
from airflow.sdk.definitions.param import process_params
from airflow.utils.file import iter_airflow_imports
from kubernetes.client import ApiClient

from support.restricted import loose_ends, violations
from wakee.operators import StageOperator

SCHEDULES = {"drift_detection_daily": "0 2 * * *", "health_check_weekly": "0 3 * * 0", "model_retrain": None}
TASKS = {
    "drift_detection_daily": [
        "fetch_annotations", "load_predictions", "calculate_drift", "generate_report", "save_report", "decide",
        "trigger_retrain",
    ],
    "health_check_weekly": [
        "test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub", "run_pytest_suite",
        "generate_summary",
    ],
    "model_retrain": [
        "check_targets", "try_backbone", "fetch_training_data", "split_dataset", "fine_tune", "evaluate", "export_onnx",
        "upload_to_hub", "log_to_mlflow", "update_model_versions",
    ],
}  # fmt: skip
SECRET_VARIABLES = ["NEON_DATABASE_URL", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "HF_TOKEN"]


def test_every_file_imports(dag_bag):
    assert dag_bag.import_errors == {}
    assert set(SCHEDULES) <= set(dag_bag.dags)


def test_the_provider_is_imported_before_the_dag_processor_forks(dag):
    assert "airflow.providers.cncf.kubernetes.operators.pod" in iter_airflow_imports(dag.fileloc)


def test_templates_find_the_params_that_tasks_have_no_copies_of(dag):
    stages = [task for task in dag.tasks if isinstance(task, StageOperator)]
    default = {name: dag.params[name] for name in dag.params}

    assert stages
    for task in stages:
        assert not task.params, task.task_id
        assert process_params(dag, task, {}, suppress_exception=False) == default


def test_schedule(dag):
    assert dag.schedule == SCHEDULES[dag.dag_id]
    assert dag.catchup is False
    assert dag.max_active_runs == 1


def test_is_documented_and_tagged(dag):
    assert dag.doc_md
    assert "wakee" in dag.tags
    assert {task.owner for task in dag.tasks} == {"wakee-mlops"}


def test_every_param_has_a_form_field(dag):
    for name in dag.params:
        param = dag.params.get_param(name)
        schema = param.schema
        assert param.description, name
        assert schema.get("type"), name
        if schema["type"] in ("integer", "number"):
            assert schema.keys() & {"minimum", "exclusiveMinimum"}, name
            assert "maximum" in schema, name


@pytest.mark.parametrize("dag_id", TASKS)
def test_tasks_in_order(dag_bag, dag_id):
    dag = dag_bag.dags[dag_id]
    assert [task.task_id for task in dag.topological_sort()] == TASKS[dag_id]


def pods(dag):
    for task in dag.tasks:
        if isinstance(task, StageOperator):
            yield task, ApiClient().sanitize_for_serialization(task.build_pod_request_obj())


def test_pods_meet_the_restricted_profile(dag):
    for task, pod in pods(dag):
        assert violations(pod["spec"]) == [], task.task_id
        assert loose_ends(pod["spec"]) == [], task.task_id


def test_pods_are_labelled(dag):
    for task, pod in pods(dag):
        labels = pod["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "wakee"
        assert labels["app.kubernetes.io/component"] == task.task_id
        assert {"app.kubernetes.io/name", "app.kubernetes.io/version"} <= labels.keys()


def test_a_training_that_must_go_has_time_for_its_checkpoint(dag):
    for task, pod in pods(dag):
        seconds = 120 if task.task_id == "fine_tune" else 30
        assert pod["spec"]["terminationGracePeriodSeconds"] == seconds, task.task_id


def test_a_lost_node_is_left_after_30_seconds(dag):
    for task, pod in pods(dag):
        kept = {each["key"]: each["tolerationSeconds"] for each in pod["spec"]["tolerations"]}
        assert kept == {f"node.kubernetes.io/{taint}": 30 for taint in ("not-ready", "unreachable")}, task.task_id
        assert task.disruption_budget == 5, task.task_id


def test_tmp_holds_as_much_as_the_stage_may_write(dag):
    for task, pod in pods(dag):
        (tmp,) = (volume for volume in pod["spec"]["volumes"] if volume["name"] == "tmp")
        limits = pod["spec"]["containers"][0]["resources"]["limits"]
        assert tmp["emptyDir"]["sizeLimit"] == limits["ephemeral-storage"], task.task_id


def test_secrets_come_by_reference_only(dag):
    for task, pod in pods(dag):
        references = [source["secretRef"]["name"] for source in pod["spec"]["containers"][0]["envFrom"][1:]]
        assert references == ["wakee-secrets"], task.task_id
        rendered = json.dumps([str(getattr(task, field, "")) for field in task.template_fields])
        assert not [name for name in SECRET_VARIABLES if name in rendered], task.task_id


def test_stages_are_tried_again_with_growing_pauses(dag):
    for task, _ in pods(dag):
        assert task.retries >= 1, task.task_id
        assert task.retry_exponential_backoff, task.task_id
        assert task.execution_timeout, task.task_id
        assert task.on_finish_action == "delete_succeeded_pod"
