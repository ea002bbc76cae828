import json
from pathlib import Path

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag

REPO = Path(__file__).parents[2]

# Building a pod looks at the client's settings, but asks no server.
NOWHERE = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "nowhere", "cluster": {"server": "http://localhost:1"}}],
    "users": [{"name": "nobody", "user": {}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    "current-context": "nowhere",
}


def kubernetes_connection() -> str:
    """The connection with the XCom sidecar's settings, as the deployment sets it."""
    variables = {each["name"]: each["value"] for each in yaml.safe_load((REPO / "helm/values.yaml").read_text())["env"]}
    value = variables["AIRFLOW_CONN_KUBERNETES_DEFAULT"]
    connection = json.loads(value.replace("$(WAKEE_XCOM_IMAGE)", "localhost/wakee/sandbox:1"))
    connection["extra"] |= {"in_cluster": False, "kube_config": json.dumps(NOWHERE)}
    return json.dumps(connection)


@pytest.fixture(scope="session")
def dag_bag():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", kubernetes_connection())
        patch.syspath_prepend(str(REPO / "dags"))
        yield DagBag(str(REPO / "dags"))


@pytest.fixture(params=["drift_detection_daily", "health_check_weekly", "model_retrain"])
def dag(request, dag_bag):
    return dag_bag.dags[request.param]


def pytest_collection_modifyitems(items):
    """Airflow's own modules warn of each other's deprecations; ours would fail the linters."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore"))
