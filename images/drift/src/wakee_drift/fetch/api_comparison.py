"""Compare the API's current predictions with the stored ones for a few pictures. Errors are part of the result.

A difference means that the API does not serve the model that made the stored predictions, which matters for the
interpretation of the drift score.
"""

import logging
import mimetypes
import time
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import httpx
import numpy as np
import pyarrow as pa
from pydantic import Field
from wakee_common.errors import BadInputError, one_line
from wakee_common.http import BoundedClient
from wakee_common.predictions import levels_of, prediction_model
from wakee_common.settings import Settings
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS
from wakee_contract.tables import PREDICTED

from wakee_drift.fetch.validity import OVERSHOOT
from wakee_drift.records import ApiComparison
from wakee_drift.tables import matrix

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

ANSWER_SECONDS = 20.0
TOTAL_SECONDS = 60.0
LARGEST_PICTURE = 20 << 20
LARGEST_ANSWER = 64 << 10
FAILURES_IN_A_ROW = 3
LONGEST_CAUSE = 200

Prediction = prediction_model(OVERSHOOT)
"""Response of the API, with levels in the range of possible predictions."""


class ApiSettings(Settings):
    """The Wakee API. The comparison is skipped if it is not set."""

    url: str = Field("", alias="WAKEE_API_URL", description="Base address of the Wakee API.")


def compare_with_api(store: ObjectStore, api: ApiSettings, pairs: pa.Table) -> ApiComparison:
    """Send the pictures of these rows to the API and compare its responses with the stored predictions.

    Args:
        store: Bucket with the pictures.
        api: Address of the API.
        pairs: Rows with `s3_path` and the stored predictions.

    Returns:
        The comparison. Errors of the API or of a picture are not raised.
    """
    stored = matrix(pairs, PREDICTED)
    answers, causes = [], list[str]()
    for answer in _answers(store, api, pairs.column("s3_path").to_pylist()):
        answers.append(answer if isinstance(answer, list) else [np.nan] * len(EMOTIONS))
        causes += [answer] if isinstance(answer, str) else []
    now = np.array(answers, dtype=np.float64).reshape(-1, len(EMOTIONS))
    difference = np.abs(stored[: len(now)] - now)
    return _summary(difference[~np.isnan(difference).any(axis=1)], len(stored), causes)


def _summary(difference: np.ndarray, asked: int, causes: list[str]) -> ApiComparison:
    compared = len(difference)
    cause = causes[0][:LONGEST_CAUSE] if causes else ""
    if not compared:
        logger.warning("the API was not compared: %s", cause or "no pictures")
        return ApiComparison(status="unavailable", cause=cause or "there are no pictures to send", failed=asked)
    return ApiComparison(
        status="compared",
        cause=cause,
        n=compared,
        failed=asked - compared,
        mean_abs_difference=_per_emotion(difference.mean(axis=0)),
        max_abs_difference=_per_emotion(difference.max(axis=0)),
    )


def _per_emotion(values: np.ndarray) -> dict[str, float]:
    return dict(zip(EMOTIONS, (round(float(value), 6) for value in values), strict=True))


def _answers(store: ObjectStore, api: ApiSettings, keys: list[str]) -> Iterator[list[float] | str]:
    """Yield the four levels of each picture, or the error; stop early if the API keeps failing."""
    deadline, failures = time.monotonic() + TOTAL_SECONDS, 0
    url = f"{api.url.rstrip('/')}/predict"
    with BoundedClient(largest_answer=LARGEST_ANSWER) as client:
        for key in keys:
            if failures == FAILURES_IN_A_ROW or time.monotonic() > deadline:
                return
            answer: bytes | list[float] | str = _tried(_picture, store, key)
            if isinstance(answer, bytes):
                answer = _tried(_predict, client, url, answer, key, deadline)
                failures = failures + 1 if isinstance(answer, str) else 0
            yield answer


def _tried(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | str:
    """Return the call's result, or its error in one line. No error may stop the drift report."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        return one_line(f"{type(error).__name__}: {error}")


def _picture(store: ObjectStore, key: str) -> bytes:
    uri = R2Uri.parse(f"r2://{store.bucket}/{key}")
    size = store.head(uri)["ContentLength"]
    if size > LARGEST_PICTURE:
        raise BadInputError(f"a picture of {size} bytes is too large")
    return store.get_bytes(uri)


def _predict(client: BoundedClient, url: str, picture: bytes, key: str, deadline: float) -> list[float]:
    return levels_of(Prediction.model_validate_json(_post(client, url, picture, key, deadline)))


def _post(client: BoundedClient, url: str, picture: bytes, key: str, deadline: float) -> bytes:
    """Return the body of the API's response, with limits on size and time."""
    kind = mimetypes.guess_type(key)[0] or "image/jpeg"
    seconds = max(0.0, min(ANSWER_SECONDS, deadline - time.monotonic()))
    response = client.request("POST", url, seconds, files={"file": ("picture", picture, kind)})
    if response.status_code != httpx.codes.OK:
        raise BadInputError(f"{url} answers {response.status_code}")
    return response.content
