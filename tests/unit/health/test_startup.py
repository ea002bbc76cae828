"""The first seconds of a probe: it asks nothing before network policies hold, and some services refuse it at first."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner
from wakee_common.errors import UnavailableError
from wakee_health import cli
from wakee_health.probes.hub import ModelRepository
from wakee_health.settings import HubSettings

from support.sandbox import HUB_TOKEN

from .environment import CHECKS, REPOSITORY, Environment

URLS = ("R2_ENDPOINT_URL", "WAKEE_API_URL", "APP_SOURCING_URL", "HF_ENDPOINT", "MLFLOW_TRACKING_URI")
R2 = {"R2_ACCESS_KEY_ID": "key", "R2_SECRET_ACCESS_KEY": "secret", "R2_BUCKET_NAME": "bucket", "R2_ATTEMPTS": "1"}


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """A server that takes connections, whose number can be asked for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def variables_of(door: socket.socket) -> dict[str, str]:
    """All services are behind the door."""
    host, port = door.getsockname()
    address = f"{host}:{port}"
    database = {"NEON_DATABASE_URL": f"postgresql://user:password@{address}/x", "DATABASE_WAKE_UP_SECONDS": "0.1"}
    return dict.fromkeys(URLS, f"http://{address}") | R2 | database | {"HF_MODEL_REPO": REPOSITORY}


@pytest.mark.parametrize("command", [*(name.replace("_", "-") for name in CHECKS), "pytest"])
def test_every_probe_waits_before_its_first_connection(door: socket.socket, monkeypatch, command: str):
    waited = []

    def wait(age: float) -> None:
        door.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.accept()
        door.close()
        waited.append(age)
        raise UnavailableError("enough is known")

    monkeypatch.setattr(cli, "wait_for_policies", wait)

    CliRunner().invoke(cli.app, [command], env=variables_of(door) | {"HEALTH_STARTUP_WAIT_SECONDS": "7"})

    assert waited == [7]


def test_a_probe_connects_when_its_process_is_old_enough(door: socket.socket):
    variables = os.environ | variables_of(door) | {"HEALTH_STARTUP_WAIT_SECONDS": "8"}
    command = Path(sys.executable).with_name("wakee-health")
    start = time.monotonic()
    with subprocess.Popen([command, "test-app-sourcing"], env=variables, stderr=subprocess.PIPE, text=True) as probe:
        door.settimeout(60)
        door.accept()[0].close()
        waited = time.monotonic() - start
        probe.kill()
        assert "for the network policies of a new pod" in probe.stderr.read()

    assert waited > 8


def test_a_missing_setting_is_reported_without_waiting(environment: Environment):
    start = time.monotonic()

    result = environment.but(HEALTH_STARTUP_WAIT_SECONDS="300", WAKEE_API_URL="").stage("test-api", exit_code=2)

    assert "WAKEE_API_URL" in result["cause"]
    assert time.monotonic() - start < 60


def test_a_hub_that_refuses_a_new_pod(environment: Environment, refused_at_first, tmp_path: Path):
    late = refused_at_first(environment.url("HF_ENDPOINT"))

    repository = ModelRepository(HubSettings(repository=REPOSITORY, token=HUB_TOKEN, endpoint=late), 10, tmp_path)

    assert repository.head().files


def test_an_api_that_refuses_a_new_pod(environment: Environment, refused_at_first):
    late = refused_at_first(environment.url("WAKEE_API_URL"))

    assert environment.but(WAKEE_API_URL=late).stage("test-api", calls=1)["status"] == "success"
