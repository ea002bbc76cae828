"""Each port of the impostor misbehaves as it says."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from wakee_sandbox.impostor import MODES

from .conftest import Service, open_directory, responds


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with open_directory() as folder:
        service = Service(["impostor"], {}, Path(folder) / "impostor.log")
        service.start().wait_until(lambda: responds(_url("nonsense")), "the impostor answers")
        yield
        service.stop()


def _url(mode: str) -> str:
    return f"http://127.0.0.1:{MODES[mode][0]}/any/path"


def _ask(mode: str, body: bytes = b"") -> httpx.Response:
    return httpx.post(_url(mode), content=body, timeout=1)


@pytest.mark.parametrize(("mode", "status"), [("unavailable", 503), ("limited", 429), ("nonsense", 200)])
def test_answers(mode: str, status: int):
    assert _ask(mode).status_code == status


def test_a_large_upload_sees_the_answer():
    assert _ask("unavailable", b"x" * 5_000_000).status_code == 503


def test_silence():
    with pytest.raises(httpx.ReadTimeout):
        _ask("silent")


def test_half_an_answer():
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        _ask("cut")
