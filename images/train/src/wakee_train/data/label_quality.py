"""Count labels that say little about the pictures: untouched sliders, constant answers, contradictions."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from wakee_contract.emotions import ENOUGH_ANSWERS, HALF_A_STEP

from wakee_train.data.near_duplicates import pairs
from wakee_train.data.records import Sample
from wakee_train.records import LabelQuality

ONE_LEVEL = 1 + HALF_A_STEP
"""Near-duplicates contradict each other if their labels differ by more. The slider's rounding is left out."""
COMPARED_TOGETHER = 2_000
"""Near-duplicates are seconds apart. Only those within so many consecutive pictures are found, to bound the memory."""


def label_quality(samples: Sequence[Sample]) -> LabelQuality:
    """Count the labels of a data set that say little. The samples are in the order of their rows."""
    people: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        people[sample.facts.person].append(sample)
    enough = [own for own in people.values() if len(own) >= ENOUGH_ANSWERS]
    near_duplicates, contradictory = _near_duplicates([sample for sample in samples if sample.perceptual_hash])
    return LabelQuality(
        untouched=sum(not sample.facts.corrected for sample in samples),
        people=len(enough),
        constant_people=sum(_constant(own) for own in enough),
        near_duplicates=near_duplicates,
        contradictory=contradictory,
    )


def described(quality: LabelQuality | None) -> str:
    """Describe the counts in one line."""
    if quality is None:
        return "not counted, because the data set is older than these counts"
    return (
        f"{quality.untouched} pictures with no slider moved; {quality.constant_people} of {quality.people} people with "
        f"{ENOUGH_ANSWERS} pictures or more always give the same answer; {quality.contradictory} of "
        f"{quality.near_duplicates} pairs of near-duplicates contradict each other by more than one level"
    )


def _constant(samples: Sequence[Sample]) -> bool:
    labels = np.array([sample.labels for sample in samples])
    return bool((np.ptp(labels, axis=0) < HALF_A_STEP).all())


def _near_duplicates(samples: Sequence[Sample]) -> tuple[int, int]:
    """Return the number of near-duplicate pairs, and how many of them contradict each other."""
    found, contradictory = 0, 0
    for start in range(0, len(samples), COMPARED_TOGETHER):
        block = samples[start : start + COMPARED_TOGETHER]
        labels = np.array([sample.labels for sample in block])
        first, second = pairs([sample.perceptual_hash for sample in block])
        found += len(first)
        contradictory += int((np.abs(labels[first] - labels[second]) > ONE_LEVEL).any(axis=1).sum())
    return found, contradictory
