"""What stage pods ask for: the defaults, what a cluster makes of them, and settings that nobody can mean."""

import re
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from wakee import resources
from wakee.operators import StageOperator
from wakee.resources import ResourceSettingError, stage_resources

REPO = Path(__file__).parents[2]

# CPU request, memory (request and limit), scratch (request and limit): what production's pods have always had.
DEFAULTS = {
    "fetch_annotations": ("250m", "1Gi", "2Gi"),
    "load_predictions": ("250m", "1Gi", "2Gi"),
    "calculate_drift": ("500m", "2Gi", "2Gi"),
    "generate_report": ("500m", "2Gi", "2Gi"),
    "save_report": ("250m", "1Gi", "2Gi"),
    "test_api": ("100m", "768Mi", "1Gi"),
    "test_database": ("100m", "768Mi", "1Gi"),
    "test_storage": ("100m", "768Mi", "1Gi"),
    "test_app_sourcing": ("100m", "768Mi", "1Gi"),
    "test_model_hub": ("100m", "768Mi", "1Gi"),
    "run_pytest_suite": ("100m", "768Mi", "1Gi"),
    "generate_summary": ("100m", "768Mi", "1Gi"),
    "check_targets": ("250m", "1Gi", "2Gi"),
    "try_backbone": ("500m", "4Gi", "2Gi"),
    "fetch_training_data": ("1", "2Gi", "2Gi"),
    "split_dataset": ("250m", "1Gi", "2Gi"),
    "fine_tune": ("1", "8Gi", "20Gi"),
    "evaluate": ("500m", "4Gi", "20Gi"),
    "export_onnx": ("500m", "4Gi", "20Gi"),
    "upload_to_hub": ("250m", "2Gi", "2Gi"),
    "log_to_mlflow": ("250m", "2Gi", "2Gi"),
    "update_model_versions": ("250m", "1Gi", "2Gi"),
    "rollback": ("250m", "2Gi", "2Gi"),
}


def test_every_stage_has_its_defaults(dag_bag):
    stages = [task for dag in dag_bag.dags.values() for task in dag.tasks if isinstance(task, StageOperator)]

    assert {task.task_id for task in stages} == DEFAULTS.keys() == resources.DEFAULTS.keys()
    for task in stages:
        cpu, memory, scratch = DEFAULTS[task.task_id]
        both = {"memory": memory, "ephemeral-storage": scratch}
        assert task.container_resources.requests == {"cpu": cpu, **both}, task.task_id
        assert task.container_resources.limits == both, task.task_id


def test_no_dag_file_has_resources_of_its_own():
    named = re.compile(r"\b(cpu|memory|scratch)\s*=|\"(cpu|memory|scratch)\":")
    assert [path.name for path in (REPO / "dags").glob("*.py") if named.search(path.read_text())] == []


@pytest.mark.parametrize(
    ("variables", "task_id", "cpu", "requested", "limit", "scratch"),
    [
        pytest.param({}, "fine_tune", "1", "8Gi", "8Gi", "20Gi", id="nothing set"),
        pytest.param({"CPU": ""}, "fine_tune", "1", "8Gi", "8Gi", "20Gi", id="set to nothing"),
        pytest.param({"CPU": "50m"}, "fine_tune", "50m", "8Gi", "8Gi", "20Gi", id="all stages"),
        pytest.param(
            {"CPU": "50m", "CPU_FINE_TUNE": "2"}, "fine_tune", "2", "8Gi", "8Gi", "20Gi", id="one stage has priority"
        ),
        pytest.param({"CPU_FINE_TUNE": "2"}, "evaluate", "500m", "4Gi", "4Gi", "20Gi", id="another stage"),
        pytest.param({"MEMORY_FINE_TUNE": "4Gi"}, "fine_tune", "1", "4Gi", "4Gi", "20Gi", id="both of memory"),
        pytest.param({"MEMORY_REQUEST": "512Mi"}, "fine_tune", "1", "512Mi", "8Gi", "20Gi", id="request only"),
        pytest.param({"MEMORY_REQUEST": "1Gi"}, "test_api", "100m", "768Mi", "768Mi", "1Gi", id="never above limit"),
        pytest.param(
            {"MEMORY_REQUEST": "1Gi", "MEMORY_REQUEST_FINE_TUNE": "3G"}, "fine_tune", "1", "3G", "8Gi", "20Gi",
            id="request of one stage",
        ),
        pytest.param(
            {"MEMORY": "2Gi", "SCRATCH": "4Gi"}, "fine_tune", "1", "2Gi", "2Gi", "4Gi", id="limits of all stages"
        ),
    ],
)  # fmt: skip
def test_a_cluster_overrides(monkeypatch, variables, task_id, cpu, requested, limit, scratch):
    for name, value in variables.items():
        monkeypatch.setenv(f"WAKEE_STAGE_{name}", value)

    found = stage_resources(task_id)

    assert (found.cpu, found.memory_request, found.memory, found.scratch) == (cpu, requested, limit, scratch)


def test_overrides_reach_the_pod(monkeypatch, dag_bag):
    monkeypatch.setenv("WAKEE_STAGE_CPU", "50m")
    monkeypatch.setenv("WAKEE_STAGE_MEMORY_REQUEST", "256Mi")
    monkeypatch.setenv("WAKEE_STAGE_SCRATCH_ROLLBACK", "3Gi")

    (task,) = DagBag(str(REPO / "dags/model_rollback.py")).dags["model_rollback"].tasks

    assert task.container_resources.requests == {"cpu": "50m", "memory": "256Mi", "ephemeral-storage": "3Gi"}
    assert task.container_resources.limits == {"memory": "2Gi", "ephemeral-storage": "3Gi"}
    assert task.volumes[0].empty_dir.size_limit == "3Gi"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("CPU", "half", id="no number"),
        pytest.param("CPU_ROLLBACK", "50 m", id="blank"),
        pytest.param("CPU", "-1", id="negative"),
        pytest.param("CPU", "1Gi", id="memory as CPU"),
        pytest.param("MEMORY", "1 Gb", id="not a unit of Kubernetes"),
        pytest.param("MEMORY_ROLLBACK", "1GB", id="bytes"),
        pytest.param("MEMORY", "4096K", id="capital K"),
        pytest.param("MEMORY_REQUEST", "-1Gi", id="negative memory"),
        pytest.param("MEMORY_REQUEST_ROLLBACK", "512m", id="thousandths of a byte"),
        pytest.param("SCRATCH", "20", id="20 bytes"),
        pytest.param("SCRATCH_ROLLBACK", "0Gi", id="none"),
    ],
)
def test_a_bad_value_is_named_when_the_dag_is_read(monkeypatch, dag_bag, name, value):
    monkeypatch.setenv(f"WAKEE_STAGE_{name}", value)

    (error,) = DagBag(str(REPO / "dags/model_rollback.py")).import_errors.values()

    assert f"WAKEE_STAGE_{name}" in error
    assert f'"{value}"' in error
    assert "Set e.g." in error


@pytest.mark.parametrize("name", ["CPU_FINETUNE", "MEMORY_REQUESTS", "MEMORY_REQUEST_FINE-TUNE", "SCRATCH_TRAINING"])
def test_a_name_that_fits_no_stage_is_refused(monkeypatch, name):
    monkeypatch.setenv(f"WAKEE_STAGE_{name}", "1Gi")

    with pytest.raises(ResourceSettingError, match=f"Unknown variable WAKEE_STAGE_{name}.* fine_tune"):
        resources.check_names()


def test_good_names_are_accepted(monkeypatch):
    for name in ("CPU", "MEMORY_REQUEST", "MEMORY_REQUEST_FINE_TUNE", "MEMORY_ROLLBACK", "SERVICE_HOST"):
        monkeypatch.setenv(f"WAKEE_STAGE_{name}", "1Gi")

    resources.check_names()


def test_a_stage_without_defaults_is_named():
    with pytest.raises(ResourceSettingError, match=r"Stage new_stage has no resources\. Add it to DEFAULTS"):
        stage_resources("new_stage")
