"""What people type: `make doctor` on a sound installation and on a broken one."""

import subprocess

import pytest

from ops.doctor import UnhealthyError, _secrets, _version


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
    monkeypatch.setattr("ops.doctor.WANTED_SECRETS", {"NEON_DATABASE_URL", "NEW_TOKEN"})
    with pytest.raises(UnhealthyError, match="lacks NEW_TOKEN") as trouble:
        _secrets()
    assert ".env" in trouble.value.remedy
