"""Compare the window's pictures with those that the version in production was trained on.

Each property of the pictures is tested by `permutation.people_p_value`, and their embeddings by
`permutation.embedding_p_value`, with Holm's correction over all of them. Embeddings are compared with those of held-out
pictures, because the version fits its training pictures too well.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from wakee_common.embeddings import Embeddings
from wakee_common.training_sample import PictureStatistics, TrainingSample

from wakee_drift.measure.permutation import (
    FAMILY_ERROR,
    FEWEST_PEOPLE,
    FEWEST_REFERENCE_ROWS,
    Values,
    Vectors,
    embedding_p_value,
    holm,
    people_p_value,
)
from wakee_drift.records import PictureColumn, PictureDrift

EMBEDDING = "embedding"
STATISTICS = PictureStatistics._fields


def compare_properties(now: Vectors, before: Vectors) -> tuple[dict[str, PictureColumn], str]:
    """Compare each property, without Holm's correction.

    Args:
        now: Properties of the window's pictures, shape (rows, 5) in the order of `PictureStatistics`.
        before: Those of the training pictures.

    Returns:
        The result per property, and why nothing was compared.
    """
    if reason := why_not(now.people, before.people):
        return {}, reason
    columns = {
        name: PictureColumn(
            p_value=people_p_value(Values(new, now.people), Values(old, before.people)),
            drifted=False,
            before=float(np.median(old)),
            now=float(np.median(new)),
        )
        for name, new, old in zip(STATISTICS, now.values.T, before.values.T, strict=True)
    }
    return columns, ""


def compare_embeddings(now: Vectors, before: Vectors) -> tuple[dict[str, PictureColumn], str]:
    """Compare the embeddings, without Holm's correction; returns the same as `compare_properties`."""
    if reason := why_not(now.people, before.people):
        return {}, reason
    if now.values.shape[1] != before.values.shape[1]:
        return {}, f"the files differ: {now.values.shape[1]} and {before.values.shape[1]} features"
    return {EMBEDDING: PictureColumn(p_value=embedding_p_value(now, before), drifted=False)}, ""


def why_not(now: NDArray[np.int64], before: NDArray[np.int64]) -> str:
    """Return why pictures of these people cannot be compared; empty if they can."""
    if len(before) < FEWEST_REFERENCE_ROWS:
        return f"{len(before)} training pictures with these values, fewer than {FEWEST_REFERENCE_ROWS}"
    for what, people in (("the look-back window", now), ("the training data", before)):
        if (count := len(np.unique(people))) < FEWEST_PEOPLE:
            return f"{what}: pictures of {count} people, fewer than {FEWEST_PEOPLE}"
    return ""


def decide(columns: dict[str, PictureColumn]) -> dict[str, PictureColumn]:
    """Apply Holm's correction to the p-values, and decide which properties have drifted."""
    corrected = holm(np.array([column.p_value for column in columns.values()]))
    return {
        name: column.model_copy(update={"p_value": p_value, "drifted": p_value <= FAMILY_ERROR})
        for (name, column), p_value in zip(columns.items(), corrected.tolist(), strict=True)
    }


def properties(statistics: Sequence[PictureStatistics], people: Sequence[int]) -> Vectors:
    """Return properties of pictures as arrays of shape (rows, 5) and (rows,)."""
    values = np.array(statistics, np.float64).reshape(-1, len(STATISTICS))
    return Vectors(values, np.array(people, np.int64))


def training_properties(sample: TrainingSample) -> Vectors:
    """Return the properties of the training pictures that have any."""
    rows = [(row.picture, row.person) for row in sample.rows if row.picture is not None]
    return properties([picture for picture, _ in rows], [person for _, person in rows])


def vectors_of(embeddings: Embeddings) -> Vectors:
    """Return embeddings in double precision."""
    return Vectors(embeddings.vectors.astype(np.float64), embeddings.people)


def described(drift: PictureDrift) -> str:
    """Describe a comparison in one line: the drifted properties, what was skipped, and the unreadable pictures."""
    if drift.status == "skipped":
        text = f"not compared: {drift.reason}"
    else:
        found = [f"{name} ({_change(column)})" for name, column in drift.columns.items() if column.drifted]
        text = f"against {drift.against}: {', '.join(found) or 'no property'} drifted, {drift.pictures:,} pictures"
        text += "".join(f"; {name} not compared: {reason}" for name, reason in drift.skipped_columns.items())
    unreadable = ", ".join(f"{reason} {count}" for reason, count in drift.unreadable.items())
    return f"{text}; unreadable: {unreadable}" if unreadable else text


def _change(column: PictureColumn) -> str:
    if column.before is None or column.now is None:
        return f"p {column.p_value:.3g}"
    return f"median {column.before:.3g} to {column.now:.3g}, p {column.p_value:.3g}"
