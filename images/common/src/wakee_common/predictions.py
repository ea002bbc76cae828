"""The Wakee API's response for a picture."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, create_model
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL


def prediction_model(margin: float = 0.0) -> type[BaseModel]:
    """Return a pydantic model of the response to `POST /predict`, with only the fields needed: a level per emotion.

    Args:
        margin: How far outside the scale 0 to 3 a level may be.
    """
    level = Annotated[FiniteFloat, Field(ge=LOWEST_LEVEL - margin, le=HIGHEST_LEVEL + margin)]
    fields = dict.fromkeys(EMOTIONS, (level, ...))
    return create_model("Prediction", __config__=ConfigDict(extra="ignore", strict=True), **fields)  # type: ignore[call-overload, no-any-return]


def levels_of(prediction: BaseModel) -> list[float]:
    """Return the levels of a response, in the order of the emotions."""
    return [float(getattr(prediction, emotion)) for emotion in EMOTIONS]
