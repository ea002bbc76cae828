"""SeaweedFS in place of R2."""

import contextlib
import json
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from wakee_common.errors import UnavailableError
from wakee_common.settings import R2Settings
from wakee_common.storage import ObjectStore

from wakee_sandbox.processes import installed_program, own_directory

ALREADY_THERE = {"BucketAlreadyExists", "BucketAlreadyOwnedByYou"}
PROBE_KEY = ".wakee-sandbox/ready"
MEMORY = {"GOMEMLIMIT": "200MiB"}


def server_command(data: Path, port: int) -> list[str]:
    """The command line of SeaweedFS.

    Only the S3 server listens on all addresses. The internal servers use 127.0.0.1 and the seven ports after S3's,
    so that the addresses they store stay valid when the pod's address changes.
    """
    ports = ("master.port", "volume.port", "filer.port", "s3.port.grpc", "master.port.grpc", "volume.port.grpc")
    inner = [f"-{name}={port + offset}" for offset, name in enumerate((*ports, "filer.port.grpc"), start=1)]
    listening = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.ip.bind=0.0.0.0", f"-s3.port={port}", *inner]
    unused = ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"]
    sizes = ["-master.volumeSizeLimitMB=64", "-volume.max=400", "-volume.preStopSeconds=0"]
    config = f"-s3.config={data / 's3.json'}"
    return [installed_program("weed"), "server", f"-dir={data}", "-filer", "-s3", config, *listening, *unused, *sizes]


def prepare(data: Path, settings: R2Settings) -> None:
    """Write the server's accounts. A browser, without credentials, may read the objects of the stages' runs."""
    own_directory(data)
    keys = {
        "accessKey": settings.access_key_id.get_secret_value(),
        "secretKey": settings.secret_access_key.get_secret_value(),
    }
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    config = data / "s3.json"
    config.touch(0o600)
    identities = [
        {"name": "wakee", "credentials": [keys], "actions": actions},
        {"name": "anonymous", "actions": [f"Read:{settings.bucket}/runs/*"]},
    ]
    config.write_text(json.dumps({"identities": identities}))


def ready(settings: R2Settings) -> None:
    """Create the bucket if it is missing, then write and read one object.

    Raises:
        UnavailableError: the server does not respond, or cannot store objects yet.
    """
    try:
        _ensure_bucket(_impatient_client(settings), settings.bucket)
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(f"S3 is not ready: {error}") from error
    store = ObjectStore(settings)
    uri = store.uri(PROBE_KEY)
    store.put_bytes(uri, b"ready", "text/plain")
    if store.get_bytes(uri) != b"ready":
        raise UnavailableError("S3 returned other bytes than were written")


def _ensure_bucket(client: Any, bucket: str) -> None:
    with contextlib.suppress(ClientError):
        client.head_bucket(Bucket=bucket)
        return
    try:
        client.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ALREADY_THERE:
            raise


def _impatient_client(settings: R2Settings) -> Any:
    """Create a client without retries, because the probe itself is repeated."""
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name="auto",
        aws_access_key_id=settings.access_key_id.get_secret_value(),
        aws_secret_access_key=settings.secret_access_key.get_secret_value(),
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 1},
            s3={"addressing_style": "path"},
        ),
    )
