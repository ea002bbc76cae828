"""Params of all DAGs: Airflow refuses what the form's schema does not allow; the rest is one argument, as it is."""

import json
import math
import re
from collections import defaultdict
from copy import deepcopy
from datetime import date, datetime

import pytest
from airflow.sdk.exceptions import ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from wakee.operators import StageOperator

DAGS = ["drift_detection_daily", "health_check_weekly", "model_retrain", "model_rollback"]
HOSTILE_TEXTS = [
    "'; DROP TABLE emotion_labels; --",
    "$(reboot)",
    "`id`",
    "a && b | c > /d",
    "{{ var.value.secret }}",
    "--help",
    "../../etc/passwd",
    "r2://other-bucket/key",
    "a b",
    "v1\nv2",
    "\x00",
    "😀",
    "",
]
HOSTILE_NUMBERS = [-1, -0.5, 1e308, -1e308, math.nan, math.inf, -math.inf, 2**63, 10**30, 1.5]
PLAIN = re.compile(r"{{ params\.[a-z_]+ }}")
OTHERS = [True, [], {}, [1], {"a": 1}]
anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=2),
    st.sampled_from([*HOSTILE_TEXTS, *HOSTILE_NUMBERS, *OTHERS]),
)  # fmt: skip


def pytest_generate_tests(metafunc):
    if "dag_id" in metafunc.fixturenames:
        metafunc.parametrize("dag_id", DAGS)


def accepted(dag, name, value):
    """What Airflow's own validation makes of one value; an error when it refuses."""
    params = deepcopy(dag.params)
    params.update({name: value})
    return params.validate()[name]


def fits(schema, value):
    """Our own reading of a param's schema, for comparison."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "enum" in schema:
        return value in schema["enum"]
    if value is None:
        return "null" in kinds
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, str):
        return "string" in kinds
    if isinstance(value, int | float):
        whole = isinstance(value, int) or (math.isfinite(value) and value.is_integer())
        above, below = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        in_range = not (value < above or value > below or value <= schema.get("exclusiveMinimum", -math.inf))
        return ("number" in kinds or ("integer" in kinds and whole)) and in_range
    return False


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_nothing_passes_that_the_schema_does_not_say(dag_bag, dag_id, data):
    dag = dag_bag.dags[dag_id]
    name = data.draw(st.sampled_from(sorted(dag.params)))
    value = data.draw(anything)

    try:
        passed = accepted(dag, name, value)
    except ParamValidationError:
        return
    assert fits(dag.params.get_param(name).schema, passed), (name, value)


def test_hostile_values_by_class(dag_bag, dag_id):
    """Every hostile value in every param: none gets into a text that has no format, pattern or list."""
    dag, passed = dag_bag.dags[dag_id], []
    for name in dag.params:
        for value in (*HOSTILE_TEXTS, *HOSTILE_NUMBERS, *OTHERS):
            try:
                accepted(dag, name, value)
            except ParamValidationError:
                continue
            passed.append((name, value))

    texts = [(name, value) for name, value in passed if isinstance(value, str)]
    # A version may be called so; it reaches the stage as `--version=--help`, and no version has the name.
    assert texts == ([("version", "--help")] if dag_id == "model_rollback" else [])
    negative = [(name, value) for name, value in passed if isinstance(value, int | float) and value < 0]
    assert negative == []
    # JSON Schema lets NaN through every range; the stage's runner does not.
    finite = [(name, value) for name, value in passed if isinstance(value, float) and not math.isnan(value)]
    assert all(math.isfinite(value) for _, value in finite)


@pytest.mark.parametrize(
    ("dag_id_of", "name", "value"),
    [
        pytest.param("model_retrain", "epochs", -1, id="negative-epochs"),
        pytest.param("model_retrain", "epochs", 0, id="no-epochs"),
        pytest.param("model_retrain", "epochs", "10", id="text-for-number"),
        pytest.param("model_retrain", "epochs", 1e9, id="too-many-epochs"),
        pytest.param("model_retrain", "learning_rate", 0, id="no-learning"),
        pytest.param("model_retrain", "backbone", "x; reboot", id="shell"),
        pytest.param("model_retrain", "backbone", "local-dir:/etc", id="path"),
        pytest.param("model_retrain", "backbone", "efficientnet_b4\n", id="line-break"),
        pytest.param("model_retrain", "backbone", "b" * 101, id="long-backbone"),
        pytest.param("model_retrain", "start", "../weights", id="not-in-the-list"),
        pytest.param("model_retrain", "loss", "cross_entropy", id="another-loss"),
        pytest.param("model_retrain", "drift_report_id", "1 OR 1=1", id="sql"),
        pytest.param("model_retrain", "drift_report_id", 0, id="no-id"),
        pytest.param("model_rollback", "version", "v1' OR '1'='1", id="sql-version"),
        pytest.param("model_rollback", "version", "v" * 101, id="long-version"),
        pytest.param("model_rollback", "version", "v1\n", id="line-break-version"),
        pytest.param("drift_detection_daily", "until", "2026-02-30", id="no-day"),
        pytest.param("drift_detection_daily", "until", "yesterday", id="no-date"),
        pytest.param("drift_detection_daily", "look_back_days", 366, id="too-long-a-window"),
        pytest.param("health_check_weekly", "insert", "yes", id="text-for-bool"),
        pytest.param("health_check_weekly", "severity_test_api", "ignore", id="other-severity"),
    ],
)
def test_refused_by_airflow(dag_bag, dag_id_of, name, value):
    with pytest.raises(ParamValidationError):
        accepted(dag_bag.dags[dag_id_of], name, value)


class Run:
    """A DAG run, as templates see it."""

    logical_date = run_after = datetime(2026, 4, 1, 2)


def rendered(dag, value):
    """Templates and arguments of every stage when all params have this value, validated or not."""
    context = {"params": dict.fromkeys(dag.params, value), "dag_run": Run(), "ti": Ti(), "health_results": str}
    for task in dag.tasks:
        if isinstance(task, StageOperator):
            yield task.arguments, task.render_template(task.arguments, context)


class Ti:
    """A task instance whose upstream results hold an address under every key."""

    def xcom_pull(self, task_ids):
        return defaultdict(lambda: "r2://bucket/key")


@settings(max_examples=150, deadline=None)
@given(value=st.one_of(st.text(), st.sampled_from(HOSTILE_TEXTS), st.integers(), st.floats()))
def test_a_value_stays_one_argument(dag_bag, dag_id, value):
    """Even one that no schema would let pass: there is no shell, and no template within a value."""
    for templates, arguments in rendered(dag_bag.dags[dag_id], value):
        assert len(arguments) == len(templates)
        for template, argument in zip(templates, arguments, strict=True):
            if PLAIN.search(template):
                assert argument == PLAIN.sub(lambda _: str(value), template)


def test_the_choices_of_a_retraining_are_one_json_object(dag_bag):
    dag = dag_bag.dags["model_retrain"]
    given = {name: HOSTILE_TEXTS[0] if name == "backbone" else param.value for name, param in dag.params.items()}
    context = {"params": given, "dag_run": Run(), "ti": Ti()}
    task = dag.get_task("fetch_training_data")

    (choices,) = [a for a in task.render_template(task.arguments, context) if a.startswith("--choices=")]
    assert json.loads(choices.removeprefix("--choices=")) == given


def test_no_stage_runs_a_shell(dag_bag, dag_id):
    for task in dag_bag.dags[dag_id].tasks:
        if isinstance(task, StageOperator):
            assert not task.cmds, task.task_id
            assert task.arguments[0] == task.task_id.replace("_", "-")


def test_dates_pass_as_the_stage_reads_them(dag_bag):
    """Whatever form of date passes, `date.fromisoformat` takes, as the stage does."""
    for text in ("2026-03-31", "20260331", "2026-W13-2", "0001-01-01", "9999-12-31"):
        try:
            passed = accepted(dag_bag.dags["drift_detection_daily"], "until", text)
        except ParamValidationError:
            continue
        date.fromisoformat(json.loads(json.dumps(passed)))
