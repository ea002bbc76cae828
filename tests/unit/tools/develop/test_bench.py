"""Which benchmarks run, and how."""

import pytest

from wakee_tools.develop import bench

LARGE = bench.Benchmark("drift", "annotations", ("--largest", "10"))


@pytest.mark.parametrize(
    ("quick", "before", "words"),
    [
        pytest.param(True, "", ["--quick"], id="quick"),
        pytest.param(False, "", ["--publish", "--largest", "10"], id="whole"),
        pytest.param(False, "/old", ["--publish", "--largest", "10", "--before", "/old"], id="against older code"),
    ],
)
def test_the_command_line(quick, before, words):
    assert bench.arguments(LARGE, quick=quick, before=before) == words


@pytest.mark.parametrize(("answers", "runs"), [(True, True), (False, False)], ids=["a cluster", "none"])
def test_some_need_a_cluster(monkeypatch, answers, runs):
    monkeypatch.setattr(bench, "succeeds", lambda *_: answers)
    assert ("run_history" in [one.name for one in bench.chosen(quick=False)]) is runs


@pytest.mark.parametrize("named", ["", "/old"], ids=["none wanted", "a checkout"])
def test_the_older_code_can_be_named(monkeypatch, named):
    monkeypatch.setenv("BEFORE", named)
    assert bench.earlier_code() == named
