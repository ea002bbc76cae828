"""`test-model-hub`: check that the production model is complete and works, and is the same in all places."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from wakee_common.database import reading
from wakee_common.errors import WakeeError, one_line
from wakee_common.files import workspace
from wakee_common.settings import DatabaseSettings, load
from wakee_contract.emotions import EMOTIONS
from wakee_contract.model import CHAMPION, ONNX, VERSION_TAG

from wakee_health.errors import WrongAnswerError
from wakee_health.probes.api import open_api, predict
from wakee_health.probes.faces import draw_face, face_png
from wakee_health.probes.hub import ModelRepository, version_name
from wakee_health.probes.model import Model
from wakee_health.probes.timing import Stopwatch
from wakee_health.probes.web import Site
from wakee_health.results import ProbeResult
from wakee_health.settings import ApiSettings, HubSettings, ProbeSettings, RegistrySettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

HUB, REGISTRY, DATABASE = "Hub main", "registry champion", "is_production"
PRODUCTION = "SELECT version_name FROM model_versions WHERE is_production"
IMPATIENCE_SECONDS = 5.0
INFERENCES = 5


class Tag(BaseModel):
    """A tag of a registered version."""

    key: str = ""
    value: Any = None


class RegisteredVersion(BaseModel):
    """A registered version, with only the fields needed."""

    tags: list[Tag] = []


class Alias(BaseModel):
    """MLflow's response for an alias."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: RegisteredVersion


def probe(hub: HubSettings, settings: ProbeSettings, tolerance: float) -> ProbeResult:
    """Download the model of main, run it, and compare it with the API, the registry and the database.

    If one of these three is unavailable, this is only a warning, because API and database have probes of their own.

    Raises:
        ConfigurationError: the Hub rejects the token.
        UnavailableError: the Hub is unavailable.
        WrongAnswerError: the model is incomplete, breaks the contract, or is not the same in all places.
    """
    watch, warnings = Stopwatch(), list[str]()
    with workspace() as scratch:
        repository = ModelRepository(hub, settings.timeout_seconds, scratch)
        head = repository.head()
        path = repository.download(ONNX, head)
        size, version, model = path.stat().st_size, repository.version(head), Model(path)
        levels = _infer(model, watch)
    difference = _asked(lambda: _api_difference(levels, settings), "the API was not compared", warnings)
    if difference is not None and difference > tolerance:
        raise WrongAnswerError(
            f"the API and the Hub's model differ by {difference:.4f} on the same picture, more than {tolerance:g}"
        )
    names = {HUB: version} | _other_names(settings, warnings)
    facts: dict[str, Any] = {"commit": head.commit, "version": version, "onnx_bytes": size}
    facts |= {"sha256": head.digests.get(ONNX), "api_difference": difference}
    return ProbeResult.of(watch.seconds, facts, warnings + check_agreement(names))


def check_agreement(names: dict[str, str | None]) -> list[str]:
    """Check that all places have the same version; return warnings for places without a version.

    Args:
        names: Version by place, None if it has none; without places that are unavailable.

    Raises:
        WrongAnswerError: two places have different versions, or one has none while Hub or registry has one.
    """
    # Hub and registry contain only versions that we published. The table may also contain an earlier production model.
    published = any(names.get(place) for place in (HUB, REGISTRY))
    named = {name for name in names.values() if name or published}
    if len(named) > 1:
        told = ", ".join(f"{place} {name or 'none'}" for place, name in names.items())
        raise WrongAnswerError(f"the version in production is not the same everywhere: {told}")
    return [f"{place} has no version" for place, name in names.items() if not name]


def champion(registry: RegistrySettings, settings: ProbeSettings) -> str | None:
    """Return our name of the version with the registry's alias `champion`; None if there is none."""
    token = registry.token.get_secret_value()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with Site("MLflow", registry.uri, settings.timeout_seconds, headers) as site:
        query = {"name": registry.model, "alias": CHAMPION}
        response = site.ask_json("GET", "/api/2.0/mlflow/registered-models/alias", (200, 400, 404), params=query)
    if response.get("error_code") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        return None
    try:
        tags = Alias.model_validate(response).model_version.tags
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise WrongAnswerError(
            f"MLflow did not answer with a registered version: {place}: {problem['msg'].lower()}"
        ) from None
    return next((version_name(tag.value) for tag in tags if tag.key == VERSION_TAG), None)


def production(database: DatabaseSettings) -> str | None:
    """Return the version in production according to the database; None if there is none."""
    patience = min(database.wake_up_seconds, IMPATIENCE_SECONDS)
    with (
        reading(database.model_copy(update={"wake_up_seconds": patience})) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(PRODUCTION)
        row = cursor.fetchone()
    return str(row[0]) if row else None


def _infer(model: Model, watch: Stopwatch) -> NDArray[np.float64]:
    picture = draw_face()
    for _ in range(INFERENCES):
        with watch.measured():
            levels = model.predict(picture)
    logger.info("the model predicts %s", ", ".join(f"{e} {v:.3f}" for e, v in zip(EMOTIONS, levels, strict=True)))
    return levels


def _api_difference(levels: NDArray[np.float64], settings: ProbeSettings) -> float:
    with open_api(load(ApiSettings), settings) as site:
        return round(float(np.abs(predict(site, face_png()) - levels).max()), 6)


def _other_names(settings: ProbeSettings, warnings: list[str]) -> dict[str, str | None]:
    """Return the versions of registry and database. If one is unavailable, it is left out with a warning."""
    names: dict[str, str | None] = {}
    sources: dict[str, Callable[[], str | None]] = {
        REGISTRY: lambda: champion(load(RegistrySettings), settings),
        DATABASE: lambda: production(load(DatabaseSettings)),
    }
    for place, ask in sources.items():
        before = len(warnings)
        name = _asked(ask, f"{place} is not available", warnings)
        if len(warnings) == before:
            names[place] = name
    return names


def _asked(ask: Callable[[], T], what: str, warnings: list[str]) -> T | None:
    try:
        return ask()
    except WakeeError as error:
        warnings.append(f"{what}: {one_line(error, 150)}")
    return None
