"""`test-api`: check that the Wakee API is healthy, predicts, and rejects a file that is not a picture."""

import logging
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from wakee_common.predictions import levels_of, prediction_model
from wakee_contract.emotions import EMOTIONS

from wakee_health.errors import WrongAnswerError
from wakee_health.probes.faces import face_png
from wakee_health.probes.timing import slowness
from wakee_health.probes.tls import days_left, expiry_warning
from wakee_health.probes.web import Site
from wakee_health.results import Latency, ProbeResult
from wakee_health.settings import ApiSettings, ProbeSettings

logger = logging.getLogger(__name__)

NAME = "the API"
BAD_REQUEST = 400

Prediction = prediction_model()

M = TypeVar("M", bound=BaseModel)
ShortText = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text from a service. It is written to results, tables and pages, so its length and characters are limited."""


class Health(BaseModel):
    """Response of `GET /health`, with only the fields needed."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    status: ShortText
    model_loaded: bool
    runtime: ShortText = "unknown"
    model_revision: ShortText | None = None


def open_api(api: ApiSettings, settings: ProbeSettings) -> Site:
    """Open the API as a site."""
    return Site(NAME, api.url, settings.timeout_seconds)


def health(site: Site) -> Health:
    """Return the response of `GET /health`.

    Raises:
        WrongAnswerError: the API is not healthy, has no model, or gives an invalid response.
    """
    answer = _read(Health, site.ask_json("GET", "/health"), "GET /health")
    if answer.status != "healthy":
        raise WrongAnswerError(f"{NAME} reports the status {answer.status!r}, not 'healthy'")
    if not answer.model_loaded:
        raise WrongAnswerError(f"{NAME} has no model loaded")
    return answer


def predict(site: Site, picture: bytes) -> NDArray[np.float64]:
    """Return the API's four levels for a picture; raise `WrongAnswerError` unless they are numbers in 0..3."""
    files = {"file": ("health-check.png", picture, "image/png")}
    answer = _read(Prediction, site.ask_json("POST", "/predict", files=files), "POST /predict")
    return np.array(levels_of(answer))


def refuses_text(site: Site) -> None:
    """Check that the API rejects a text file with status 400.

    Raises:
        WrongAnswerError: the API accepts it.
    """
    files = {"file": ("health-check.txt", b"this is no picture", "text/plain")}
    site.ask("POST", "/predict", BAD_REQUEST, files=files)


def probe(api: ApiSettings, settings: ProbeSettings, calls: int, slow_ms: float) -> ProbeResult:
    """Request the health, `calls` predictions and one rejection. Writes nothing.

    Raises:
        UnavailableError: no response, or a server error.
        WrongAnswerError: a response that breaks the contract.
    """
    days = days_left(api.url, settings.timeout_seconds)
    with open_api(api, settings) as site:
        state = health(site)
        site.watch.seconds.clear()
        picture = face_png()
        levels = [predict(site, picture) for _ in range(calls)]
        seconds = list(site.watch.seconds)
        refuses_text(site)
    facts = _facts(state, levels[-1], days)
    warnings = slowness(f"{NAME}'s /predict", Latency.of(seconds).p95_ms, slow_ms)
    if float(np.ptp(np.stack(levels), axis=0).max()) > 0:
        warnings.append(f"{NAME} gives different answers for the same picture")
    return ProbeResult.of(seconds, facts, warnings + expiry_warning(urlsplit(api.url).netloc, days))


def _facts(state: Health, levels: NDArray[np.float64], days: float | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"runtime": state.runtime, "model_revision": state.model_revision}
    facts |= {emotion: round(float(level), 4) for emotion, level in zip(EMOTIONS, levels, strict=True)}
    return facts | ({} if days is None else {"certificate_days_left": round(days, 1)})


def _read(kind: type[M], answer: dict[str, Any], what: str) -> M:
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        problems = ", ".join(f"{item['loc'][0]}: {item['msg'].lower()}" for item in error.errors())
        raise WrongAnswerError(f"{NAME}: {what} breaks the contract: {problems}") from None
