"""Near-duplicates: pictures of the same scene within seconds, detected by their perceptual hashes.

They join pictures with neither user nor session, where nothing else shows that they are of one person (`groups`), and
show labels that contradict each other (`label_quality`). The hash is ImageHash's `phash` (the lowest frequencies of a
cosine transform), with 256 bits. On drawn faces, 71 % of the pairs of one session differ in at most 24 bits, and none
of 24,090 pairs of different people differs in fewer than 40.
"""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_SIZE = 16
"""Side of the hash's square of bits: 16 x 16 = 256 bits."""
MOST_BITS = 24
"""Largest number of different bits between near-duplicates."""
COMPARED_AT_ONCE = 1 << 23
"""Pairs per matrix product, 4 bytes each."""


def perceptual_hash(picture: bytes) -> str:
    """The perceptual hash of a picture file, 64 hexadecimal digits."""
    from imagehash import phash  # loads half of SciPy

    with Image.open(io.BytesIO(picture)) as image:
        return str(phash(image, hash_size=HASH_SIZE))


def clusters(hashes: Sequence[str]) -> list[int]:
    """Return, for each picture, the position of the first picture of its cluster; N positions.

    Clusters are the connected components of near-duplicates. All pairs are compared, so the time is O(N^2).
    """
    if not hashes:
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = pairs(hashes)
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(hashes), len(hashes)))
    _, labels = connected_components(graph, directed=False)
    _, firsts = np.unique(labels, return_index=True)
    return [int(firsts[label]) for label in labels]


def pairs(hashes: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the first and of the second picture of each near-duplicate pair, shape (pairs,) each.

    All pairs of at least one picture are compared, so the time is O(N^2).
    """
    # The dot product of bits as -1 and 1 counts equal bits minus unequal ones.
    bits = np.unpackbits(np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8)).reshape(len(hashes), -1)
    signs = bits.astype(np.float32) * 2 - 1
    step = max(1, COMPARED_AT_ONCE // len(hashes))
    found = []
    for start in range(0, len(hashes), step):
        rows, columns = np.nonzero(signs[start : start + step] @ signs[start:].T >= signs.shape[1] - 2 * MOST_BITS)
        later = columns > rows
        found.append((rows[later] + start, columns[later] + start))
    return np.concatenate([rows for rows, _ in found]), np.concatenate([columns for _, columns in found])
