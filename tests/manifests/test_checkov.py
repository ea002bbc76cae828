"""checkov on both overlays: nothing but what is accepted, and nothing accepted that is not found any more."""

import json
import shutil
import subprocess
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

# In an environment of its own: its many pinned dependencies do not go with ours.
CHECKOV = ["uv", "tool", "run", "-q", "--from", "checkov==3.3.30", "checkov"]
OVERLAYS = {"production": "environments/production.yaml", "debian": "overlays/debian"}
"""The second one is the kind overlay and Airflow without the chart."""
ACCEPTED = yaml.safe_load((Path(__file__).parent / "checkov-accepted.yaml").read_text())


@pytest.fixture(scope="module")
def report(rendered, tmp_path_factory):
    """checkov's report, and per overlay and check the objects (namespace/name) that fail it."""
    assert shutil.which("uv"), "uv is missing: run 'make tools'"
    folder = tmp_path_factory.mktemp("rendered")
    for overlay, source in OVERLAYS.items():
        (folder / f"{overlay}.yaml").write_text(yaml.safe_dump_all(rendered(source)))
    options = ["--framework", "kubernetes", "--skip-download", "--compact", "-o", "json", "-d", str(folder)]
    done = subprocess.run(CHECKOV + options, capture_output=True, text=True)
    assert done.stdout.startswith("{"), done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def failing(report):
    found = {overlay: defaultdict(set) for overlay in OVERLAYS}
    for check in report["results"]["failed_checks"]:
        found[Path(check["file_path"]).stem][check["check_id"]].add("/".join(check["resource"].split(".")[-2:]))
    return found


def test_checkov_read_everything(report):
    summary = report["summary"]
    print("checkov:", summary)
    assert summary["parsing_errors"] == 0
    assert summary["passed"] > 1000


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_else_is_found(failing, overlay):
    rest = {
        check: [name for name in names if not any(fnmatch(name, pattern) for pattern in patterns(overlay, check))]
        for check, names in failing[overlay].items()
    }
    assert {check: names for check, names in rest.items() if names} == {}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_exception_is_still_needed_and_has_a_reason(failing, overlay):
    for check, entry in ACCEPTED[overlay].items():
        assert entry["reason"]
        unused = [p for p in patterns(overlay, check) if not any(fnmatch(n, p) for n in failing[overlay][check])]
        assert unused == [], check


def patterns(overlay, check):
    """For which objects a finding is accepted."""
    return ACCEPTED[overlay][check].get("only", ["*"]) if check in ACCEPTED[overlay] else []
