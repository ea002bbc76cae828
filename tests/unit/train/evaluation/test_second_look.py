"""The page of pictures that deserve a second look."""

import re

import numpy as np
from wakee_train.data.shards import SplitPixels
from wakee_train.evaluation.second_look import MOST_PICTURES, page, worst


def split_of(size):
    pixels = np.random.default_rng(0).integers(0, 256, (size, 256, 256, 3), np.uint8)
    return SplitPixels([f"<b>{at}</b>.jpg" for at in range(size)], pixels, np.ones((size, 4), np.float32))


def shown(html: bytes) -> list[list[int]]:
    """The numbers of the pictures of each table."""
    return [
        [int(number) for number in re.findall(r"&lt;b&gt;(\d+)&lt;/b&gt;", table)]
        for table in html.decode().split("<h2>")[1:]
    ]


def test_the_largest_errors_and_differences_are_shown_first():
    test = split_of(5)
    challenger = np.ones((5, 4), np.float32) + np.array([[0], [2], [0.5], [0], [1]], np.float32)
    champion = challenger + np.array([[0], [0], [0], [1], [0]], np.float32)

    tables = shown(page("v1", test, challenger, champion))

    assert [table[:3] for table in tables] == [[1, 4, 2], [3, 0, 1]]


def test_it_is_bounded_and_holds_its_pictures():
    test = split_of(60)
    levels = np.random.default_rng(1).uniform(0, 3, (60, 4)).astype(np.float32)

    html = page("v1", test, levels, levels[::-1])

    assert html.count(b"data:image/jpeg;base64,") == 2 * MOST_PICTURES == 40
    assert len(html) < 1_000_000
    assert b"<b>0</b>" not in html  # names are escaped


def test_without_a_champion_there_are_errors_only():
    test = split_of(3)

    html = page("v1", test, test.labels, None)

    assert len(shown(html)) == 1
    assert b"http" not in html


def test_equal_distances_keep_their_order():
    assert worst(np.array([[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]])) == [1, 2, 0]
