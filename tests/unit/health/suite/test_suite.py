"""The suite in the image: what it says when something is wrong."""

import contextlib

import psycopg2
import pytest
from wakee_health.probes.hub import Head
from wakee_health.suite import test_model as suite

from ..environment import Environment, files


def test_suite_names_what_failed(environment: Environment):
    with environment.fault("WAKEE_API_URL", "down"):
        cause = environment.cause("run-pytest-suite", exit_code=2)
    assert cause.startswith("8 of 27 tests failed: test_api_health.py::test_health, ")
    assert "test_model.py::test_api_serves_this_model" in cause
    assert (
        f"; report: r2://{environment.store.bucket}/runs/health_check_weekly/run-1/run_pytest_suite/report.html"
        in cause
    )


def test_suite_sees_that_a_file_is_missing(environment: Environment):
    environment.push({name: content for name, content in files().items() if name != "README.md"}, "wakee/cardless")
    cause = environment.but(HF_MODEL_REPO="wakee/cardless").cause("run-pytest-suite", exit_code=2)
    assert cause.startswith("1 of 27 tests failed: test_model.py::test_repository_has_its_files; report: ")


@pytest.mark.parametrize("digests", [{}, {"model.onnx": "0" * 64}], ids=["none", "another"])
def test_suite_sees_a_file_that_is_not_the_hubs(tmp_path, digests):
    (tmp_path / "model.onnx").write_bytes(b"a model")
    with pytest.raises(AssertionError):
        suite.test_digest(tmp_path / "model.onnx", Head("commit", ("model.onnx",), digests))


def test_suite_does_not_wait_behind_a_locked_table(environment: Environment):
    with contextlib.closing(psycopg2.connect(environment.url("NEON_DATABASE_URL"))) as connection:
        connection.cursor().execute("LOCK TABLE emotion_labels IN ACCESS EXCLUSIVE MODE")
        cause = environment.cause("run-pytest-suite", exit_code=2)
    assert "tests failed: test_api_health.py::test_load_counts_samples, test_database.py::" in cause
