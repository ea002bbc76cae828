"""`health_check_weekly` with one service at a time out of order; more such cases are in tests/failure_modes."""

import pytest

from support.faults import out_of_order
from support.health import DAG, HealthCase

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
    assert warning.startswith("registry champion is not known: MLflow: ")
