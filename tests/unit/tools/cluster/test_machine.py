"""What is said of a machine that is too small for a cluster, from what a real Docker engine (20.10) says of itself."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wakee_tools.cluster import machine
from wakee_tools.cluster.choice import ClusterKind
from wakee_tools.cluster.cli import app
from wakee_tools.cluster.machine import DISK_GB, EngineError, Machine, engine_machine, problems

INFO = json.loads((Path(__file__).parent / "docker_info.json").read_text())
DESKTOP = {"OperatingSystem": "Docker Desktop", "Name": "docker-desktop"}
COLIMA = {"OperatingSystem": "Ubuntu 24.04.3 LTS", "Name": "colima"}
KIND, DEBIAN = ClusterKind.KIND, ClusterKind.DEBIAN
GIB = 2**30


def engine(has_cluster=False, **changes):
    return engine_machine(INFO | changes, has_cluster=has_cluster)


def test_an_engine_that_has_enough():
    found = engine()

    assert (found.cpus, found.memory) == (2, 25276063744)
    assert list(problems(found, KIND, 30)) == []


@pytest.mark.parametrize(
    ("changes", "free", "line"),
    [
        pytest.param(
            {"NCPU": 1},
            99,
            "CPUs: the Docker engine's machine has 1, 2 are needed. Use a larger machine.",
            id="CPUs",
        ),
        pytest.param(
            {"MemTotal": 4 * GIB},
            99,
            "Memory: the Docker engine's machine has 4.0 GiB, 8 GiB are needed. Use a larger machine.",
            id="memory",
        ),
        pytest.param(
            {"MemTotal": 2 * GIB, **DESKTOP},
            None,
            "Memory: Docker Desktop has 2.0 GiB, 8 GiB are needed. Raise it in Docker Desktop: Settings, Resources.",
            id="Docker Desktop",
        ),
        pytest.param(
            {"MemTotal": 2 * GIB, **COLIMA},
            None,
            "Memory: colima has 2.0 GiB, 8 GiB are needed. Run: colima stop; colima start --cpu 2 --memory 8 --disk 60",
            id="colima",
        ),
        pytest.param(
            {"Name": socket.gethostname(), "DockerRootDir": "/"},
            29,
            "Disk: 29 GB are free at /, 30 GB are needed. Free disk space. docker system df shows what Docker uses.",
            id="disk",
        ),
    ],
)
def test_what_an_engine_lacks(changes, free, line):
    assert list(problems(engine(**changes), KIND, free)) == [line]


def test_a_machine_of_8_gib_reports_less():
    assert list(problems(engine(MemTotal=int(7.6 * GIB)), KIND, 99)) == []


def test_everything_lacking_is_said_at_once():
    lines = list(problems(Machine("this machine", 1, GIB, Path("/"), has_cluster=False), DEBIAN, 14.0))
    assert [line.partition(":")[0] for line in lines] == ["CPUs", "Memory", "Disk"]


@pytest.mark.parametrize("kind", ClusterKind)
def test_less_disk_once_the_cluster_exists(kind):
    free = DISK_GB[kind] - 1.0
    assert list(problems(Machine("m", 2, 8 * GIB, Path("/"), has_cluster=True), kind, free)) == []
    assert len(list(problems(Machine("m", 2, 8 * GIB, Path("/"), has_cluster=True), kind, 4.0))) == 1


@pytest.mark.parametrize(
    ("changes", "folder"),
    [
        pytest.param({"Name": socket.gethostname(), "DockerRootDir": "/usr"}, Path("/usr"), id="on this computer"),
        pytest.param({"Name": socket.gethostname(), "DockerRootDir": "/nowhere"}, None, id="in a folder not seen here"),
        pytest.param({"Name": "elsewhere", "DockerRootDir": "/usr"}, None, id="on another computer"),
        pytest.param({**DESKTOP, "DockerRootDir": "/usr"}, None, id="in a virtual machine"),
    ],
)
def test_whose_disk_is_looked_at(changes, folder):
    assert engine(**changes).folder == folder


def test_free_disk_of_a_folder_that_is_still_to_be_made(tmp_path):
    found = Machine("m", 2, 8 * GIB, tmp_path / "state" / "cluster", has_cluster=False)
    assert machine.free_disk(found) > 0


def test_the_client_alone_is_no_engine():
    """What docker info of 20.10 prints, with exit status 0, when nothing listens."""
    info = {"ServerErrors": ["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"]}
    with pytest.raises(EngineError, match="Is the docker daemon running"):
        engine_machine(info, has_cluster=False)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A function: the docker of this PATH prints this and ends so; without arguments there is none."""

    def make(info=None, status=0):
        monkeypatch.setenv("PATH", str(tmp_path))
        if info is not None:
            program = tmp_path / "docker"
            (tmp_path / "info").write_text(info)
            script = f'[ "$1" = ps ] && exit 0\nread -r line <{tmp_path}/info\necho "$line"\nexit {status}\n'
            program.write_text(f"#!/bin/sh\n{script}")
            program.chmod(0o755)

    monkeypatch.delenv(machine.SKIP, raising=False)
    return make


def run(*arguments):
    return CliRunner().invoke(app, ["machine", *arguments])


def test_the_command_goes_on_when_all_is_there(docker):
    docker(json.dumps(INFO | {"Name": "elsewhere"}))

    done = run("--cluster", "kind")

    assert done.exit_code == 0, done.output
    assert "2 CPUs, 23.5 GiB of memory, disk not checked (30 GB needed)" in done.output


def test_the_command_ends_when_something_lacks(docker):
    docker(json.dumps(INFO | {"MemTotal": 2 * GIB}))

    done = run("--cluster", "kind")

    assert done.exit_code == 1
    assert "Memory: the Docker engine's machine has 2.0 GiB, 8 GiB are needed." in done.output
    assert "WAKEE_SKIP_MACHINE_CHECK=1" in done.output


@pytest.mark.parametrize(("value", "status"), [("1", 0), ("0", 1), ("", 1)])
def test_the_check_can_be_skipped(docker, monkeypatch, value, status):
    docker(json.dumps(INFO | {"MemTotal": 2 * GIB}))
    monkeypatch.setenv(machine.SKIP, value)

    done = run("--cluster", "kind")

    assert done.exit_code == status
    assert "8 GiB are needed" in done.output


@pytest.mark.parametrize(
    ("info", "status", "says"),
    [
        pytest.param(None, 0, "docker", id="not installed"),
        pytest.param('{"ServerErrors": ["Is the docker daemon running?"]}', 0, "daemon running?", id="20.10"),
        pytest.param('{"NCPU": 0, "ServerErrors": ["permission denied"]}', 1, "permission denied", id="28"),
        pytest.param("", 1, "no answer", id="silent"),
    ],
)
def test_no_engine(docker, info, status, says):
    docker(info, status)

    done = run("--cluster", "kind")

    assert done.exit_code == 1
    assert "Docker engine: it does not answer" in done.output
    assert says in done.output
    assert "WAKEE_CLUSTER=debian" in done.output


def test_the_debian_built_cluster_needs_no_engine(docker, monkeypatch):
    docker()
    monkeypatch.setattr(machine, "free_disk", lambda _: 99.0)

    done = run("--cluster", "debian")

    assert "this machine" in done.output
    assert "99 GB of free disk" in done.output
