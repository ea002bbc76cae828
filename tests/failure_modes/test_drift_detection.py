"""One fault at a time in the middle of a drift run. Whatever it is, the morning finds the same:

the run succeeded, its date has exactly one report, which is this run's, with its pages in R2, and no pod runs on.
"""

from datetime import date, timedelta

import pytest

from support import faults
from support.cases import Case, component, process, service, stopped
from support.waiting import wait_for

DAG = "drift_detection_daily"
FIRST_DAY = date(2015, 6, 30)


CASES = [
    Case("S3 server gone, 20 s", "load_predictions", service("r2", "gone"), 20),
    Case("S3 server answers 503, 20 s", "calculate_drift", service("r2", "unavailable"), 20),
    Case("S3 answers cut off, 20 s", "load_predictions", service("r2", "cut"), 20),
    Case("S3 server slow, 30 s", "load_predictions", service("r2", "slow"), 30, passable=True),
    Case("database gone, 15 s", "generate_report", service("neondb", "gone"), 15, until="save_report"),
    Case("database silent, 15 s", "generate_report", service("neondb", "silent"), 15, until="save_report"),
    Case("database stopped, 15 s", "generate_report", stopped("wakee/statefulset/neondb"), 15, until="save_report"),
    Case("database out of connections, 15 s", "generate_report", faults.connections_taken, 15, until="save_report"),
    Case("pod killed", "calculate_drift", faults.pod_killed, tries=1),
    Case("pod evicted", "calculate_drift", faults.pod_evicted, tries=1),
    Case("XCom sidecar killed", "calculate_drift", faults.sidecar_killed, tries=2),
    Case("Airflow's scheduler killed", "calculate_drift", component("airflow-scheduler")),
    Case(
        "Airflow's database stopped, 15 s",
        "calculate_drift",
        stopped("airflow/statefulset/airflow-database"),
        15,
        passable=True,  # nobody can be asked meanwhile
    ),
    Case("Airflow's API server killed", "calculate_drift", component("airflow-api-server")),
    Case(
        "Airflow's API server down, 20 s",
        "calculate_drift",
        stopped("airflow/deployment/airflow-api-server"),
        20,
        passable=True,  # nobody can be asked meanwhile
    ),
    Case("Airflow's triggerer killed", "calculate_drift", component("airflow-triggerer"), tries=1),
    Case("Kubernetes' API server killed", "calculate_drift", process("kube-apiserver")),
    Case("kubelet killed", "calculate_drift", process("kubelet")),
    Case("containerd killed", "calculate_drift", process("containerd")),
]


@pytest.fixture
def drift_data(seed):
    """Annotations of 30 days up to a day of the case's own, a year from the next one's; returns the day."""

    def write(number: int) -> date:
        day = FIRST_DAY - timedelta(days=366 * number)
        until = f"{day + timedelta(days=1)}T00:00:00"
        seed("--rows", "150", "--days", "30", "--until", until, "--labels-only", "--bias", "0", "--noise", "0.1")
        return day

    return write


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault.replace(" ", "-"))
@pytest.mark.usefixtures("retraining_paused")
def test_a_fault_in_the_night(airflow, kubernetes, drift_data, one_report, observed, no_orphans, case):
    day = drift_data(CASES.index(case))
    run_id = airflow.trigger(DAG, {"until": str(day)})
    case.strike(kubernetes, airflow, DAG, run_id)
    airflow.wait(DAG, run_id, 600)

    observed(DAG, run_id, case.fault, case.hit)
    assert airflow.run(DAG, run_id)["state"] == "success"
    assert case.tries in (None, airflow.tasks(DAG, run_id)[case.hit]["try_number"])
    one_report(day, run_id)
    no_orphans(DAG)


SLEEPY = """
DROP FUNCTION IF EXISTS sleepy CASCADE;
CREATE FUNCTION sleepy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(10); RETURN NEW; END';
CREATE TRIGGER sleepy BEFORE INSERT OR UPDATE ON drift_reports FOR EACH ROW EXECUTE FUNCTION sleepy();
"""


@pytest.fixture
def slow_writes(query):
    """Every write of a report takes ten seconds."""
    query(SLEEPY)
    yield
    query("DROP FUNCTION sleepy CASCADE")


@pytest.mark.usefixtures("retraining_paused", "slow_writes")
@pytest.mark.parametrize("restarted", [False, True], ids=["slow", "restarted-in-a-transaction"])
def test_a_database_in_trouble(airflow, kubernetes, query, drift_data, one_report, observed, no_orphans, restarted):
    day = drift_data(len(CASES) + restarted)
    run_id = airflow.trigger(DAG, {"until": str(day)})

    def writing():
        return query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")

    wait_for(writing, 240, "a transaction that writes the report")
    if restarted:
        kubernetes.delete_namespaced_pod("neondb-0", "wakee", grace_period_seconds=0)
    airflow.wait(DAG, run_id, 600)

    fault = "database restarted in the middle of the transaction" if restarted else "database slow, 10 s a write"
    observed(DAG, run_id, fault, "save_report")
    assert airflow.run(DAG, run_id)["state"] == "success"
    one_report(day, run_id)
    no_orphans(DAG)
