"""The command `wakee`: each command explains itself, an error is one line, the caller's surroundings do not matter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from wakee_tools import process_environment
from wakee_tools.cli import app
from wakee_tools.paths import KUBECONFIG, TOOLS
from wakee_tools.shell import ToolError, output

WAKEE = str(Path(sys.executable).with_name("wakee"))


def commands(group, path=()):
    """Every command, as the words that name it."""
    for name, command in group.commands.items():
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


COMMANDS = sorted(commands(typer.main.get_command(app)))


def find(words):
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    return command


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_parameter_explains_itself(words):
    command = find(words)
    assert command.help
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", "")] == []


@pytest.mark.parametrize("name", ["cluster", "images", "deploy", "seed", "demo", "doctor", "audit", "bench"])
def test_the_commands_that_the_docs_promise(name):
    assert (name,) in COMMANDS


def run(*words, folder="/", **variables):
    """From any folder, with nothing but this in the environment."""
    environment = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin", **variables}
    return subprocess.run([WAKEE, *words], cwd=folder, env=environment, capture_output=True, text=True)


def test_it_works_from_any_folder(tmp_path):
    done = run("ui", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "http://localhost:8080" in done.stdout


@pytest.mark.parametrize(
    ("words", "variables", "error"),
    [
        pytest.param(["cluster", "up"], {"WAKEE_CLUSTER": "minikube"}, "Set it to kind or debian", id="cluster"),
        pytest.param(["deploy"], {"AIRFLOW_INSTALL": "x"}, "Set it to chart or manifests", id="installation"),
        pytest.param(["images", "nginx"], {}, "Unknown image nginx", id="image"),
        pytest.param(["seed"], {"CLUSTER": "/x"}, "make seed writes to the local sandbox only", id="seed elsewhere"),
        pytest.param(["trigger", "x"], {"CONF": "{"}, "CONF is not a JSON object", id="params"),
        pytest.param(["test", "everything"], {}, "Unknown suite everything", id="suite"),
        pytest.param(
            ["helm", "render"],
            {"VALUES": "/none.yaml"},
            "Cannot find the values file /none.yaml. Set VALUES",
            id="values",
        ),
    ],
)
def test_an_error_is_a_line_without_a_traceback(words, variables, error):
    done = run(*words, **variables)
    assert done.returncode == 1
    assert error in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_is_missing_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"^Cannot run kubectl: it is not installed\. Run 'make tools'"):
        output("kubectl", "version")


@pytest.mark.parametrize(
    ("operators", "cluster", "kubeconfig"),
    [
        pytest.param(True, "/another", "/another", id="operators choose"),
        pytest.param(True, "", str(KUBECONFIG), id="else the local one"),
        pytest.param(False, "/another", str(KUBECONFIG), id="what makes the local one is for it alone"),
    ],
)
def test_which_cluster_is_meant(monkeypatch, operators, cluster, kubeconfig):
    monkeypatch.setenv("CLUSTER", cluster)
    monkeypatch.setenv("KUBECONFIG", "/the/callers/own")
    monkeypatch.setenv("PATH", "/bin")

    process_environment.prepare(operators=operators)

    assert os.environ["KUBECONFIG"] == kubeconfig
    assert os.environ["PATH"] == f"{TOOLS}:/bin"


def test_our_tools_are_first_in_the_path_once():
    assert process_environment.with_tools_first(f"/bin:{TOOLS}:/usr/bin") == [str(TOOLS), "/bin", "/usr/bin"]
