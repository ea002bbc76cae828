"""A bounded sample of the data that a model version was trained on.

`evaluate` writes it, drift detection compares with it. It holds neither pictures nor their names: levels, the number of
the person, and the split.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from wakee_contract.emotions import EMOTIONS

from wakee_common.errors import BadInputError

MOST_ROWS = 5_000
"""Largest number of rows of a sample."""
HELD_OUT = ("validation", "test")
"""The splits on whose pictures a version's predictions say how it predicts new pictures."""

Levels = Annotated[tuple[FiniteFloat, ...], Field(min_length=len(EMOTIONS), max_length=len(EMOTIONS))]
"""Levels in the order of the emotions."""


class SampledRow(BaseModel):
    """One picture's levels.

    Attributes:
        person: The number that stands for whose it is (`wakee_contract.tables.PERSON`).
        split: Which part of the data set it was in.
        labels: What people say, 0 to 3.
        predictions: What the version says, 0 to 3; None where it was not asked, and on pictures that it was trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: int
    split: Literal["train", "validation", "test"]
    labels: Levels
    predictions: Levels | None = None


class TrainingSample(BaseModel):
    """A sample of a version's data set, spread evenly over all splits.

    The version's predictions on training pictures are no reference for its predictions on new pictures: it fits the
    former too well, so they would look drifted from the first day. Compare labels with the labels of all rows, and
    predictions with those of the held-out rows.

    Attributes:
        layout: Of this document.
        version: Name of the model version.
        dataset_id: The data set.
        pictures: How many pictures the data set's splits hold; the sample may hold fewer.
        rows: The sample.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Literal[1] = 1
    version: str
    dataset_id: str
    pictures: int
    rows: Annotated[tuple[SampledRow, ...], Field(max_length=MOST_ROWS)]


def read_training_sample(data: bytes, origin: object) -> TrainingSample:
    """Parse a sample.

    Raises:
        BadInputError: it is damaged, or has a layout that this code does not know.
    """
    try:
        return TrainingSample.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "document"
        raise BadInputError(f"{origin} is not a training sample of layout 1: {place}: {problem['msg']}") from None
