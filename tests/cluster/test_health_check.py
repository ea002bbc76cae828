"""`health_check_weekly` on real pods: all green, and with the API down."""

import httpx
import pytest

from support.waiting import wait_for

DAG = "health_check_weekly"
PROBES = ["test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub"]
API, MAIL = "http://localhost:8000", "http://localhost:8025"


@pytest.fixture(scope="module", autouse=True)
def model_in_production(airflow, seed, query):
    """Something for the API to serve, and fresh annotations whose pictures exist."""
    seed("--reset", "--rows", "200", "--days", "7", "--seed", "7")
    if not query("SELECT 1 FROM model_versions WHERE is_production"):
        run_id = airflow.trigger("model_retrain", {"epochs": 1, "start": "random"})
        assert set(airflow.wait("model_retrain", run_id, 600).values()) == {"success"}


@pytest.fixture
def api_down():
    httpx.post(f"{API}/_fault", json={"mode": "down"}).raise_for_status()
    yield
    httpx.post(f"{API}/_fault", json={"mode": "none"}).raise_for_status()


def test_all_green(airflow, query):
    run_id = airflow.trigger(DAG)

    states = airflow.wait(DAG, run_id, 300)

    assert states == dict.fromkeys([*PROBES, "run_pytest_suite", "generate_summary"], "success")
    rows = query("SELECT check_name, status FROM health_reports WHERE run_id = %s", run_id)
    assert {row["check_name"] for row in rows} >= set(PROBES)


@pytest.mark.usefixtures("api_down")
def test_a_dead_api_shows_red_and_fails_the_run_while_the_others_run(airflow):
    run_id = airflow.trigger(DAG)

    states = airflow.wait(DAG, run_id, 300)

    assert states["test_api"] == "failed"
    assert [states[probe] for probe in ("test_database", "test_storage", "test_app_sourcing")] == ["success"] * 3
    assert states["generate_summary"] == "failed"
    assert airflow.run(DAG, run_id)["state"] == "failed"
    assert "test_api" in airflow.log(DAG, run_id, "generate_summary")
    wait_for(lambda: "test_api" in httpx.get(f"{MAIL}/messages").text, 60, "an alert that names the failed check")
