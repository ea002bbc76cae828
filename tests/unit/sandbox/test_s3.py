import os
import signal
import subprocess
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from wakee_common.errors import ConfigurationError
from wakee_common.settings import R2Settings
from wakee_common.storage import ObjectStore

from support.ports import consecutive_ports, free_port

from .conftest import COMMAND, r2_settings, s3_answers, s3_service


def ready(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    whole = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([COMMAND, "s3-ready"], env=whole, capture_output=True, text=True, timeout=20, check=False)


def test_probe_succeeds_again_and_again(r2_environment: dict[str, str]) -> None:
    assert [ready(r2_environment).returncode for _ in range(2)] == [0, 0]


def test_probe_fails_in_one_line_while_nothing_listens(r2_environment: dict[str, str]) -> None:
    done = ready(r2_environment | {"R2_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"})

    assert done.returncode == 1
    assert done.stderr.startswith("error: S3 is not ready")
    assert len(done.stderr.splitlines()) == 1


def test_wrong_credentials_are_refused(r2: R2Settings) -> None:
    wrong = r2.model_copy(update={"secret_access_key": r2.access_key_id})

    with pytest.raises(ConfigurationError, match="R2_SECRET_ACCESS_KEY"):
        ObjectStore(wrong).get_bytes(ObjectStore(wrong).uri("x"))


def test_a_browser_opens_what_runs_left_and_nothing_else(r2: R2Settings, store: ObjectStore) -> None:
    for key in ("runs/a_dag/a-run/generate_report/report.html", "face.jpg"):
        store.put_bytes(store.uri(key), b"<html>", "text/html")

    page = httpx.get(f"{r2.endpoint}/{r2.bucket}/runs/a_dag/a-run/generate_report/report.html")

    assert (page.status_code, page.text, page.headers["content-type"]) == (200, "<html>", "text/html")
    assert httpx.get(f"{r2.endpoint}/{r2.bucket}/face.jpg").status_code == HTTPStatus.FORBIDDEN
    assert httpx.get(f"{r2.endpoint}/{r2.bucket}?list-type=2").status_code == HTTPStatus.FORBIDDEN
    assert httpx.put(f"{r2.endpoint}/{r2.bucket}/runs/x", content=b"x").status_code == HTTPStatus.FORBIDDEN


def test_file_in_parts_comes_back_whole(store: ObjectStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(20_000_000))

    store.put_file(store.uri("large"), source)

    assert store.get_file(store.uri("large"), target).read_bytes() == source.read_bytes()


def test_objects_and_access_survive_kill(data: Path) -> None:
    service, environment = s3_service(data, consecutive_ports(8))
    settings = r2_settings(environment)
    try:
        service.start().wait_until(lambda: s3_answers(settings), "S3 stores")
        store = ObjectStore(settings)
        store.put_bytes(store.uri("kept"), b"kept")
        service.stop(signal.SIGKILL)
        service.start().wait_until(lambda: s3_answers(settings), "S3 stores again")
        assert ObjectStore(settings).get_bytes(store.uri("kept")) == b"kept"
    finally:
        service.stop(signal.SIGKILL)
