"""The bill of materials is the lock file's; an audit that nobody answered is no clean audit."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
WAKEE = str(Path(sys.executable).with_name("wakee"))
CLEAN = {"dependencies": [{"name": "jinja2", "version": "3.1.6", "vulns": []}]}
KNOWN = {
    "dependencies": [{"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.10.1"]}]}]
}


def test_the_bill_of_materials_is_the_lock(tmp_path):
    done = subprocess.run([WAKEE, "sbom", tmp_path, "health"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bill = json.loads((tmp_path / "health.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    lock = (REPO / "images/health/requirements.lock").read_text()
    pinned = set(re.findall(r"^([\w.-]+)==([^ \\;]+)", lock, re.MULTILINE))
    assert {(part["name"], part["version"]) for part in bill["components"]} == pinned
    assert bill["metadata"]["component"]["name"] == "wakee-health"


@pytest.mark.parametrize("image", ["airflow", "drift", "health", "sandbox", "train"])
def test_an_image_holds_its_bill_of_materials_and_says_where(image):
    """That it is the right one, tests/cluster/test_images_hardened.py asks the image."""
    (path,) = re.findall(r'io\.wakee\.sbom="(.+)"', (REPO / "images/base/Dockerfile").read_text())
    assert f'bill.sh /opt/locks "$1" {path}\n' in (REPO / "images/base/install-libraries").read_text()
    own = (REPO / f"images/{image}/Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert own.startswith("${RUNTIME}\n")
    assert "/opt/tools/install-libraries" in own


@pytest.fixture
def audit(tmp_path):
    """A function: `wakee audit` with a uv that gives these answers, the first to whether anybody answers."""

    def run(first, others):
        tools = tmp_path / "cache/wakee-airflow/tools"
        tools.mkdir(parents=True)
        for name, answer in (("first", first), ("others", others)):
            (tmp_path / name).write_text(json.dumps(answer))
        # pip-audit ends with 1 when it found something.
        answer = "first; [ -e asked ] && answer=others; touch asked; cat $answer; ! grep -q PYSEC $answer"
        (tools / "uv").write_text(f"#!/bin/sh\ncd {tmp_path}; answer={answer}\n")
        (tools / "uv").chmod(0o755)
        environment = os.environ | {
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        return subprocess.run([WAKEE, "audit"], capture_output=True, text=True, env=environment)

    return run


def test_an_audit_that_nobody_answers_says_so(audit):
    done = audit(CLEAN, CLEAN)
    assert done.returncode == 3
    assert "Nothing was audited" in done.stderr


def test_a_clean_audit_counts_what_it_asked(audit):
    done = audit(KNOWN, CLEAN)
    assert done.returncode == 0, done.stderr
    assert "images/train/requirements-cuda.lock: 1 packages, 0 unknown to the service" in done.stdout


def test_a_finding_names_package_and_remedy(audit):
    done = audit(KNOWN, KNOWN)
    assert "jinja2 2.10: PYSEC-1, fixed in 2.10.1" in done.stdout
    assert done.returncode == 1
