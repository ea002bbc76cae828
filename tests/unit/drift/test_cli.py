"""The commands: bad input ends them for good, and their help is quick."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("stage", "flags"),
    [
        pytest.param("fetch-annotations", {"until": "yesterday"}, id="no-date"),
        pytest.param("load-predictions", {"annotations": "file:///etc/passwd", "reference": "r2://b/k"}, id="no-uri"),
        pytest.param("calculate-drift", {"pairs": "r2://wakee-test/absent"}, id="no-pairs"),
        pytest.param("save-report", {"metrics": "r2://wakee-test/absent", "report": "r2://b/k"}, id="no-metrics"),
    ],
)
def test_bad_input_fails_for_good_and_says_so(pipeline, pod, stage, flags):
    result = pipeline.stage(stage, exit_code=2, **flags)

    assert result["status"] == "failed"
    assert pod.termination_log.read_text() == result["cause"]


@pytest.mark.parametrize("content", [b"", b"PAR1 no Parquet at all PAR1", b"{}"], ids=["empty", "garbage", "json"])
def test_a_damaged_file_fails_for_good(pipeline, pod, content):
    pod.store.put_bytes(pod.store.uri("damaged"), content)
    uri = str(pod.store.uri("damaged"))

    for stage, flags in {
        "load-predictions": {"annotations": uri, "reference": uri},
        "calculate-drift": {"pairs": uri},
        "save-report": {"metrics": uri, "report": uri},
    }.items():
        assert "damaged" in pipeline.stage(stage, exit_code=2, **flags)["cause"] or stage != "save-report"


@pytest.mark.parametrize("arguments", [[], ["fetch-annotations"], ["generate-report"]], ids=["all", "first", "report"])
def test_help_loads_nothing_heavy(arguments):
    program = "import sys; from wakee_drift.cli import app\ntry: app(sys.argv[1:])\nfinally: print(sorted(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--help"], capture_output=True, text=True, check=True
    )

    assert "Usage" in answer.stdout
    assert not [name for name in ("boto3", "numpy", "pandas", "pyarrow", "evidently") if f"'{name}'" in answer.stdout]
