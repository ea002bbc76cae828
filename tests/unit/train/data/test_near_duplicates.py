"""Perceptual hashes find bursts of one scene, and only these."""

import io
import sys
from collections import Counter

import pytest
from PIL import Image
from wakee_train.data.near_duplicates import MOST_BITS, clusters, perceptual_hash
from wakee_train.data.pictures import prepare

from support.sandbox import REPO

from ..environment import face

sys.path.append(str(REPO / "images" / "sandbox" / "src"))


def distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def hashed(image: Image.Image, quality: int = 88) -> str:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return perceptual_hash(prepare(file.getvalue()))


def drawn(person: str, session: str, number: int) -> Image.Image:
    from wakee_sandbox.faces import draw
    from wakee_sandbox.people import Shot

    return draw((1.0, 1.0, 1.0, 1.0), Shot(person, session, number))


def test_the_same_picture_saved_again_is_a_near_duplicate():
    picture = drawn("a", "1", 1)
    first = hashed(picture)

    assert len(first) == 64
    assert distance(first, hashed(picture, quality=40)) <= MOST_BITS
    assert distance(first, hashed(picture.resize((320, 320)))) <= MOST_BITS


def test_most_of_a_burst_is_one_cluster():
    found = Counter(clusters([hashed(drawn("a", "1", number)) for number in range(10)]))

    assert max(found.values()) >= 7


def test_strangers_are_not():
    hashes = [perceptual_hash(prepare(face(identity)[0])) for identity in range(60)]

    assert clusters(hashes) == list(range(60))


@pytest.mark.parametrize(
    ("hashes", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["00" * 32], [0], id="one"),
        pytest.param(["00" * 32, "ff" * 32, "00" * 31 + "01"], [0, 1, 0], id="two-clusters"),
        # The first and the last differ in 40 bits, each from the second in 20.
        pytest.param(
            ["00" * 32, "00" * 27 + "0fffff" + "00" * 2, "00" * 24 + "0fffff" * 2 + "00" * 2], [0, 0, 0], id="a-chain"
        ),
    ],
)
def test_chains_of_near_duplicates_are_clusters(hashes, expected):
    assert clusters(hashes) == expected
