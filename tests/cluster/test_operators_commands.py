"""What people type: `make doctor` on a sound installation and on a broken one."""

import subprocess

import pytest

from wakee_tools.airflow.doctor import UnhealthyError, _gpus, _secrets, _version


@pytest.mark.usefixtures("model_in_production", "airflow")
def test_the_doctor_finds_nothing():
    done = subprocess.run(["make", "-s", "doctor"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "✗" not in done.stdout
    assert "API, database, storage, sourcing page and model hub" in done.stdout


def test_the_doctor_names_the_remedy_of_a_missing_cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(UnhealthyError) as trouble:
        _version()
    assert "make cluster" in trouble.value.remedy


def test_the_doctor_names_missing_secrets(monkeypatch):
    monkeypatch.setattr("wakee_tools.airflow.doctor.WANTED_SECRETS", {"NEON_DATABASE_URL", "NEW_TOKEN"})
    with pytest.raises(UnhealthyError, match="missing keys: NEW_TOKEN") as trouble:
        _secrets()
    assert ".env" in trouble.value.remedy


def test_the_doctor_names_the_remedy_of_a_missing_gpu(monkeypatch):
    config = {"items": [{"metadata": {"name": "wakee-images"}, "data": {"WAKEE_GPU_COUNT": "1"}}]}
    nodes = {"items": [{"status": {"allocatable": {}}}]}
    monkeypatch.setattr(
        "wakee_tools.airflow.doctor._kubectl", lambda _get, kind, *_: config if kind == "configmaps" else nodes
    )
    with pytest.raises(UnhealthyError, match=r"asks for 1 nvidia\.com/gpu, a node has up to 0") as trouble:
        _gpus()
    assert "WAKEE_GPU_COUNT=0" in trouble.value.remedy


def make(*words):
    return subprocess.run(["make", "-s", *words], capture_output=True, text=True, timeout=600)


@pytest.mark.usefixtures("retraining_paused")
def test_a_run_is_started_followed_and_read(seed):
    seed("--rows", "50", "--days", "7", "--until", "2010-01-08T00:00:00", "--labels-only", "--bias", "0")
    triggered = make("trigger", "DAG=drift_detection_daily", 'CONF={"until": "2010-01-07", "threshold": 3}')
    assert triggered.returncode == 0, triggered.stdout + triggered.stderr
    assert "success" in triggered.stdout.splitlines()[-1]
    assert "fetch-annotations" in make("logs", "DAG=drift_detection_daily", "TASK=fetch_annotations").stdout


def test_a_wrong_name_is_one_line():
    done = make("trigger", "DAG=no_such_dag")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "no_such_dag" in done.stderr


def test_a_stage_that_failed_is_no_completed_pod(airflow):
    run_id = airflow.trigger("model_rollback", {"version": "no-such-version"})
    assert airflow.wait("model_rollback", run_id, 120) == {"rollback": "failed"}
    lines = [line for line in make("pods").stdout.splitlines() if "rollback" in line]
    assert lines
    assert all("Error" in line for line in lines), lines


def test_pods_and_pages_are_listed():
    assert "fetch_annotations" in make("pods").stdout or "wakee-db-upgrade" in make("pods").stdout
    assert "http://localhost:8080" in make("ui").stdout
