"""Objects in R2, or in any S3 server.

boto3 takes a third of a second to import, so it is loaded with the first store, not with a command's `--help`.
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
"""Bytes of UTF-8 that S3 allows a key."""


@dataclass(frozen=True)
class Download:
    """One object of a concurrent fetch: its bytes, or why they could not be had."""

    key: str
    data: bytes | None
    error: WakeeError | None = None


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing; the ETag changes with the content."""

    key: str
    etag: str
    size: int


class ObjectStore:
    """A bucket of R2 or of another S3 server; safe to share between threads.

    Addresses come out of the database and off command lines: those that leave the bucket, or that S3 does not allow,
    are refused by every method with a `BadInputError`, before anybody is asked.

    Attributes:
        bucket: Its name.
        transfers: How many objects may be on their way at once.

    Raises:
        ConfigurationError: the endpoint is not an address.
    """

    def __init__(self, settings: R2Settings) -> None:
        self.bucket = settings.bucket
        self.transfers = settings.transfers
        self._client = _client(settings)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def uri(self, key: str) -> R2Uri:
        """The address of a key in this store's bucket."""
        return R2Uri(self.bucket, key)

    def put_bytes(self, uri: R2Uri, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object whole; a reader sees the old one or the new one."""
        with self._translated(uri):
            self._client.put_object(Bucket=uri.bucket, Key=uri.key, Body=data, ContentType=content_type)

    def put_file(self, uri: R2Uri, path: Path, content_type: str = "application/octet-stream") -> None:
        """Upload a file, in parts when large."""
        # Not the client's upload_file: it hides the server's error code in a text.
        with path.open("rb") as file, self._translated(uri):
            self._client.upload_fileobj(
                file, uri.bucket, uri.key, ExtraArgs={"ContentType": content_type}, Config=_parts()
            )

    def get_bytes(self, uri: R2Uri) -> bytes:
        """Read an object whole.

        Raises:
            MissingObjectError: there is no such object.
            ConfigurationError: the credentials or the bucket are wrong.
            UnavailableError: the server cannot be reached, or cut the connection.
        """
        with self._translated(uri):
            body: bytes = self._client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
            return body

    def get_version(self, uri: R2Uri) -> tuple[bytes, str]:
        """Read an object whole, with the ETag that `replace` takes. Raises as `get_bytes`."""
        with self._translated(uri):
            answer = self._client.get_object(Bucket=uri.bucket, Key=uri.key)
            return answer["Body"].read(), answer["ETag"]

    def replace(self, uri: R2Uri, data: bytes, content_type: str, etag: str | None) -> None:
        """Write an object only if it is still the version that was read.

        Args:
            uri: Where.
            data: The whole new content.
            content_type: Its type.
            etag: From `get_version`. None: only if there is no object yet.

        Raises:
            UnavailableError: another process has written it in the meantime. A retry reads what it wrote.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._translated(uri):
            self._client.put_object(Bucket=uri.bucket, Key=uri.key, Body=data, ContentType=content_type, **condition)

    def get_file(self, uri: R2Uri, path: Path) -> Path:
        """Download to `path`, which appears only when complete. Raises as `get_bytes`."""
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file, self._translated(uri):
                self._client.download_fileobj(uri.bucket, uri.key, file, Config=_parts())
            Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)
        return path

    def head(self, uri: R2Uri) -> dict[str, Any]:
        """Size, type and digest of an object, as S3 tells them. Raises as `get_bytes`."""
        try:
            with self._translated(uri):
                answer: dict[str, Any] = self._client.head_object(Bucket=uri.bucket, Key=uri.key)
                return answer
        except MissingObjectError:
            # An answer to HEAD has no body, and so cannot say whether the object or the whole bucket is missing.
            with self._translated(uri):
                self._client.list_objects_v2(Bucket=uri.bucket, Prefix=uri.key, MaxKeys=1)
            raise

    def exists(self, uri: R2Uri) -> bool:
        """Whether the object is there."""
        try:
            self.head(uri)
        except MissingObjectError:
            return False
        return True

    def link(self, uri: R2Uri, seconds: int = 3600) -> str:
        """An address that opens the object in a browser, without credentials, for a time."""
        with self._translated(uri):
            where = {"Bucket": uri.bucket, "Key": uri.key}
            return str(self._client.generate_presigned_url("get_object", Params=where, ExpiresIn=seconds))

    def list_keys(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, in S3's order."""
        with self._translated(self.uri(prefix or "-")):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                yield from (item["Key"] for item in page.get("Contents", []))

    def list_folder(self, folder: str) -> Iterator[StoredObject]:
        """The objects directly in a folder (`""` for the top, else ending in a slash), not those in folders below.

        A folder that S3 does not allow holds nothing.
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
        """Remove an object; no error when it is not there."""
        with self._translated(uri):
            self._client.delete_object(Bucket=uri.bucket, Key=uri.key)

    def fetch_many(self, keys: Iterable[str]) -> Iterator[Download]:
        """Download objects concurrently, in the order asked for, a bounded number at a time.

        A missing object, or a key that S3 does not allow, is a `Download` with an error. Wrong credentials and a dead
        server end the whole fetch.
        """
        with ThreadPoolExecutor(self.transfers) as pool:
            yield from map_ahead(pool, self._download, keys, self.transfers * 8)

    def put_many(self, objects: Iterable[tuple[str, bytes]], content_type: str) -> int:
        """Upload objects concurrently; returns their number."""

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
    """How a large file is cut; its parts (8 MB each) in flight are all in memory."""
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
        # R2 does not know the trailing checksums that newer clients send by default.
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
        raise ConfigurationError(f"R2 has no usable endpoint ({error}): check R2_ENDPOINT_URL") from error
    # Below botocore's own retries, which are for a server that was reached, and of which these use up none.
    session = client._endpoint.http_session
    session.send = functools.partial(retry_refused, session.send)
    return client


@contextlib.contextmanager
def _translated(uri: R2Uri) -> Iterator[None]:
    """Turn the S3 client's errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
    from s3transfer.exceptions import RetriesExceededError

    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code, words = str(answer.get("Code", "")), one_line(answer.get("Message", ""))
        if _is_no_s3(error, code):
            raise UnavailableError(
                f"R2 failed on {uri}: what answers is no S3 server, it says 404 without a cause: check R2_ENDPOINT_URL"
            ) from error
        said = ": ".join(dict.fromkeys(part for part in (code, words) if part)) or one_line(error)
        raise refusal(R2, code, said, str(uri)) from error
    except ParamValidationError as error:
        raise BadInputError(f"S3 allows no such address: {uri}: {' '.join(str(error).split())}") from error
    except (BotoCoreError, RetriesExceededError, OSError) as error:
        raise UnavailableError(f"R2 cannot be reached for {uri}: {error}") from error


def _is_no_s3(error: Any, code: str) -> bool:
    """Whether a 404 is not an S3 server's, whose answers name the cause in their body; only those to HEAD have none."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status == HTTP_NOT_FOUND and code in ("", str(HTTP_NOT_FOUND)) and error.operation_name != "HeadObject"


def _forbidden(uri: R2Uri, bucket: str) -> str:
    """Why an address may not be used; empty when it may."""
    if uri.bucket != bucket:
        return f"not in our bucket {bucket!r}"
    try:
        size = len(uri.key.encode())
    except UnicodeEncodeError:
        return "S3 allows no such address: half a character"
    if size > LONGEST_KEY:
        return f"S3 allows no key of more than {LONGEST_KEY} bytes"
    if {".", ".."} & set(uri.key.split("/")):
        return "S3 allows no such address: a relative one"
    return ""
