"""A real PostgreSQL and a real S3 server for as long as a benchmark runs."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import REPO

INSTALLATIONS = Path("/usr/lib/postgresql")
SANDBOX = REPO / ".venvs" / "sandbox" / "bin" / "wakee-sandbox"
START_SECONDS = 60


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL with an empty database, all its settings the defaults; yields its address."""
    folder, port = Path(tempfile.mkdtemp(prefix="wakee-bench-postgres-")), free_port()
    data, binaries = folder / "data", sorted(INSTALLATIONS.glob("*/bin"))[-1]
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    log = ["-l", str(folder / "log")]
    _quietly(*user, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
    _quietly(*user, binaries / "pg_ctl", "start", "-w", "-D", data, *log, "-o", f"-p {port} -k {folder} -c fsync=off")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        _quietly(*user, binaries / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
        shutil.rmtree(folder)


@contextlib.contextmanager
def s3() -> Iterator[dict[str, str]]:
    """The sandbox's S3 server with an empty bucket; yields the variables that lead to it."""
    folder, port = Path(tempfile.mkdtemp(prefix="wakee-bench-s3-")), 20000 + free_port() % 10000
    variables = {
        "R2_ACCESS_KEY_ID": "bench-key",
        "R2_SECRET_ACCESS_KEY": "bench-secret",
        "R2_BUCKET_NAME": "wakee-bench",
        "R2_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    environment = {**os.environ, **variables}
    with (folder / "log").open("wb") as log:
        command = [str(SANDBOX), "s3", "--data", str(folder / "data"), "--port", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for_s3(server, environment)
        yield variables
    finally:
        server.kill()  # its data are thrown away
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_s3(server: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    ready = [str(SANDBOX), "s3-ready"]
    while subprocess.run(ready, env=environment, capture_output=True, check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the S3 server does not answer")


def _quietly(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
