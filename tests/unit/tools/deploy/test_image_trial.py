"""How long an image that cannot be pulled is tried, and what is said of it."""

import subprocess

import pytest

from wakee_tools.deploy import image_trial
from wakee_tools.shell import ToolError

NOT_FOUND = "Pending ErrImagePull registry.example.org: not found"


@pytest.fixture
def pod(monkeypatch):
    """A function: the states of the trial's pod, one per question; the last one stays."""

    def answers(*states):
        left = list(states)

        def answer(*command, **_):
            shown = (left.pop(0) if len(left) > 1 else left[0]) if "pod" in command and "get" in command else "another"
            return subprocess.CompletedProcess(command, 0, shown, "")

        monkeypatch.setattr(image_trial, "answer", answer)
        monkeypatch.setattr(image_trial, "output", lambda *_, **__: "")
        monkeypatch.setattr(image_trial, "INTERVAL_SECONDS", 0)
        image_trial.try_image.cache_clear()

    return answers


def test_an_image_that_cannot_be_pulled_is_an_error_with_its_remedy(pod, monkeypatch):
    monkeypatch.setattr(image_trial, "PULL_SECONDS", 0)
    pod(NOT_FOUND)
    with pytest.raises(ToolError, match=f"does not start: {NOT_FOUND}. Correct images.airflow"):
        image_trial.try_image("registry.example.org/wakee/airflow:1")


def test_a_registry_that_is_busy_is_asked_again(pod):
    pod(NOT_FOUND, NOT_FOUND, "Succeeded")
    image_trial.try_image("registry.example.org/wakee/airflow:1")


def test_a_pod_without_room_is_named_as_that(pod, monkeypatch):
    monkeypatch.setattr(image_trial, "SECONDS", 0.1)
    pod("Pending")
    with pytest.raises(ToolError, match="Give the cluster room for a pod"):
        image_trial.try_image("registry.example.org/wakee/airflow:1")


def test_an_image_is_tried_once_per_command(pod, monkeypatch):
    made = []
    pod("Succeeded")
    monkeypatch.setattr(image_trial, "output", lambda *_, **__: made.append(1) or "")
    for _ in range(2):
        image_trial.try_image("registry.example.org/wakee/airflow:1", "registry")
    assert len(made) == 1
