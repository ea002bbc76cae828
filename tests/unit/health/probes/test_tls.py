"""Certificates of the API and the page, behind a server that ends TLS in front of them."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.ports import free_port
from support.waiting import wait_for

from ..environment import Environment

PROBES = {"test-api": "WAKEE_API_URL", "test-app-sourcing": "APP_SOURCING_URL"}


def tool(name: str) -> str:
    path = shutil.which(name)
    assert path, f"apt-get install {name} (`make test-unit` does)"
    return path


def certificate(folder: Path, days: int, made: str = "+0d", name: str = "localhost") -> Path:
    """A self-signed certificate and its key in one file."""
    path = folder / f"{name}-{days}-{made}.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj", f"/CN={name}"]
    files = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", path, "-out", path.with_suffix(".crt")]
    subprocess.run([tool("faketime"), "-f", made, *request, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def behind_tls() -> Iterator[Callable[[str, Path], str]]:
    """The https address of a plain one, with a certificate."""
    servers = []

    def start(url: str, pem: Path) -> str:
        port = free_port()
        listen = f"openssl-listen:{port},bind=127.0.0.1,cert={pem},verify=0,fork,reuseaddr"
        servers.append(subprocess.Popen([tool("socat"), listen, f"tcp:{urlsplit(url).netloc}"]))
        wait_for(lambda: _listens(port), 10, "socat listens")
        return f"https://localhost:{port}"

    yield start
    for server in servers:
        server.terminate()
        server.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("probe", PROBES)
def test_a_good_certificate(environment: Environment, behind_tls, tmp_path: Path, probe: str):
    pem = certificate(tmp_path, 90)
    address = behind_tls(environment.url(PROBES[probe]), pem)
    result = environment.but(**{PROBES[probe]: address, "SSL_CERT_FILE": str(pem)}).stage(probe)

    assert 89 < float(result["facts"]["certificate_days_left"]) <= 90
    assert result["warnings"] == []


@pytest.mark.parametrize("probe", PROBES)
def test_a_certificate_that_expires_soon_is_a_warning(environment: Environment, behind_tls, tmp_path: Path, probe: str):
    pem = certificate(tmp_path, 10)
    address = behind_tls(environment.url(PROBES[probe]), pem)
    (warning,) = environment.but(**{PROBES[probe]: address, "SSL_CERT_FILE": str(pem)}).stage(probe)["warnings"]

    assert warning == f"the certificate of {urlsplit(address).netloc} expires in 10 days"


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("made", "trusted", "cause"),
    [
        ({"days": 10, "made": "-20d"}, True, "certificate has expired"),
        ({"days": 10, "name": "elsewhere"}, True, "Hostname mismatch"),
        ({"days": 10}, False, "self-signed certificate"),
    ],
    ids=["expired", "other-name", "unknown-issuer"],
)
def test_a_bad_certificate(
    environment: Environment, behind_tls, tmp_path: Path, probe: str, made, trusted: bool, cause: str
):
    pem = certificate(tmp_path, **made)
    variables = {PROBES[probe]: behind_tls(environment.url(PROBES[probe]), pem)}
    said = environment.but(**variables, **({"SSL_CERT_FILE": str(pem)} if trusted else {})).cause(probe)

    assert said.startswith("the certificate of localhost is not valid: ")
    assert cause in said
