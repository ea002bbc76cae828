"""The sample of a version's data that drift detection compares with."""

import numpy as np
import pytest
from wakee_common.training_sample import MOST_ROWS, PictureStatistics, read_training_sample
from wakee_train.data.records import Facts, Manifest, Sample, Splits
from wakee_train.evaluation.training_sample import training_sample


def data_set(size):
    """A data set whose every fifth picture is a test picture, every fifth in validation, and the last in no split."""
    samples = [
        Sample(
            name=f"secret-{i}.jpg",
            labels=(i % 4, 0.5, 1, 2),
            facts=Facts(i // 3, None, "", corrected=True),
            picture=PictureStatistics(0.5, 0.2, 0.1, 640, 480 + i),
        )
        for i in range(size)
    ]
    names = {"train": [], "validation": [], "test": []}
    for i, sample in enumerate(samples[:-1]):
        names["test" if i % 5 == 0 else "validation" if i % 5 == 1 else "train"].append(sample.name)
    manifest = Manifest(dataset_id="d", preprocessing="p", shards=[], samples=samples, excluded={})
    return manifest, Splits(dataset_id="d", manifest_uri="u", rule="r", statistics={}, names=names)


def predictions_of(names):
    return {name: np.array([0.1234567, 1, 2, 3], np.float32) for name in names}


def test_predictions_are_those_of_held_out_pictures_only():
    manifest, splits = data_set(101)
    everywhere = predictions_of(sample.name for sample in manifest.samples)

    sample = training_sample("v1", manifest, splits, everywhere)

    assert {row.split for row in sample.rows if row.predictions is not None} == {"validation", "test"}
    assert {row.split for row in sample.rows if row.predictions is None} == {"train"}
    assert (sample.pictures, len(sample.rows)) == (100, 100)
    assert sample.rows[5].person == 1
    assert sample.rows[5].labels == (1, 0.5, 1, 2)
    assert sample.rows[5].picture == (0.5, 0.2, 0.1, 640, 485)
    assert sample.rows[5].predictions == (0.123457, 1, 2, 3)


@pytest.mark.parametrize("size", [MOST_ROWS + 1, 3 * MOST_ROWS])
def test_a_large_data_set_is_sampled_evenly_and_the_same_every_time(size):
    manifest, splits = data_set(size)
    predictions = predictions_of(splits.names["test"])

    sample = training_sample("v1", manifest, splits, predictions)

    assert sample == training_sample("v1", manifest, splits, predictions)
    assert len(sample.rows) == MOST_ROWS
    people = [row.person for row in sample.rows]
    assert people == sorted(people)
    assert np.mean(people) == pytest.approx(size / 6, rel=0.01)


def test_it_is_read_as_written_and_names_no_picture():
    manifest, splits = data_set(50)
    sample = training_sample("v1", manifest, splits, {})

    content = sample.model_dump_json().encode()

    assert b"secret" not in content
    assert read_training_sample(content, "r2://b/k") == sample
