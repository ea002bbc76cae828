"""A bounded sample of the data that a model version was trained on.

`evaluate` writes it, drift detection compares with it. It contains neither pictures nor their names, only levels,
properties of the picture, the number of the person, and the split.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from wakee_contract.emotions import EMOTIONS

from wakee_common.errors import BadInputError

MOST_ROWS = 5_000
"""Maximum number of rows of a sample."""
HELD_OUT = ("validation", "test")
"""Splits that a version was not trained on, so that its predictions represent those on new pictures."""

Levels = Annotated[tuple[FiniteFloat, ...], Field(min_length=len(EMOTIONS), max_length=len(EMOTIONS))]
"""Levels in the order of the emotions."""


class PictureStatistics(NamedTuple):
    """Properties of one picture. Except for the size, they are measured on the prepared picture of 256 x 256 pixels.

    Attributes:
        brightness: Mean of the luma, 0 (black) to 1 (white).
        contrast: Standard deviation of the luma, 0 to 0.5.
        sharpness: Standard deviation of the luma's Laplacian, 0 or more. Its square is the focus measure of
            Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
        width: Width of the file's picture in pixels.
        height: Its height in pixels.
    """

    brightness: float
    contrast: float
    sharpness: float
    width: int
    height: int


class SampledRow(BaseModel):
    """Levels and properties of one picture.

    Attributes:
        person: Number of the person whose picture it is (`wakee_contract.tables.PERSON`).
        split: The picture's part of the data set.
        labels: Levels that people annotated, 0 to 3.
        predictions: Levels that the version predicted, 0 to 3; None if not predicted, and on training pictures.
        picture: What the camera did; None in older data sets.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    person: int
    split: Literal["train", "validation", "test"]
    labels: Levels
    predictions: Levels | None = None
    picture: PictureStatistics | None = None


class FeatureFiles(BaseModel):
    """Addresses of the files that belong to a sample (`wakee_common.embeddings`).

    Attributes:
        model_uri: `features.onnx`, which computes the embedding of a picture.
        embeddings_uri: Embeddings of held-out pictures.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_uri: str
    embeddings_uri: str


class TrainingSample(BaseModel):
    """A sample of a version's data set, spread evenly over all splits.

    Predictions on training pictures are not a valid reference for predictions on new pictures: the version fits
    training pictures too well, so new ones would look drifted from the first day. Compare labels with the labels of
    all rows, and predictions with those of the held-out rows.

    Attributes:
        layout: Version of this document's format.
        version: Name of the model version.
        dataset_id: The data set.
        pictures: Number of pictures in the data set's splits; the sample may have fewer.
        rows: The sample.
        features: Files with the embeddings of pictures; None in older samples, or for a model without features.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    layout: Literal[1] = 1
    version: str
    dataset_id: str
    pictures: int
    rows: Annotated[tuple[SampledRow, ...], Field(max_length=MOST_ROWS)]
    features: FeatureFiles | None = None


def read_training_sample(data: bytes, origin: object) -> TrainingSample:
    """Parse a sample.

    Raises:
        BadInputError: the data is damaged, or has an unknown layout.
    """
    try:
        return TrainingSample.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "document"
        raise BadInputError(f"{origin} is not a training sample of layout 1: {place}: {problem['msg']}") from None
