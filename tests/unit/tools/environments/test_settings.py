"""The settings file of an environment: every fault is named with its key."""

import copy

import pytest
import yaml

from wakee_tools.environments.settings import load
from wakee_tools.paths import REPO
from wakee_tools.shell import ToolError

PRODUCTION = yaml.safe_load((REPO / "environments/production.yaml").read_text())
MISSING = object()


@pytest.fixture
def faults(tmp_path):
    """A function: the error of environments/production.yaml with one value changed."""

    def of(key, value):
        settings = copy.deepcopy(PRODUCTION)
        *parents, last = key.split(".")
        section = settings
        for parent in parents:
            section = section[parent]
        if value is MISSING:
            del section[last]
        else:
            section[last] = value
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(settings))
        with pytest.raises(ToolError) as caught:
            load(path)
        return str(caught.value).removeprefix(f"{path} is not valid: ")

    return of


@pytest.mark.parametrize("name", ["production", "staging"])
def test_the_examples_are_valid(name):
    assert load(REPO / f"environments/{name}.yaml").name == name


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        pytest.param("imges", {}, "imges: unknown key", id="unknown key"),
        pytest.param("images.drift", MISSING, "images.drift: Field required", id="missing image"),
        pytest.param("images.train", "wakee/train", "images.train: String should match", id="image without version"),
        pytest.param("images.pushgateway", MISSING, "images.pushgateway is missing", id="monitoring without its image"),
        pytest.param("stages.R2_BUCKET_NAME", MISSING, "stages: R2_BUCKET_NAME is missing", id="required variable"),
        pytest.param("stages.R2_BUCKET", "x", "R2_BUCKET is unknown (do you mean R2_BUCKET_NAME?)", id="misspelled"),
        pytest.param(
            "stages.AWS_SECRET_ACCESS_KEY", "x", "put it in the Secret wakee-secrets", id="a library's secret"
        ),
        pytest.param("stages.MLFLOW_TRACKING_URI", "https://u:p@host", "has a user or password in its", id="password"),
        pytest.param("stages.R2_PREFIX", "staging", "R2_PREFIX: String should match pattern", id="prefix"),
        pytest.param(
            "stages.R2_ACCOUNT_ID", "", "R2_ACCOUNT_ID is not set. Set it, or R2_ENDPOINT_URL", id="no endpoint"
        ),
        pytest.param("stages.fine_tune", "x", "fine_tune is unknown", id="a stage's name"),
        pytest.param("airflow.variables.WAKEE_STAGE_MEMORY_FINETUNE", "1Gi", "FINETUNE is unknown", id="no stage"),
        pytest.param("namespaces", MISSING, "namespaces: Field required", id="no namespaces"),
        pytest.param("stages.HF_TOKEN", "x", "HF_TOKEN is secret: put it in the Secret wakee-secrets", id="secret"),
        pytest.param(
            "airflow.variables.WAKEE_ALERT_WEBHOOK", "x", "put it in the Secret airflow-connections", id="webhook"
        ),
        pytest.param("airflow.variables.WAKEE_GPU_COUNT", "1", "has a key of its own in this file", id="given twice"),
        pytest.param("airflow.url", "airflow.example.org", "airflow.url: String should match", id="no address"),
        pytest.param("airflow.logs", "/var/log", "airflow.logs: String should match", id="no bucket"),
        pytest.param("namespaces.airflow", "wakee", "the two namespaces must differ", id="one namespace"),
        pytest.param("gpu.count", "many", "gpu.count: Input should be a valid integer", id="no number"),
        pytest.param("stages.R2_TRANSFERS", 16, "stages.R2_TRANSFERS: Input should be a valid string", id="no text"),
    ],
)
def test_a_fault_is_named_with_its_key(faults, key, value, fault):
    assert fault in faults(key, value)


def test_variables_of_one_stage_and_of_libraries_are_accepted(tmp_path):
    settings = copy.deepcopy(PRODUCTION)
    settings["airflow"]["variables"]["WAKEE_STAGE_MEMORY_FINE_TUNE"] = "16Gi"
    settings["stages"]["HF_HUB_DISABLE_XET"] = "1"
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(settings))
    assert load(path).airflow.variables["WAKEE_STAGE_MEMORY_FINE_TUNE"] == "16Gi"


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes("name: Büro".encode("latin-1"))
    with pytest.raises(ToolError, match="not a text in UTF-8"):
        load(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(None, "No such file or directory. Name a file such as", id="missing"),
        pytest.param("a: [", "it is not YAML", id="broken"),
        pytest.param("- a", "it is not a mapping", id="list"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, content, fault):
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ToolError, match=fault):
        load(path)
