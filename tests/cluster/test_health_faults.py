"""`health_check_weekly` with services out of order; more such cases are in tests/failure_modes."""

import pytest

from support.faults import out_of_order
from support.health import DAG, HealthCase, mails_about
from support.waiting import wait_for

HUB = HealthCase("hub", "unavailable", {"test_model_hub"}, "503")
SOURCING = HealthCase("sourcing", "gone", {"test_app_sourcing"}, "cannot be reached", run="success")
R2 = HealthCase("r2", "gone", {"test_storage"}, "R2 cannot be reached")


@pytest.mark.usefixtures("model_in_production")
def test_a_failure_and_the_recovery_after_it_are_reported(airflow, kubernetes, query):
    HUB.check(airflow, kubernetes, query)  # waits for its mail: with that, the failure is remembered

    run_id = airflow.trigger(DAG)
    assert set(airflow.wait(DAG, run_id, 300).values()) == {"success"}

    (mail,) = wait_for(lambda: mails_about(run_id), 60, "the mail about the recovery")
    assert mail["subject"] == f"[Wakee] {DAG} works again"


@pytest.mark.usefixtures("model_in_production")
def test_without_the_sourcing_app_and_the_registry_the_run_succeeds_with_warnings(airflow, kubernetes, query):
    with out_of_order(kubernetes, "mlflow", "gone"):
        run_id = SOURCING.check(airflow, kubernetes, query)

    (warning,) = airflow.result(DAG, run_id, "test_model_hub")["warnings"]
    assert warning.startswith("registry champion is not available: MLflow: ")


@pytest.mark.usefixtures("model_in_production")
def test_a_bucket_that_is_gone_fails_the_run(airflow, kubernetes, query):
    R2.check(airflow, kubernetes, query)
