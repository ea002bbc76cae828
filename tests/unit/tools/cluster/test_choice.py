"""Which cluster, and how Airflow gets to it: chosen by the environment, else by what is there."""

import pytest

from wakee_tools.cluster import choice
from wakee_tools.shell import ToolError


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    for name in ("WAKEE_CLUSTER", "AIRFLOW_INSTALL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("docker", "variables", "expected"),
    [
        pytest.param(True, {}, ("kind", "chart"), id="an engine"),
        pytest.param(False, {}, ("debian", "manifests"), id="no engine"),
        pytest.param(True, {"WAKEE_CLUSTER": "debian"}, ("debian", "manifests"), id="the other cluster"),
        pytest.param(True, {"AIRFLOW_INSTALL": "manifests"}, ("kind", "manifests"), id="the other installation"),
        pytest.param(True, {"WAKEE_CLUSTER": "", "AIRFLOW_INSTALL": ""}, ("kind", "chart"), id="empty"),
    ],
)
def test_the_choice(monkeypatch, docker, variables, expected):
    monkeypatch.setattr(choice, "docker_answers", lambda: docker)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (choice.cluster_kind(), choice.airflow_install()) == expected


def test_a_wrong_name_says_which_there_are(monkeypatch):
    monkeypatch.setenv("WAKEE_CLUSTER", "minikube")
    with pytest.raises(ToolError, match=r"WAKEE_CLUSTER is 'minikube'\. Set it to kind or debian, or unset it\."):
        choice.cluster_kind()
