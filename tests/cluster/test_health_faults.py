"""`health_check_weekly` with one service at a time out of order; more such cases are in tests/failure_modes."""

import pytest

from support.faults import out_of_order
from support.health import DAG, HealthCase, mails_about
from support.waiting import wait_for

CASES = [
    HealthCase("api", "unavailable", {"test_api"}, "answers 503"),
    HealthCase("sourcing", "gone", {"test_app_sourcing"}, "cannot be reached", run="success"),
    HealthCase("hub", "unavailable", {"test_model_hub"}, "503"),
    HealthCase("r2", "gone", {"test_storage"}, "R2 cannot be reached"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.usefixtures("model_in_production")
def test_one_service_out_of_order(airflow, kubernetes, query, case):
    case.check(airflow, kubernetes, query)


@pytest.mark.usefixtures("model_in_production")
def test_a_registry_that_is_gone_is_a_warning(airflow, kubernetes):
    with out_of_order(kubernetes, "mlflow", "gone"):
        run_id = airflow.trigger(DAG)
        states = airflow.wait(DAG, run_id, 300)

    assert set(states.values()) == {"success"}
    (warning,) = airflow.result(DAG, run_id, "test_model_hub")["warnings"]
    assert warning.startswith("registry champion is not available: MLflow: ")


@pytest.mark.usefixtures("model_in_production")
def test_that_it_works_again_is_told(airflow, kubernetes):
    with out_of_order(kubernetes, "hub", "unavailable"):
        failed = airflow.trigger(DAG)
        airflow.wait(DAG, failed, 300)
    wait_for(lambda: mails_about(failed), 60, "the mail about the failure")  # it is remembered with that

    run_id = airflow.trigger(DAG)
    assert set(airflow.wait(DAG, run_id, 300).values()) == {"success"}

    (mail,) = wait_for(lambda: mails_about(run_id), 60, "the mail about the recovery")
    assert mail["subject"] == f"[Wakee] {DAG} works again"
