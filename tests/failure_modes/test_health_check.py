"""`health_check_weekly` with one service out of order, and while the database is away: what cannot be saved there is
kept in R2, and said so.
"""

from contextlib import closing

import psycopg2
import pytest

from support import faults
from support.cases import Case, component, process
from support.health import DAG, PROBES, HealthCase
from wakee_tools.airflow import sandbox

CASES = [
    HealthCase("api", "unavailable", {"test_api"}, "answers 503"),
    HealthCase("api", "silent", {"test_api"}, "no answer within 10 s"),
    HealthCase("api", "nonsense", {"test_api"}, "breaks the contract"),
    HealthCase("sourcing", "nonsense", {"test_app_sourcing"}, "is not a web page", run="success"),
    HealthCase("sourcing", "silent", {"test_app_sourcing"}, "no answer within", run="success"),
    HealthCase("hub", "silent", {"test_model_hub"}, "cannot be reached"),
    HealthCase("hub", "nonsense", {"test_model_hub"}, "is not from a Hub"),
    HealthCase("r2", "nonsense", {"test_storage"}, "R2 request failed"),
    HealthCase("r2", "unavailable", {"test_storage"}, "503"),
]

IN_THE_MIDDLE = [
    Case("pod killed", "run_pytest_suite", faults.pod_killed, tries=1),
    Case("pod evicted", "run_pytest_suite", faults.pod_evicted, tries=1),
    Case("XCom sidecar killed", "run_pytest_suite", faults.sidecar_killed, tries=2),
    Case("Airflow's scheduler killed", "run_pytest_suite", component("airflow-scheduler")),
    Case("Airflow's API server killed", "run_pytest_suite", component("airflow-api-server")),
    Case("Airflow's triggerer killed", "run_pytest_suite", component("airflow-triggerer")),
    Case("Kubernetes' API server killed", "run_pytest_suite", process("kube-apiserver")),
    Case("kubelet killed", "run_pytest_suite", process("kubelet")),
    Case("containerd killed", "run_pytest_suite", process("containerd")),
]

REFUSED = "postgresql://wakee_app:wrong@neondb:5432/wakee"
DATABASE = {
    "database gone": (lambda cluster: faults.out_of_order(cluster, "neondb", "gone"), "cannot connect to the database"),
    "database nonsense": (
        lambda cluster: faults.out_of_order(cluster, "neondb", "nonsense"),
        "cannot connect to the database",
    ),
    "wrong database password": (lambda cluster: faults.setting(cluster, NEON_DATABASE_URL=REFUSED), "NEON_DATABASE"),
}
"""How each is brought about, and part of what the probe says."""


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.usefixtures("model_in_production")
def test_one_service_out_of_order(airflow, kubernetes, query, observed, case):
    run_id = case.check(airflow, kubernetes, query)
    observed(DAG, run_id, case.fault, case.hit, airflow.result(DAG, run_id, case.hit)["cause"])


@pytest.mark.parametrize("case", IN_THE_MIDDLE, ids=lambda case: f"{case.fault}-{case.hit}".replace(" ", "-"))
@pytest.mark.usefixtures("model_in_production")
def test_a_fault_in_the_middle(airflow, kubernetes, query, observed, no_orphans, case):
    """Nothing is wrong with the services, so in the end nothing is red, and every check has one row."""
    run_id = airflow.trigger(DAG)
    case.strike(kubernetes, airflow, DAG, run_id)
    airflow.wait(DAG, run_id, 600)

    observed(DAG, run_id, case.fault, case.hit)
    assert airflow.run(DAG, run_id)["state"] == "success"
    assert case.tries in (None, airflow.tasks(DAG, run_id)[case.hit]["try_number"])
    rows = [row["check_name"] for row in query("SELECT check_name FROM health_reports WHERE run_id = %s", run_id)]
    assert len(rows) == len(set(rows)) > len(PROBES)
    no_orphans(DAG)


@pytest.mark.parametrize("fault", DATABASE, ids=lambda fault: fault.replace(" ", "-"))
@pytest.mark.usefixtures("model_in_production")
def test_the_summary_survives_the_database(airflow, kubernetes, query, observed, fault):
    breaks, cause = DATABASE[fault]
    with breaks(kubernetes):
        run_id = airflow.trigger(DAG)
        states = airflow.wait(DAG, run_id, 900)

    summary = airflow.result(DAG, run_id, "generate_summary")["cause"]
    observed(DAG, run_id, fault, "test_database", summary)
    assert states["test_database"] == states["generate_summary"] == "failed"
    assert cause in airflow.result(DAG, run_id, "test_database")["cause"]
    assert "in R2 only" in summary
    assert query("SELECT 1 FROM health_reports WHERE run_id = %s", run_id) == []


@pytest.mark.usefixtures("model_in_production")
def test_a_slow_r2_is_no_failure(airflow, kubernetes, observed):
    """It is behind something that passes on 160 kB a second."""
    with faults.out_of_order(kubernetes, "r2", "slow"):
        run_id = airflow.trigger(DAG)
        states = airflow.wait(DAG, run_id, 600)

    storage = airflow.result(DAG, run_id, "test_storage")
    observed(DAG, run_id, "r2 slow", "test_storage", f"p95 {storage['latency']['p95_ms']:.0f} ms")
    assert set(states.values()) == {"success"}
    assert storage["latency"]["p95_ms"] > 400  # 64 kB


@pytest.mark.usefixtures("model_in_production")
def test_a_database_that_does_not_answer_in_time(airflow, observed):
    """A forgotten transaction holds the table; everything else about the database works."""
    with closing(psycopg2.connect(sandbox.database().url.get_secret_value())) as connection:
        connection.cursor().execute("LOCK TABLE emotion_labels IN ACCESS EXCLUSIVE MODE")
        run_id = airflow.trigger(DAG)
        states = airflow.wait(DAG, run_id, 600)

    observed(DAG, run_id, "table locked", "test_database", airflow.result(DAG, run_id, "test_database")["cause"])
    assert states["test_database"] == "failed"
    assert "timeout" in airflow.result(DAG, run_id, "test_database")["cause"]
    assert states["test_api"] == "success"
