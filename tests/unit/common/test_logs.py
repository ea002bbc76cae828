"""Both formats of the log: what a line holds, and that no secret is in it, however it is spelt."""

import json
import logging
import warnings

import pytest
from wakee_common.logs import configure_logging

SECRET = 'p"ss\\wörd\twith/everything'
FORMATS = pytest.mark.parametrize("line_format", ["text", "json"])


@pytest.fixture
def logged(monkeypatch, capsys):
    """A function: configure the log with these variables, do something, return the lines it left."""

    def run(action, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        configure_logging()
        action(logging.getLogger("wakee_test"))
        return capsys.readouterr().err.splitlines()

    before = list(logging.root.handlers), logging.root.level
    yield run
    logging.captureWarnings(False)
    logging.root.handlers, logging.root.level = before


def fail_with_a_secret(logger):
    try:
        raise RuntimeError(f"cannot use {SECRET}") from ValueError(f"{SECRET} is wrong")
    except RuntimeError:
        logger.exception("trouble with %s", SECRET)


def test_text_is_a_line_for_people(logged):
    (line,) = logged(lambda logger: logger.warning("%d rows", 3))
    assert line.endswith("Z WARNING wakee_test: 3 rows")


def test_json_says_what_when_where_and_in_which_run(logged):
    run = {"WAKEE_DAG_ID": "a_dag", "WAKEE_RUN_ID": "a-run", "WAKEE_TASK_ID": "a_task", "WAKEE_TRY_NUMBER": "2"}

    (line,) = logged(lambda logger: logger.warning("%d rows\nof two", 3), WAKEE_LOG_FORMAT="json", **run)

    found = json.loads(line)
    assert found.pop("time")[-1] == "Z"
    assert found == {
        "level": "WARNING",
        "logger": "wakee_test",
        "message": "3 rows\nof two",
        "dag_id": "a_dag",
        "run_id": "a-run",
        "task_id": "a_task",
        "try_number": "2",
    }


def test_json_holds_the_traceback_in_the_same_line(logged):
    (line,) = logged(fail_with_a_secret, WAKEE_LOG_FORMAT="json")
    found = json.loads(line)
    assert found["traceback"].startswith("ValueError:")
    assert "RuntimeError: cannot use" in found["traceback"]


@FORMATS
@pytest.mark.parametrize("variable", ["NEON_DATABASE_URL", "R2_SECRET_ACCESS_KEY", "HF_TOKEN"])
def test_no_secret_is_logged(logged, line_format, variable):
    address = f"postgresql://user:{SECRET}@host/database"
    value = address if variable == "NEON_DATABASE_URL" else SECRET

    lines = logged(fail_with_a_secret, WAKEE_LOG_FORMAT=line_format, **{variable: value})

    text = "\n".join(lines) if line_format == "text" else "\n".join(map(str, json.loads(lines[0]).values()))
    assert "trouble with ***" in text
    assert "cannot use ***" in text
    assert "*** is wrong" in text
    assert "everything" not in "\n".join(lines)


def test_no_message_breaks_a_line_of_json(logged):
    hostile = 'a\r\n{"level": "ERROR"}\u2028\x00\x1b[31m\ud83d'
    lines = logged(lambda logger: logger.info("%s", hostile), WAKEE_LOG_FORMAT="json")
    assert [json.loads(line)["message"] for line in lines] == [hostile]


def test_warnings_of_libraries_are_json_too(logged):
    def warn(_logger):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", DeprecationWarning, stacklevel=1)

    lines = logged(warn, WAKEE_LOG_FORMAT="json")
    assert ["old" in json.loads(line)["message"] for line in lines] == [True]


def test_the_level_is_respected(logged):
    assert logged(lambda logger: logger.warning("quiet"), WAKEE_LOG_LEVEL="ERROR") == []


@pytest.mark.parametrize("variable", ["WAKEE_LOG_FORMAT", "WAKEE_LOG_LEVEL"])
def test_a_wrong_setting_is_named_and_the_default_holds(logged, variable):
    first, second = logged(lambda logger: logger.info("work"), **{variable: "loud"})
    assert variable in first
    assert second.endswith("INFO    wakee_test: work")
