"""Crops and order of the training pictures: both from the seed alone."""

import numpy as np
from wakee_train.training.augmentation import crop_and_mirror, places_and_mirrors, shuffled


def test_crops_depend_on_the_seed_only_and_stay_near_the_centre():
    pictures = np.arange(256 * 256 * 3, dtype=np.uint32).reshape(1, 256, 256, 3).astype(np.uint8)

    places = [places_and_mirrors(1, np.random.default_rng((1, 2, 3))) for _ in range(2)]
    first, again = (crop_and_mirror(pictures, *place) for place in places)

    assert np.array_equal(first, again)
    assert first.shape == (1, 224, 224, 3)


def test_every_sample_comes_once_per_epoch_in_another_order():
    first, second = shuffled(50, 1, 1), shuffled(50, 1, 2)

    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()
