"""Objects in R2 or another S3 server.

boto3 takes a third of a second to import, so it is imported with the first store and not for a command's `--help`.
"""

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wakee_common.concurrency import map_ahead
from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError, WakeeError, one_line
from wakee_common.refusals import R2, refusal
from wakee_common.refusals import MissingObjectError as MissingObjectError
from wakee_common.settings import R2Settings
from wakee_common.startup import retry_refused
from wakee_common.uris import R2Uri

HTTP_NOT_FOUND = 404
LONGEST_KEY = 1024
"""Maximum size of an S3 key in UTF-8, in bytes."""


@dataclass(frozen=True)
class Download:
    """One object of a concurrent download: its bytes, or the error."""

    key: str
    data: bytes | None
    error: WakeeError | None = None


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing. The ETag changes with the content."""

    key: str
    etag: str
    size: int


class ObjectStore:
    """A bucket of R2 or of another S3 server. Safe to share between threads.

    Addresses come from the database and from command lines. If one is outside the bucket, or S3 does not allow it,
    every method raises `BadInputError` without sending a request.

    Attributes:
        bucket: Its name.
        root: The prefix of everything that the pipeline writes.
        transfers: Maximum number of concurrent transfers.

    Raises:
        ConfigurationError: the endpoint is not an address.
    """

    def __init__(self, settings: R2Settings) -> None:
        self.bucket = settings.bucket
        self.root = settings.root
        self.transfers = settings.transfers
        self._client = _client(settings)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def uri(self, key: str) -> R2Uri:
        """Return the address of a key in this bucket."""
        return R2Uri(self.bucket, key)

    def put_bytes(self, uri: R2Uri, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object atomically: a reader sees the old content or the new content."""
        with self._translated(uri):
            self._client.put_object(Bucket=uri.bucket, Key=uri.key, Body=data, ContentType=content_type)

    def put_file(self, uri: R2Uri, path: Path, content_type: str = "application/octet-stream") -> None:
        """Upload a file, in parts if it is large."""
        # Not the client's upload_file: its errors contain the server's error code only as text.
        with path.open("rb") as file, self._translated(uri):
            self._client.upload_fileobj(
                file, uri.bucket, uri.key, ExtraArgs={"ContentType": content_type}, Config=_parts()
            )

    def get_bytes(self, uri: R2Uri) -> bytes:
        """Read a whole object.

        Raises:
            MissingObjectError: the object does not exist.
            ConfigurationError: the credentials or the bucket are wrong.
            UnavailableError: the server cannot be reached, or closed the connection.
        """
        with self._translated(uri):
            body: bytes = self._client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
            return body

    def get_version(self, uri: R2Uri) -> tuple[bytes, str]:
        """Read a whole object, with its ETag for `replace`. Raises the same errors as `get_bytes`."""
        with self._translated(uri):
            answer = self._client.get_object(Bucket=uri.bucket, Key=uri.key)
            return answer["Body"].read(), answer["ETag"]

    def replace(self, uri: R2Uri, data: bytes, content_type: str, etag: str | None) -> None:
        """Write an object only if it is still the version that was read.

        Args:
            uri: Address of the object.
            data: The whole new content.
            content_type: Its type.
            etag: From `get_version`. None: only if the object does not exist.

        Raises:
            UnavailableError: another process has written the object in the meantime. A retry reads the new content.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._translated(uri):
            self._client.put_object(Bucket=uri.bucket, Key=uri.key, Body=data, ContentType=content_type, **condition)

    def get_file(self, uri: R2Uri, path: Path) -> Path:
        """Download an object to `path`, which appears only when complete. Raises the same errors as `get_bytes`."""
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file, self._translated(uri):
                self._client.download_fileobj(uri.bucket, uri.key, file, Config=_parts())
            Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)
        return path

    def head(self, uri: R2Uri) -> dict[str, Any]:
        """Return size, type and digest of an object as S3 reports them. Raises the same errors as `get_bytes`."""
        try:
            with self._translated(uri):
                answer: dict[str, Any] = self._client.head_object(Bucket=uri.bucket, Key=uri.key)
                return answer
        except MissingObjectError:
            # A response to HEAD has no body, so it does not show whether the object or the bucket is missing.
            with self._translated(uri):
                self._client.list_objects_v2(Bucket=uri.bucket, Prefix=uri.key, MaxKeys=1)
            raise

    def exists(self, uri: R2Uri) -> bool:
        """Return whether the object exists."""
        try:
            self.head(uri)
        except MissingObjectError:
            return False
        return True

    def link(self, uri: R2Uri, seconds: int = 3600) -> str:
        """Return a presigned URL that opens the object in a browser without credentials, for `seconds`."""
        with self._translated(uri):
            where = {"Bucket": uri.bucket, "Key": uri.key}
            return str(self._client.generate_presigned_url("get_object", Params=where, ExpiresIn=seconds))

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys under a prefix, in S3's order."""
        with self._translated(self.uri(prefix or "-")):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                yield from (item["Key"] for item in page.get("Contents", []))

    def list_folder(self, folder: str) -> Iterator[StoredObject]:
        """Yield the objects directly in a folder (`""` for the top, else ending in a slash), without subfolders.

        A folder name that S3 does not allow yields nothing.
        """
        if _forbidden(self.uri(folder or "-"), self.bucket):
            return
        with self._translated(self.uri(folder or "-")):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=folder, Delimiter="/"
            )
            for page in pages:
                for item in page.get("Contents", []):
                    yield StoredObject(item["Key"], item["ETag"].strip('"'), item["Size"])

    def delete(self, uri: R2Uri) -> None:
        """Delete an object. It is not an error if the object does not exist."""
        with self._translated(uri):
            self._client.delete_object(Bucket=uri.bucket, Key=uri.key)

    def fetch_many(self, keys: Iterable[str]) -> Iterator[Download]:
        """Download objects concurrently, a bounded number at a time, and yield them in the order of the keys.

        A missing object, or a key that S3 does not allow, gives a `Download` with an error. Wrong credentials and an
        unavailable server raise an error.
        """
        with ThreadPoolExecutor(self.transfers) as pool:
            yield from map_ahead(pool, self._download, keys, self.transfers * 8)

    def put_many(self, objects: Iterable[tuple[str, bytes]], content_type: str) -> int:
        """Upload objects concurrently; return their number."""

        def put(named: tuple[str, bytes]) -> None:
            self.put_bytes(self.uri(named[0]), named[1], content_type)

        with ThreadPoolExecutor(self.transfers) as pool:
            return sum(1 for _ in map_ahead(pool, put, objects, self.transfers * 8))

    def _translated(self, uri: R2Uri) -> contextlib.AbstractContextManager[None]:
        if problem := _forbidden(uri, self.bucket):
            raise BadInputError(f"{problem}: {str(uri)[:LONGEST_KEY]!r}")
        return _translated(uri)

    def _download(self, key: str) -> Download:
        try:
            return Download(key, self.get_bytes(self.uri(key)))
        except BadInputError as error:
            return Download(key, None, error)


def _parts() -> Any:
    """Return the settings of multipart transfers. All parts in transfer (8 MB each) are in memory."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(max_concurrency=4)


def _client(settings: R2Settings) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        max_pool_connections=settings.transfers,
        s3={"addressing_style": "path"},
        # R2 does not support the trailing checksums that newer clients send by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        client = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name="auto",
            aws_access_key_id=settings.access_key_id.get_secret_value(),
            aws_secret_access_key=settings.secret_access_key.get_secret_value(),
            config=config,
        )
    except ValueError as error:
        raise ConfigurationError(f"the R2 endpoint is not valid ({error}). Check R2_ENDPOINT_URL") from error
    # Below botocore's own retries, so that refused connections at startup do not count as attempts.
    session = client._endpoint.http_session
    session.send = functools.partial(retry_refused, session.send)
    return client


@contextlib.contextmanager
def _translated(uri: R2Uri) -> Iterator[None]:
    """Convert the S3 client's errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
    from s3transfer.exceptions import RetriesExceededError

    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code, words = str(answer.get("Code", "")), one_line(answer.get("Message", ""))
        if _is_no_s3(error, code):
            raise UnavailableError(
                f"R2 request failed for {uri}: the server is not an S3 server, its 404 has no error code. "
                "Check R2_ENDPOINT_URL"
            ) from error
        said = ": ".join(dict.fromkeys(part for part in (code, words) if part)) or one_line(error)
        raise refusal(R2, code, said, str(uri)) from error
    except ParamValidationError as error:
        raise BadInputError(f"not a valid S3 address: {uri}: {' '.join(str(error).split())}") from error
    except (BotoCoreError, RetriesExceededError, OSError) as error:
        raise UnavailableError(f"R2 cannot be reached for {uri}: {error}") from error


def _is_no_s3(error: Any, code: str) -> bool:
    """Return whether a 404 is not from an S3 server, which names the cause in the body of all responses but HEAD's."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status == HTTP_NOT_FOUND and code in ("", str(HTTP_NOT_FOUND)) and error.operation_name != "HeadObject"


def _forbidden(uri: R2Uri, bucket: str) -> str:
    """Return why an address may not be used; empty if it may."""
    if uri.bucket != bucket:
        return f"not in the bucket {bucket!r}"
    try:
        size = len(uri.key.encode())
    except UnicodeEncodeError:
        return "not a valid S3 address: it contains an unpaired surrogate"
    if size > LONGEST_KEY:
        return f"not a valid S3 address: the key is longer than {LONGEST_KEY} bytes"
    if {".", ".."} & set(uri.key.split("/")):
        return "not a valid S3 address: it is relative"
    return ""
