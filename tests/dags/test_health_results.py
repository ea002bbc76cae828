"""What the summary of a health check is told: rendered by Airflow's own task instance from states and XComs."""

import json

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from wakee_contract.checks import PROBES, SUITE

from support.answers import Airflow, dag_run, instance


@pytest.fixture
def arguments(dag_bag, monkeypatch):
    """Renders the arguments of generate_summary for a run of which Airflow knows this."""

    def render(results, states):
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Airflow(results, states), raising=False)
        dag = dag_bag.dags["health_check_weekly"]
        task = dag.get_task("generate_summary")
        server = {"dag_run": dag_run(dag.dag_id, "running"), "max_tries": 1}
        context = RuntimeTaskInstance.model_construct(
            **instance(dag.dag_id, task.task_id),
            map_index=-1,
            task=task,
            _ti_context_from_server=task_runner.TIRunContext.model_validate(server),
        ).get_template_context()
        return task.render_template(task.arguments, context)

    return render


def test_states_and_results_of_all_checks(arguments):
    passed = {"status": "success", "seconds": 1.5, "facts": {"a": 1}, "run": {"image": "x"}, "started_at": "now"}
    failed = {"status": "failed", "cause": 'it\'s "down" -- {{ 7 * 7 }} $(x)', "error": "UnavailableError"}
    states = dict.fromkeys(PROBES, "success") | {"test_api": "failed", SUITE: "failed"}
    command, results, *severities = arguments({"test_api": failed, "test_database": passed}, states)
    told = json.loads(results.removeprefix("--results="))
    assert command == "generate-summary"
    assert list(told) == [*PROBES, SUITE]
    assert told["test_api"] == {"state": "failed", "result": {"status": "failed", "cause": failed["cause"]}}
    assert told["test_database"]["result"] == {"status": "success", "seconds": 1.5, "facts": {"a": 1}}
    assert told[SUITE] == {"state": "failed", "result": None}
    assert severities == [
        "--severity=test_api=critical",
        "--severity=test_database=critical",
        "--severity=test_storage=critical",
        "--severity=test_app_sourcing=warning",
        "--severity=test_model_hub=critical",
        "--severity=run_pytest_suite=warning",
    ]


def test_checks_that_airflow_knows_nothing_of(arguments):
    told = json.loads(arguments({}, {})[1].removeprefix("--results="))
    assert set(map(json.dumps, told.values())) == {'{"state": null, "result": null}'}


def test_only_the_summary_decides(dag_bag):
    dag = dag_bag.dags["health_check_weekly"]
    assert [task.task_id for task in dag.leaves] == ["generate_summary"]
    assert {t.trigger_rule for t in (dag.get_task("generate_summary"), dag.get_task(SUITE))} == {"all_done"}
