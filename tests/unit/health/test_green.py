"""Everything is well: what the probes, the suite and the summary say, and that they leave nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

from wakee_common.migrations.cli import head_revision
from wakee_common.uris import R2Uri

from .environment import CHECKS, VERSION, Environment


def succeeded(**result):
    return {"state": "success", "result": {"status": "success", "warnings": [], **result}}


def test_api(environment: Environment):
    result = environment.stage("test-api", calls=3)
    assert result["status"] == "success"
    assert result["warnings"] == []
    assert result["latency"]["calls"] == 3
    assert 0 < result["latency"]["p50_ms"] <= result["latency"]["p95_ms"]
    assert result["facts"]["runtime"] == "ONNX"
    assert result["facts"]["model_revision"] == environment.revision()


def test_api_writes_nothing(environment: Environment):
    before = environment.execute("SELECT * FROM emotion_labels ORDER BY id")
    environment.stage("test-api")
    assert environment.execute("SELECT * FROM emotion_labels ORDER BY id") == before


def test_api_insert_is_cleaned_up(environment: Environment):
    rows, keys = environment.execute("SELECT count(*) FROM emotion_labels"), pictures(environment)
    result = environment.stage("test-api", insert=True)
    assert result["facts"]["insert_ms"] > 0
    assert (environment.execute("SELECT count(*) FROM emotion_labels"), pictures(environment)) == (rows, keys)


def test_database(environment: Environment):
    result = environment.stage("test-database")
    facts = result["facts"]
    assert result["warnings"] == []
    assert (facts["annotations"], facts["validated"], facts["null_share"]) == (4, 4, 0.0)
    assert facts["migration"] == head_revision()
    assert facts["server_version"].startswith("15.")
    assert 0 < facts["connections"] < facts["max_connections"] == 50


def test_database_is_left_as_it_was(environment: Environment):
    state = "SELECT (SELECT count(*) FROM emotion_labels), (SELECT last_value FROM emotion_labels_id_seq)"
    before = environment.execute(state)
    environment.stage("test-database")
    assert environment.execute(state) == before


def test_storage(environment: Environment):
    result = environment.stage("test-storage")
    assert result["warnings"] == []
    assert (result["facts"]["sampled_pictures"], result["facts"]["orphans"]) == (4, 0)
    assert [key for key in pictures(environment) if key.startswith("health/")] == []


def test_storage_samples_a_table_of_few_rows_and_large_ids(environment: Environment):
    environment.execute("UPDATE emotion_labels SET id = 500000000 * id")
    assert environment.stage("test-storage")["facts"]["sampled_pictures"] >= 3


def test_app_sourcing(environment: Environment):
    result = environment.stage("test-app-sourcing")
    assert result["warnings"] == []
    assert result["facts"]["streamlit"] == "ok"


def test_model_hub(environment: Environment):
    result = environment.stage("test-model-hub")
    assert result["warnings"] == []
    assert result["facts"]["version"] == VERSION
    assert result["facts"]["commit"] == environment.revision()
    assert result["facts"]["api_difference"] < 1e-3


def test_pytest_suite(environment: Environment):
    result = environment.stage("run-pytest-suite")
    assert result["tests"] == result["passed"] > 20
    assert result["skipped"] == 0
    assert b"<testsuite" in environment.store.get_bytes(R2Uri.parse(result["junit_uri"]))
    assert b"test_api_health.py::test_health" in environment.store.get_bytes(R2Uri.parse(result["html_uri"]))


def test_pytest_suite_by_hand(environment: Environment):
    command = [Path(sys.executable).with_name("wakee-health"), "pytest", "test_storage.py", "-k", "overwriting"]
    variables = {"PATH": os.environ["PATH"], **environment.variables}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 4 deselected" in done.stdout


def test_summary(environment: Environment):
    told = {name: succeeded(latency={"p50_ms": 12.0, "p95_ms": 34.5, "calls": 5}, seconds=1.5) for name in CHECKS}
    result = environment.summary(told)
    assert (result["verdict"], result["passed"], result["warned"], result["failed"]) == ("passed", 6, 0, 0)
    assert result["rows"] == 7
    report = json.loads(environment.store.get_bytes(R2Uri.parse(result["json_uri"])))
    assert [check["status"] for check in report["checks"]] == ["passed"] * 6
    assert b"| test_api | OK | critical | 12.0 ms | 34.5 ms | ok |" in environment.store.get_bytes(
        R2Uri.parse(result["markdown_uri"])
    )
    saved = environment.execute("SELECT check_name, status, severity, latency_p95_ms FROM health_reports ORDER BY id")
    assert saved[0] == ("overall", "passed", "critical", None)
    assert saved[1] == ("test_api", "passed", "critical", 34.5)


def test_summary_again_replaces_its_rows(environment: Environment):
    told = {name: succeeded() for name in CHECKS}
    environment.summary(told)
    before = environment.execute("SELECT id, check_name FROM health_reports ORDER BY id")
    environment.summary(told)
    assert environment.execute("SELECT id, check_name FROM health_reports ORDER BY id") == before


def test_summary_logs_its_table(environment: Environment):
    environment.summary({name: succeeded() for name in CHECKS})
    assert "test_model_hub     OK    critical" in environment.logs[-1]


def pictures(environment: Environment) -> list[str]:
    return [key for key in environment.store.list_keys("") if not key.startswith(("mlflow", "runs/"))]
