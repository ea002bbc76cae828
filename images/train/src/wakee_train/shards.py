"""Tar shards in the WebDataset layout: per sample NNNNNN.webp and NNNNNN.json; the same samples, the same bytes."""

import io
import json
import tarfile
from collections.abc import Iterator

from wakee_train.records import Sample

SAMPLES_PER_SHARD = 512


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:06d}.tar"


def pack(first: int, samples: list[tuple[Sample, bytes]]) -> bytes:
    """One shard; `first` is the position of its first sample in the data set."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for position, (sample, picture) in enumerate(samples, start=first):
            _add(tar, f"{position:06d}.webp", picture)
            _add(tar, f"{position:06d}.json", json.dumps(sample.model_dump(mode="json")).encode())
    return file.getvalue()


def unpack_shard(content: bytes) -> Iterator[tuple[Sample, bytes]]:
    """The samples of a shard with their WebP files, in order."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        picture = b""
        for member in tar:
            data = tar.extractfile(member)
            if data is None:
                continue
            if member.name.endswith(".webp"):
                picture = data.read()
            else:
                yield Sample.model_validate_json(data.read()), picture


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
