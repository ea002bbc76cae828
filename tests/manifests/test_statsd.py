"""The names that this version of Airflow sends are those that the exporter's mappings wait for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).parents[2]
OURS = yaml.safe_load((REPO / "helm/values.yaml").read_text())["statsd"]["extraMappings"]


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    subprocess.run([sys.executable, REPO / "tools/bootstrap.py", "airflow"], check=True, capture_output=True)
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")), "PYTHONPATH": ""}
    command = [REPO / ".venvs/airflow/bin/python", Path(__file__).parent / "statsd_probe.py"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def labels(mapping, names):
    """What the exporter makes of the one name that a mapping matches: `*` is a part between dots."""
    pattern = re.escape(mapping["match"]).replace(r"\*", r"([^.]*)") + "$"
    (found,) = [match for name in names if (match := re.match(pattern, name))]
    return {label: found[int(value.removeprefix("$"))] for label, value in mapping["labels"].items()}


def test_our_mappings_match_what_is_sent(sent):
    task = {"dag_id": "model_retrain", "task_id": "fine_tune"}
    assert {mapping["name"]: labels(mapping, sent) for mapping in OURS} == {
        "airflow_task_finished": task | {"state": "success"},
        "airflow_task_queued_duration": task,
    }


@pytest.mark.parametrize("name", ["airflow.dagrun.duration.failed.model_retrain", "airflow.scheduler_heartbeat"])
def test_what_the_mappings_of_the_chart_match_is_sent(sent, name):
    assert name in sent
