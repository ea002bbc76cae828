"""The stage runner: what a stage leaves behind, however it ends."""

import json
import logging
import os
import signal
import socket
import threading
import time

import pytest
import typer
from typer.testing import CliRunner
from wakee_common import stage as runner
from wakee_common.errors import BadInputError, UnavailableError
from wakee_common.stage import StageResult, stage
from wakee_common.startup import retry_refused
from wakee_common.storage import ObjectStore

from support.ports import free_port


class Counted(StageResult):
    """A result with a value of its own."""

    rows: float = 0
    text: str = ""


@pytest.fixture
def run(pod):
    """Run a function as the stage `count_rows`; returns the exit code."""

    def run_it(function, *arguments, record_required=True):
        app = typer.Typer()
        function.__name__ = "count_rows"
        stage(app, record_required=record_required)(function)
        return CliRunner().invoke(app, arguments).exit_code

    return run_it


def count_nothing() -> Counted:
    return Counted()


def fail_with(error):
    def function() -> Counted:
        raise error

    return function


def test_success_is_recorded_in_both_places(run, pod):
    def function(times: int = 1) -> Counted:
        return Counted(rows=3 * times)

    assert run(function, "--times", "2") == 0

    result = pod.result()
    assert (result["status"], result["rows"], result["stage"]) == ("success", 6, "count_rows")
    assert result["run"]["dag_id"] == "test_dag"
    assert result["seconds"] >= 0
    assert 10 < result["peak_memory_mib"] < 10_000
    assert pod.record("count_rows") == result
    assert pod.termination_log.read_text() == ""


def test_insufficient_data_is_no_failure(run, pod):
    def function() -> Counted:
        return Counted(status="insufficient_data")

    assert run(function) == 0
    assert pod.result()["status"] == "insufficient_data"


@pytest.mark.parametrize(
    ("error", "exit_code", "cause"),
    [
        pytest.param(UnavailableError("the server sleeps"), 1, "the server sleeps", id="worth-a-retry"),
        pytest.param(BadInputError("no such day"), 2, "no such day", id="not-worth-a-retry"),
        pytest.param(KeyError("surprise"), 1, "KeyError: 'surprise'", id="unknown"),
        pytest.param(UnavailableError("two\nlines"), 1, "two lines", id="two-lines"),
        pytest.param(UnavailableError("x" * 5000), 1, "x" * 1000, id="long"),
    ],
)
def test_failure_is_recorded_with_its_cause(run, pod, error, exit_code, cause):
    assert run(fail_with(error)) == exit_code

    result = pod.result()
    assert (result["status"], result["cause"]) == ("failed", cause)
    assert result["error"] == type(error).__name__
    assert pod.record("count_rows") == result
    assert pod.termination_log.read_text() == cause


def test_the_task_id_of_airflow_names_the_record(run, pod, monkeypatch):
    monkeypatch.setenv("WAKEE_TASK_ID", "checks.count_rows")

    assert run(count_nothing) == 0
    assert pod.record("checks.count_rows")["status"] == "success"


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        pytest.param(Counted(text="x" * 5000), "too large for XCom", id="too-large"),
        pytest.param(Counted(rows=float("nan")), "not JSON compliant", id="nan"),
    ],
)
def test_a_result_that_xcom_cannot_carry_is_a_failure(run, pod, result, cause):
    def function() -> Counted:
        return result

    assert run(function) == 1
    assert cause in pod.result()["cause"]
    assert len(pod.xcom.read_bytes()) < 4096


def test_wrong_run_context_is_recorded_too(run, pod, monkeypatch):
    monkeypatch.setenv("WAKEE_TRY_NUMBER", "second")

    assert run(count_nothing) == 2
    assert "WAKEE_TRY_NUMBER" in pod.result()["cause"]


def test_without_its_record_a_stage_fails(run, pod, monkeypatch):
    monkeypatch.setenv("R2_BUCKET_NAME", "no-such-bucket")

    assert run(count_nothing) == 2
    assert "R2_BUCKET_NAME" in pod.result()["cause"]
    assert "R2_BUCKET_NAME" in pod.termination_log.read_text()


def test_a_check_of_r2_itself_needs_no_record(run, pod, monkeypatch):
    monkeypatch.setenv("R2_BUCKET_NAME", "no-such-bucket")

    assert run(count_nothing, record_required=False) == 0
    assert pod.result()["status"] == "success"


def test_the_first_cause_is_kept_when_the_record_fails_as_well(run, pod, monkeypatch):
    monkeypatch.delenv("R2_SECRET_ACCESS_KEY")

    assert run(fail_with(UnavailableError("the first cause"))) == 1
    assert pod.result()["cause"] == "the first cause"


def test_outside_of_a_pod_nothing_is_written_to_it(run, pod):
    pod.termination_log.unlink()
    pod.xcom.parent.rmdir()

    assert run(fail_with(UnavailableError("no pod"))) == 1
    assert not pod.termination_log.exists()
    assert pod.record("count_rows")["cause"] == "no pod"


@pytest.mark.parametrize("variable", ["NEON_DATABASE_URL", "R2_SECRET_ACCESS_KEY"])
def test_secrets_stay_out_of_records_and_logs(run, pod, capsys, variable):
    secret = os.environ[variable]

    def function() -> Counted:
        logging.getLogger("test").warning("connecting to %s", secret)
        raise RuntimeError(f"cannot use {secret}")

    assert run(function) == 1

    everything = json.dumps([pod.result(), pod.record("count_rows")]) + pod.termination_log.read_text()
    assert secret not in everything
    assert "cannot use ***" in everything
    assert secret not in capsys.readouterr().err


def test_sigterm_ends_the_stage_with_a_record(run, pod):
    before = signal.getsignal(signal.SIGTERM)

    def function() -> Counted:
        os.kill(os.getpid(), signal.SIGTERM)
        return Counted(rows=1)

    assert run(function) == 1

    assert pod.result()["error"] == "InterruptedStageError"
    assert "SIGTERM" in pod.termination_log.read_text()
    assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_is_not_caught_with_whatever_goes_wrong_in_a_library(run, pod):
    def function() -> Counted:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:
            return Counted(text="a wrong result")
        return Counted()

    assert run(function) == 1
    assert pod.result()["error"] == "InterruptedStageError"


def test_sigterm_after_the_work_is_done_does_not_lose_the_result(run, pod, monkeypatch):
    save = runner._save_to_r2

    def interrupted_save(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        save(*arguments)

    monkeypatch.setattr(runner, "_save_to_r2", interrupted_save)

    assert run(count_nothing) == 0
    assert pod.record("count_rows")["status"] == "success"


@pytest.fixture
def sigterm_soon(first_seconds):
    """Send SIGTERM a second after a stage called it, when refusals are retried for much longer."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a stage that ends too soon must not end the tests
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM))
    yield timer.start
    timer.join()
    signal.signal(signal.SIGTERM, before)


def test_sigterm_ends_a_stage_that_waits_for_a_refused_connection(run, pod, sigterm_soon):
    def function() -> Counted:
        sigterm_soon()
        retry_refused(socket.create_connection, ("127.0.0.1", free_port()))
        return Counted()

    start = time.monotonic()

    assert run(function) == 1
    assert time.monotonic() - start < 10
    assert pod.result()["error"] == "InterruptedStageError"


def test_sigterm_ends_a_stage_whose_threads_wait_for_refused_connections(run, pod, sigterm_soon, make_r2_settings):
    def function() -> Counted:
        sigterm_soon()
        store = ObjectStore(make_r2_settings(endpoint_url=f"http://127.0.0.1:{free_port()}", attempts=1))
        return Counted(rows=len(list(store.fetch_many(["a", "b"]))))

    start = time.monotonic()

    assert run(function) == 1
    assert time.monotonic() - start < 10
    assert pod.result()["error"] == "InterruptedStageError"


def test_sigterm_ends_the_wait_for_a_gateway_without_losing_the_result(run, pod, sigterm_soon, monkeypatch):
    monkeypatch.setenv("PUSHGATEWAY_URL", f"http://127.0.0.1:{free_port()}")

    def function() -> Counted:
        sigterm_soon()
        return Counted()

    start = time.monotonic()

    assert run(function) == 0
    assert 1 < time.monotonic() - start < 10
    assert pod.record("count_rows")["status"] == "success"


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "1e999"])
def test_a_flag_that_is_no_number_is_bad_input(run, pod, value):
    def function(limit: float = 1) -> Counted:
        raise AssertionError("must not be called")

    assert run(function, f"--limit={value}") == 2
    assert "--limit" in pod.result()["cause"]


def test_a_cause_is_one_printable_line(run, pod):
    assert run(fail_with(BadInputError("a\x00b\x1b[31m\ud83d\r\n" + "c" * 5000))) == 2

    cause = pod.result()["cause"]
    assert cause.isprintable()
    assert len(cause) <= 1000
