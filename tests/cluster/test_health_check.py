"""`health_check_weekly` on real pods, all green."""

import pytest

DAG = "health_check_weekly"
PROBES = ["test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub"]


pytestmark = pytest.mark.usefixtures("model_in_production")


def test_all_green(airflow, query):
    run_id = airflow.trigger(DAG)

    states = airflow.wait(DAG, run_id, 300)

    assert states == dict.fromkeys([*PROBES, "run_pytest_suite", "generate_summary"], "success")
    rows = query("SELECT check_name, status FROM health_reports WHERE run_id = %s", run_id)
    assert {row["check_name"] for row in rows} >= set(PROBES)
