"""Quick ways through pixels give, bit by bit, what the plain formulas give."""

import numpy as np
import pytest
import torch
from wakee_train.training.augmentation import crop_and_mirror, light_factors, places_and_mirrors, relit
from wakee_train.training.backbone import DEVIATION, MEAN, normalised


def pictures(count, height=256, width=256):
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("shape", [(1, 224, 224), (5, 224, 224), (2, 7, 3), (0, 224, 224)])
def test_normalised_is_the_formula(shape):
    pixels = torch.from_numpy(pictures(*shape))
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))

    found = normalised(pixels)

    assert torch.equal(found, (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / deviation)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_normalised_leaves_the_pictures_alone():
    pixels = torch.from_numpy(pictures(2))
    before = pixels.clone()

    normalised(pixels)

    assert torch.equal(pixels, before)


def test_relit_is_the_formula_and_leaves_the_pictures_alone():
    plain = normalised(torch.from_numpy(pictures(4)))
    before = plain.clone()
    contrast, brightness = factors = light_factors(4, np.random.default_rng(1))

    found = relit(plain, factors)

    assert torch.equal(found, before * contrast + (brightness - 1) * 2)
    assert torch.equal(plain, before)


def test_crops_are_slices_and_mirrored_ones_are_reversed():
    pixels = pictures(8)
    places, _ = places_and_mirrors(8, np.random.default_rng(2))
    mirrored = np.array([True, False] * 4)

    found = crop_and_mirror(pixels, places, mirrored)

    for crop, whole, (top, left), mirror in zip(found, pixels, places, mirrored, strict=True):
        plain = whole[top : top + 224, left : left + 224]
        assert np.array_equal(crop, plain[:, ::-1] if mirror else plain)
