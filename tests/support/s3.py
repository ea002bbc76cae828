"""A SeaweedFS server that checks credentials, and the settings to connect to it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wakee_common.settings import R2Settings
from wakee_common.storage import ObjectStore

from support.ports import free_ports
from support.waiting import wait_for

START_SECONDS, POLL_SECONDS = 60, 0.05
BUCKET = "wakee-test"
KEYS = {"accessKey": "test-key", "secretKey": "test-secret"}
ACTIONS = ["Admin", "Read", "List", "Tagging", "Write"]
IDENTITIES = {"identities": [{"name": "test", "credentials": [KEYS], "actions": ACTIONS}]}
OPTIONS = {
    "ip": "127.0.0.1",
    "s3.port.iceberg": 0,
    "s3.port.lance": 0,
    "s3.autoCreateBucket": "false",
    "master.telemetry": "false",
    "master.volumeSizeLimitMB": 64,
    "volume.max": 100,
    "volume.preStopSeconds": 0,
}
PORTS = tuple(f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc"))


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Run a server with one bucket, and wait until a put succeeds. Yields its URL."""
    folder = Path(tempfile.mkdtemp(prefix="wakee-s3-"))
    (folder / "identities.json").write_text(json.dumps(IDENTITIES))
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    process = _start(folder, ports)
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    try:
        wait_for(lambda: _takes_a_put(endpoint, process), START_SECONDS, "SeaweedFS", POLL_SECONDS)
        yield endpoint
    finally:
        process.kill()  # A graceful shutdown takes 15 s, and the data are deleted anyway.
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
        for port in ports.values():
            for left_over in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - where SeaweedFS puts them
                left_over.unlink()


def _start(folder: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    settings = {"dir": folder, "s3.config": folder / "identities.json", **OPTIONS, **ports}
    weed = shutil.which("weed") or Path(sys.executable).with_name("weed")
    command = [weed, "server", "-s3", "-filer", *(f"-{name}={value}" for name, value in settings.items())]
    environment = {**os.environ, "GOMEMLIMIT": "200MiB", "TMPDIR": str(folder)}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _takes_a_put(endpoint: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"SeaweedFS ended with {process.returncode}")
    store = ObjectStore(r2_settings(endpoint, attempts=1))
    try:
        if store._client.list_buckets()["Buckets"] == []:
            store._client.create_bucket(Bucket=BUCKET)
        store.put_bytes(store.uri("probe"), b"ready")
    except Exception:
        return False
    return True


def r2_settings(endpoint: str, bucket: str = BUCKET, **overrides: object) -> R2Settings:
    """Create the settings for a bucket of the server."""
    values = {"access_key_id": "test-key", "secret_access_key": "test-secret", "bucket": bucket, "transfers": 8}
    return R2Settings(**{**values, "endpoint_url": endpoint, **overrides})


def r2_variables(endpoint: str, bucket: str = BUCKET) -> dict[str, str]:
    """The same settings as environment variables of a pod."""
    return {
        "R2_ACCESS_KEY_ID": "test-key",
        "R2_SECRET_ACCESS_KEY": "test-secret",
        "R2_BUCKET_NAME": bucket,
        "R2_ENDPOINT_URL": endpoint,
    }
