"""The seeder: write a population to database and bucket, and compute what drift detection should find."""

import logging
import math
import time
from datetime import datetime, timedelta

from pydantic import BaseModel
from wakee_common.settings import DatabaseSettings, R2Settings, load
from wakee_common.storage import ObjectStore
from wakee_contract.emotions import EMOTIONS

from wakee_sandbox import annotations
from wakee_sandbox.backdating import backdate
from wakee_sandbox.population import Options, populate

logger = logging.getLogger(__name__)


class Summary(BaseModel):
    """What was written, and the expected result of drift detection over the last 7 days."""

    rows: int
    bad_rows: int
    pictures: int
    rows_deleted: int
    days: float
    until: datetime
    mae_last_7_days: dict[str, float | None]
    drift_score_last_7_days: float | None
    production: str | None
    seconds: float


def seed(
    options: Options,
    *,
    pictures: bool = True,
    labels: bool = True,
    reset: bool = False,
    production_days: float | None = None,
    database: DatabaseSettings | None = None,
    r2: R2Settings | None = None,
) -> Summary:
    """Seed database and bucket. Idempotent for the same options.

    Args:
        options: Options of the population.
        pictures: Whether to write to the bucket.
        labels: Whether to write to the database.
        reset: Whether to first delete what earlier seeders wrote.
        production_days: Back-date the promotion of the version in production to this many days before the end; None:
            do not change the versions.
        database: The database; from the environment by default.
        r2: The bucket; from the environment by default.
    """
    clock = time.monotonic()
    population = populate(options)
    deleted = annotations.reset(database or load(DatabaseSettings), ObjectStore(r2 or load(R2Settings))) if reset else 0
    # Pictures first, so that no reader finds a row without its picture.
    drawn = annotations.write_pictures(population, ObjectStore(r2 or load(R2Settings))) if pictures else 0
    written = annotations.write_rows(population, database or load(DatabaseSettings)) if labels else 0
    version = None
    if production_days is not None:
        version = backdate(database or load(DatabaseSettings), options.until - timedelta(days=production_days))
    mae = dict(zip(EMOTIONS, map(_rounded, population.mae().tolist()), strict=True))
    return Summary(
        rows=written,
        bad_rows=options.bad if labels else 0,
        pictures=drawn,
        rows_deleted=deleted,
        days=options.days,
        until=options.until,
        mae_last_7_days=mae,
        drift_score_last_7_days=_rounded(float(population.mae().mean())),
        production=version,
        seconds=round(time.monotonic() - clock, 2),
    )


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
