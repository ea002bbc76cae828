"""The page on changes names files that exist, and a fact stands where the page says that it stands."""

import re
import subprocess
from pathlib import Path

import pytest
from wakee_contract.checks import CHECKS
from wakee_contract.emotions import EMOTIONS
from wakee_contract.parameters import DRIFT

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs/how-to-change.md").read_text()
MIGRATIONS = "images/common/src/wakee_common/migrations/versions/"
CODE = ("images", "dags", "k8s", "helm", "tools")


def section(title):
    return PAGE.partition(f"\n## {title}")[2].partition("\n## ")[0]


def code_with(pattern):
    """Files of our code in which a pattern occurs."""
    command = ["git", "grep", "-lwE", pattern, "--", *CODE, ":!*.lock", ":!*.md"]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`([\w.-]+/[\w./-]+|\.python-version|pyproject\.toml)`", PAGE)))
)
def test_a_file_of_the_page_exists(path):
    assert (REPO / path).exists()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_is_named_in_the_files_of_the_page_only(emotion):
    named = set(re.findall(r"`([\w.-]+/[\w./-]+)`", section("An emotion")))

    others = [
        path
        for path in code_with(f"[\"']{emotion}[\"']|(predicted|user|mae|mse)_{emotion}")
        if not path.startswith(tuple(named))
    ]

    assert others == []


def test_the_drift_threshold_is_in_one_file():
    number = str(DRIFT["threshold"].default).replace(".", r"\.")

    files = code_with(rf"(threshold|THRESHOLD|drift_score\)|vector\().*{number}")

    assert [path for path in files if not path.startswith(MIGRATIONS)] == []


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_is_where_the_page_says(check):
    command = (REPO / "images/health/src/wakee_health/cli.py").read_text()

    assert f"def {check}(" in command
    assert f'"{check}":' in (REPO / "dags/wakee/resources.py").read_text()


def test_the_python_version_is_the_same_everywhere():
    version = (REPO / ".python-version").read_text().strip()

    assert f"ARG BASE_IMAGE=python:{version}-" in (REPO / "images/base/Dockerfile").read_text()
    assert f'target-version = "py{version.replace(".", "")}"' in (REPO / "pyproject.toml").read_text()
    assert code_with(rf"python{re.escape(version)}") == []


def test_airflows_version_is_the_same_everywhere():
    (version,) = re.findall(
        r"^apache-airflow==(\S+)", (REPO / "images/airflow/requirements.in").read_text(), re.MULTILINE
    )

    assert f"airflowVersion: {version}\n" in (REPO / "helm/values.yaml").read_text()
