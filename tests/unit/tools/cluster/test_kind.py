"""When a kind cluster is whole, and what becomes of one that is not. docker and kind write down how they are called."""

import pytest

from wakee_tools.cluster import choice, kind
from wakee_tools.shell import ToolError

WHOLE = "node/wakee-control-plane\nstorageclass.storage.k8s.io/standard\n"
DOCKER = """#!/bin/sh
echo "docker $*" >>{calls}
case "$*" in
    *"status=exited"*) cat {stopped} ;;
    ps*) cat {nodes} ;;
    *"test -e"*) exit {admin} ;;
    *"get nodes,storageclass"*) printf '{listing}' ;;
esac
"""
OTHER = '#!/bin/sh\necho "{name} $*" >>{calls}\n'


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function: a machine with these nodes; returns another one, which reads what was called."""
    calls = tmp_path / "calls"

    def make(nodes="", stopped="", admin=True, listing=WHOLE):
        files = {"nodes": tmp_path / "nodes", "stopped": tmp_path / "stopped"}
        files["nodes"].write_text(nodes)
        files["stopped"].write_text(stopped)
        answers = {"admin": int(not admin), "listing": listing.replace("\n", "\\n")}
        programs = {"docker": DOCKER.format(calls=calls, **files, **answers)}
        programs |= {name: OTHER.format(name=name, calls=calls) for name in ("kind", "kubectl")}
        for name, text in programs.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.delenv("KIND_NODE_IMAGE", raising=False)
        return lambda: [" ".join(call.split()[:3]) for call in calls.read_text().splitlines()]

    choice.docker_answers.cache_clear()
    yield make
    choice.docker_answers.cache_clear()


@pytest.mark.parametrize(
    ("listing", "containers", "whole"),
    [
        pytest.param(WHOLE, 1, True, id="whole"),
        pytest.param("node/wakee-control-plane\n", 1, False, id="no storage class yet"),
        pytest.param(WHOLE, 2, False, id="a worker has not joined"),
        pytest.param("node/wakee-worker\n" + WHOLE, 2, True, id="a worker has joined"),
        pytest.param("", 1, False, id="nothing"),
    ],
)
def test_a_whole_cluster(listing, containers, whole):
    assert kind.lists_whole_cluster(listing, containers) is whole


def test_none_is_created(machine, monkeypatch):
    calls = machine()
    monkeypatch.setenv("KIND_NODE_IMAGE", "kindest/node:mine")
    kind.up()
    assert "kind create cluster" in calls()
    assert "kind export kubeconfig" in calls()


def test_a_whole_one_stays(machine):
    calls = machine(nodes="wakee-control-plane\n")
    kind.up()
    assert not {"kind create cluster", "kind delete cluster"} & set(calls())


def test_stopped_nodes_start(machine):
    calls = machine(nodes="wakee-control-plane\n", stopped="wakee-control-plane\n")
    kind.up()
    assert "docker start wakee-control-plane" in calls()


@pytest.mark.parametrize("state", [{"admin": False}, {"listing": "node/wakee-control-plane\n"}], ids=["early", "late"])
def test_an_interrupted_one_is_made_anew(machine, state):
    calls = machine(nodes="wakee-control-plane\n", **state)
    kind.up()
    assert calls().index("kind delete cluster") < calls().index("kind create cluster")


def test_without_kind_it_says_which_to_install(machine, tmp_path, monkeypatch):
    machine()
    (tmp_path / "kind").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"Cannot use kind: it is not installed\. Install kind 0\.30\.0"):
        kind.up()
