"""The shards of a data set: written as tar files, read as the arrays of a split.

A shard has the WebDataset layout, NNNNNN.webp and NNNNNN.json per sample. Its bytes are deterministic. A split is
unpacked once into a file in the scratch folder, which is then memory-mapped, so a data set can exceed the memory.
"""

import hashlib
import io
import json
import logging
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from wakee_common.errors import BadInputError
from wakee_common.pictures import Pixels
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS
from wakee_contract.pictures import RESIZED

from wakee_train.data.pictures import unpack
from wakee_train.data.records import Manifest, Sample, Shard, Splits
from wakee_train.records import read_record

logger = logging.getLogger(__name__)

SAMPLES_PER_SHARD = 512
DECODERS = 4


def shard_name(number: int) -> str:
    """The file name of a shard."""
    return f"shard-{number:06d}.tar"


def pack(first: int, samples: list[tuple[Sample, bytes]]) -> bytes:
    """Pack one shard. `first` is the position of its first sample in the data set."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for position, (sample, picture) in enumerate(samples, start=first):
            _add(tar, f"{position:06d}.webp", picture)
            _add(tar, f"{position:06d}.json", json.dumps(sample.model_dump(mode="json")).encode())
    return file.getvalue()


def unpack_shard(content: bytes) -> Iterator[tuple[Sample, bytes]]:
    """Yield the samples of a shard with their WebP files, in order."""
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


@dataclass(frozen=True)
class SplitPixels:
    """One split: pixels (N, 256, 256, 3) uint8 RGB, labels (N, 4) float32, in the data set's order."""

    names: list[str]
    pixels: Pixels
    labels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    def spread(self, most: int) -> "SplitPixels":
        """Copy at most `most` pictures at even distances, so that old and new ones are included."""
        places = even_positions(len(self), most)
        return SplitPixels([self.names[place] for place in places], self.pixels[places], self.labels[places])


def load_splits(
    store: ObjectStore, splits_uri: R2Uri, wanted: tuple[str, ...], scratch: Path
) -> tuple[Splits, dict[str, SplitPixels]]:
    """Download the shards and unpack the wanted splits below `scratch`.

    Raises:
        BadInputError: a shard's digest or samples differ from those in the manifest.
    """
    splits = read_record(store, splits_uri, Splits)
    manifest_uri = R2Uri.parse(splits.manifest_uri)
    manifest = read_record(store, manifest_uri, Manifest)
    home = {name: split for split in wanted for name in splits.names[split]}
    sizes = {split: len(splits.names[split]) for split in wanted}
    arrays = {split: _array(scratch / f"{split}.pixels", size) for split, size in sizes.items()}
    labels = {split: np.zeros((size, len(EMOTIONS)), np.float32) for split, size in sizes.items()}
    filled = dict.fromkeys(wanted, 0)
    with ThreadPoolExecutor(DECODERS) as pool:
        for number, shard in enumerate(manifest.shards, start=1):
            uri = R2Uri(manifest_uri.bucket, manifest_uri.key.rpartition("/")[0]) / shard.name
            kept = [pair for pair in unpack_shard(_content(store, uri, shard)) if pair[0].name in home]
            for (sample, _), pixels in zip(kept, pool.map(unpack, [picture for _, picture in kept]), strict=True):
                split = home[sample.name]
                arrays[split][filled[split]], labels[split][filled[split]] = pixels, sample.labels
                filled[split] += 1
            logger.info("data set %s: shard %d of %d unpacked", manifest.dataset_id, number, len(manifest.shards))
    if filled != sizes:
        raise BadInputError(
            f"the shards of data set {manifest.dataset_id} contain {filled}, but the splits list {sizes}"
        )
    for split in wanted:
        np.save(scratch / f"{split}.labels.npy", labels[split])
    return splits, {split: SplitPixels(splits.names[split], arrays[split], labels[split]) for split in wanted}


def open_split(scratch: Path, split: str, splits: Splits) -> SplitPixels:
    """Open a split that `load_splits` unpacked, in this or another process."""
    names = splits.names[split]
    pixels: Pixels = np.memmap(scratch / f"{split}.pixels", np.uint8, "r", shape=(len(names), RESIZED, RESIZED, 3))
    return SplitPixels(names, pixels, np.load(scratch / f"{split}.labels.npy"))


def even_positions(size: int, most: int) -> NDArray[np.intp]:
    """Return at most `most` positions at even distances in 0 .. size - 1, including the first and the last."""
    return np.unique(np.linspace(0, size - 1, min(most, size)).round().astype(np.intp))


def batches(size: int, of: int) -> list[slice]:
    """Slices of at most `of` elements that cover `size` elements."""
    edges = [*range(0, size, of), size]
    return [slice(start, end) for start, end in pairwise(edges)]


def training_batches(size: int, of: int) -> list[slice]:
    """All batches of an epoch, except a last one of a single picture, which has no batch statistics.

    If the batch size is 1, the last batch is included.
    """
    slices = batches(size, of)
    return slices[:-1] if of > 1 and len(slices) > 1 and slices[-1].stop - slices[-1].start == 1 else slices


def _content(store: ObjectStore, uri: R2Uri, shard: Shard) -> bytes:
    content = store.get_bytes(uri)
    if hashlib.sha256(content).hexdigest() != shard.sha256:
        # While the manifest exists, fetch-training-data reuses the data set, so a retry would read the same shard.
        raise BadInputError(
            f"{uri} differs from the shard in its manifest (SHA-256). "
            "Delete the manifest.json beside it and trigger a new run"
        )
    return content


def _array(path: Path, size: int) -> Pixels:
    array: Pixels = np.memmap(path, np.uint8, "w+", shape=(size, RESIZED, RESIZED, 3))
    return array
