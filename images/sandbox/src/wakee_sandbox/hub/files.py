"""Content-addressed storage, and atomic file writes."""

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from wakee_sandbox.hub.errors import HubError, bad_request

CHUNK = 1 << 20
LARGE = 10_000_000
LARGE_KINDS = (
    "7z arrow bin bz2 ckpt gif gz h5 joblib jpeg jpg model msgpack npy npz onnx parquet pkl png pt pth safetensors tar"
    " tflite tgz wav zip zst"
)
LARGE_SUFFIXES = frozenset(f".{kind}" for kind in LARGE_KINDS.split())
ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in sorted(LARGE_SUFFIXES))


@dataclass(frozen=True)
class Entry:
    """One file of a commit. `git_oid` is git's id of the blob, or of the LFS pointer for a large file."""

    sha256: str
    size: int
    git_oid: str
    large: bool

    @property
    def etag(self) -> str:
        """The ETag of the content."""
        return self.sha256 if self.large else self.git_oid


def is_large(path: str, size: int) -> bool:
    """Whether this file must be uploaded by LFS. Empty files never are."""
    return size > 0 and (size >= LARGE or Path(path).suffix.lower() in LARGE_SUFFIXES)


def git_oid(content: bytes) -> str:
    """Compute git's SHA-1 id of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The pointer file that git stores in place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


class Contents:
    """A folder of contents named by their SHA-256. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """The path of a content, whether or not it exists."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise bad_request(f"not a SHA-256: {sha256!r}")
        return self._folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the content is stored."""
        return self.path(sha256).exists()

    def add(self, content: bytes) -> Entry:
        """Store the content of a small file."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.has(sha256):
            write_whole(self.path(sha256), content)
        return Entry(sha256, len(content), git_oid(content), large=False)

    def large(self, sha256: str) -> Entry:
        """Create the entry of a large file that was uploaded before.

        Raises:
            HubError: the file was not uploaded.
        """
        path = self.path(sha256)
        if not path.exists():
            raise bad_request(f"LFS object {sha256} was never uploaded")
        size = path.stat().st_size
        return Entry(sha256, size, git_oid(lfs_pointer(sha256, size)), large=True)

    async def receive(self, sha256: str, chunks: AsyncIterator[bytes]) -> None:
        """Store an upload, with at most one chunk of it in memory.

        Raises:
            HubError: the content has another digest.
        """
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True)
        digest = hashlib.sha256()
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                async for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != sha256:
                raise HubError(400, f"the content's SHA-256 is {digest.hexdigest()}, not {sha256}")
            Path(part).replace(target)
        finally:
            Path(part).unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: readers, and a server after a crash, see it complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(part).replace(path)
