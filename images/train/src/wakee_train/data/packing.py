"""Write the shards of a data set while its pictures are being read."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from wakee_common.concurrency import map_ahead
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.data.records import Sample, Shard
from wakee_train.data.shards import SAMPLES_PER_SHARD, pack, shard_name

Packed = tuple[Sample, bytes]
"""A sample and its prepared picture as WebP bytes."""


def write_shards(store: ObjectStore, folder: R2Uri, prepared: Iterable[Packed]) -> tuple[list[Shard], list[Sample]]:
    """Write the prepared pictures, in order. All shards but the last are full."""
    samples = list[Sample]()
    filled = _filled(iter(prepared), samples)
    with ThreadPoolExecutor(1, "shards") as uploader:  # uploads one shard while the next is filled
        shards = list(map_ahead(uploader, lambda numbered: _put(store, folder, *numbered), filled, 1))
    return shards, samples


def _filled(prepared: Iterator[Packed], samples: list[Sample]) -> Iterator[tuple[int, list[Packed]]]:
    """Yield each shard's number and content. Adds all samples to `samples`."""
    while batch := list(islice(prepared, SAMPLES_PER_SHARD)):
        number = len(samples) // SAMPLES_PER_SHARD
        samples += [sample for sample, _ in batch]
        yield number, batch


def _put(store: ObjectStore, folder: R2Uri, number: int, batch: list[Packed]) -> Shard:
    name, content = shard_name(number), pack(number * SAMPLES_PER_SHARD, batch)
    store.put_bytes(folder / name, content, "application/x-tar")
    return Shard(name=name, samples=len(batch), sha256=hashlib.sha256(content).hexdigest())
