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
        for name in ("KIND_NODE_IMAGE", "KIND_NODES"):
            monkeypatch.delenv(name, raising=False)
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


@pytest.mark.parametrize("number", [1, 3])
def test_the_nodes_of_a_cluster(number):
    control_plane, *workers = kind.config(number)["nodes"]

    assert control_plane["role"] == "control-plane"
    assert control_plane["extraPortMappings"]
    assert workers == [{"role": "worker", "image": control_plane["image"]}] * (number - 1)


@pytest.mark.parametrize("number", ["0", "three", "-1"])
def test_a_wrong_number_of_nodes(monkeypatch, number):
    monkeypatch.setenv("KIND_NODES", number)
    with pytest.raises(ToolError, match=f"KIND_NODES is '{number}'. Set it to a number above zero, or unset it"):
        kind.number_of_nodes()


def test_a_cluster_of_another_size_stays(machine, monkeypatch):
    calls = machine(nodes="wakee-control-plane\n")
    monkeypatch.setenv("KIND_NODES", "3")
    with pytest.raises(ToolError, match=r"has 1 nodes, but KIND_NODES is 3\. Run 'make cluster-down' first"):
        kind.up()
    assert "kind delete cluster" not in calls()


def test_without_kind_it_says_which_to_install(machine, tmp_path, monkeypatch):
    machine()
    (tmp_path / "kind").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"Cannot use kind: it is not installed\. Install kind 0\.30\.0"):
        kind.up()
