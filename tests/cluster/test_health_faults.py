"""`health_check_weekly` with one service at a time out of order: the right task is red, with its cause, and told.

What fails the run, and what only warns, is the severity's; the summary is kept where it can be kept.
"""

from dataclasses import dataclass

import httpx
import pytest

from support.faults import out_of_order
from support.waiting import wait_for

DAG = "health_check_weekly"
PROBES = {"test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub"}
MAIL = "http://localhost:8025"


@dataclass(frozen=True)
class Case:
    """What one fault should look like to those who run this."""

    service: str
    mode: str
    red: set[str]
    cause: str
    """Part of what the first red probe says."""
    run: str = "failed"


CASES = [
    Case("api", "unavailable", {"test_api"}, "answers 503"),
    Case("api", "silent", {"test_api"}, "no answer within 10 s"),
    Case("api", "nonsense", {"test_api"}, "breaks the contract"),
    Case("sourcing", "gone", {"test_app_sourcing"}, "cannot be reached", run="success"),
    Case("sourcing", "nonsense", {"test_app_sourcing"}, "is no web page", run="success"),
    Case("hub", "unavailable", {"test_model_hub"}, "503"),
    Case("hub", "silent", {"test_model_hub"}, "cannot be reached"),
    Case("r2", "gone", {"test_storage"}, "R2 cannot be reached"),
    Case("r2", "unavailable", {"test_storage"}, "503"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.service}-{case.mode}")
@pytest.mark.usefixtures("model_in_production")
def test_one_service_out_of_order(airflow, kubernetes, query, case):
    httpx.delete(f"{MAIL}/messages").raise_for_status()
    with out_of_order(kubernetes, case.service, case.mode):
        run_id = airflow.trigger(DAG)
        states = airflow.wait(DAG, run_id, 420)

    assert {task for task in PROBES if states[task] == "failed"} == case.red
    assert airflow.run(DAG, run_id)["state"] == case.run
    first = sorted(case.red)[0]
    assert case.cause in airflow.result(DAG, run_id, first)["cause"]
    mail = wait_for(
        lambda: [m["body"] for m in httpx.get(f"{MAIL}/messages").json() if run_id in m["body"]], 60, "mail"
    )
    assert len(mail) == 1
    assert first in mail[0]
    rows = query("SELECT check_name FROM health_reports WHERE run_id = %s AND status = 'failed'", run_id)
    assert {row["check_name"] for row in rows} >= case.red


@pytest.mark.usefixtures("model_in_production")
def test_a_registry_that_is_gone_is_a_warning(airflow, kubernetes):
    with out_of_order(kubernetes, "mlflow", "gone"):
        run_id = airflow.trigger(DAG)
        states = airflow.wait(DAG, run_id, 300)

    assert set(states.values()) == {"success"}
    (warning,) = airflow.result(DAG, run_id, "test_model_hub")["warnings"]
    assert warning.startswith("registry champion is not known: MLflow: ")
