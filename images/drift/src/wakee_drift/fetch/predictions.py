"""Join people's corrections with the predictions that the model made at the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
from wakee_common.database import reading
from wakee_common.files import workspace
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.tables import PREDICTED

from wakee_drift.fetch.annotations import Written, log_exclusions
from wakee_drift.fetch.api_comparison import ApiSettings, compare_with_api
from wakee_drift.fetch.production import in_production, predicted_by
from wakee_drift.fetch.training_sample import hand_on_training_sample
from wakee_drift.fetch.validity import add_counts, usable_predictions
from wakee_drift.records import ApiComparison, Provenance
from wakee_drift.results import PairsResult
from wakee_drift.tables import (
    ANNOTATIONS_SCHEMA,
    PAIRS_SCHEMA,
    arrow,
    batches,
    read_provenance,
    spread_sample,
    table_writer,
)

NAMES_PER_QUERY = 5_000
"""Names per query: few enough for PostgreSQL to look each of them up in the index instead of scanning the table."""

QUERY = sql.SQL("SELECT img_name, {by_production}, {predicted} FROM emotion_labels WHERE img_name = ANY(%s)")
PREDICTIONS = sql.SQL(", ").join(map(sql.Identifier, PREDICTED))


@dataclass(frozen=True)
class Predictions:
    """Stored predictions in the order of the requested names.

    Attributes:
        values: Shape (names, 4); NaN if missing.
        missing: Whether the row was deleted or the value is NULL, shape (names, 4).
        by_production: Whether the version in production made the prediction, shape (names,).
    """

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    by_production: NDArray[np.bool_]


def load(
    store: ObjectStore,
    database: DatabaseSettings,
    api: ApiSettings,
    folder: R2Uri,
    sources: tuple[R2Uri, R2Uri],
    api_sample: int,
    reload_minutes: float,
) -> PairsResult:
    """Join annotations and reference (the two sources) with their predictions; write the pairs to R2."""
    with workspace() as work:
        annotations = store.get_file(sources[0], work / "annotations.parquet")
        reference = store.get_file(sources[1], work / "reference.parquet")
        compared = _compare_sample(store, database, api, annotations, api_sample)
        with reading(database) as connection:
            production, sample = in_production(connection, reload_minutes)
            provenance = read_provenance(annotations).model_copy(
                update={"api_comparison": compared, "production": production}
            )
            pairs, provenance = _join(connection, annotations, work / "pairs.parquet", provenance)
            reference_pairs, _ = _join(connection, reference, work / "reference_pairs.parquet", provenance)
        for name in ("pairs.parquet", "reference_pairs.parquet"):
            store.put_file(folder / name, work / name)
    training_sample = hand_on_training_sample(store, folder, production.version, sample)
    log_exclusions("pairs", pairs)
    return PairsResult(
        status="success" if pairs.rows >= provenance.min_samples else "insufficient_data",
        pairs_uri=str(folder / "pairs.parquet"),
        reference_pairs_uri=str(folder / "reference_pairs.parquet"),
        training_sample_uri=str(training_sample),
        rows=pairs.rows,
        reference_rows=reference_pairs.rows,
        production_version=production.version,
        excluded=provenance.excluded,
        api_comparison=provenance.api_comparison,
    )


def join_predictions(
    connection: Connection, batch: pa.RecordBatch, by_production: sql.Composable
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Add the stored prediction to each annotation, and drop rows without a usable prediction.

    Args:
        connection: The database.
        batch: Annotations.
        by_production: Expression of `production.predicted_by`.

    Returns:
        The pairs, and how many rows were dropped per reason.
    """
    found = stored_predictions(connection, batch.column("img_name").to_pylist(), by_production)
    usable, excluded = usable_predictions(found.values, found.missing)
    columns = {name: batch.column(name) for name in batch.schema.names} | {"by_production": arrow(found.by_production)}
    columns |= {name: arrow(found.values[:, index]) for index, name in enumerate(PREDICTED)}
    pairs = pa.RecordBatch.from_pydict({name: columns[name] for name in PAIRS_SCHEMA.names}, PAIRS_SCHEMA)
    return pairs.filter(arrow(usable)), excluded


def stored_predictions(connection: Connection, names: Sequence[str], by_production: sql.Composable) -> Predictions:
    """Read the stored predictions of pictures, by name."""
    values = np.full((len(names), len(PREDICTED)), np.nan)
    missing, ours = np.ones(values.shape, dtype=bool), np.zeros(len(names), dtype=bool)
    place = {name: index for index, name in enumerate(names)}
    with connection.cursor() as cursor:
        cursor.execute(QUERY.format(by_production=by_production, predicted=PREDICTIONS), (list(names),))
        rows = cursor.fetchall()
    if rows:
        places = [place[row[0]] for row in rows]
        ours[places] = [row[1] for row in rows]
        missing[places] = [[value is None for value in row[2:]] for row in rows]
        values[places] = np.array([row[2:] for row in rows], dtype=np.float64)
    return Predictions(values, missing, ours)


def _compare_sample(
    store: ObjectStore, database: DatabaseSettings, api: ApiSettings, annotations: Path, size: int
) -> ApiComparison:
    if not api.url or not size:
        return ApiComparison(status="not_configured", cause="WAKEE_API_URL is not set" if size else "--api-sample is 0")
    sample = spread_sample(annotations, ANNOTATIONS_SCHEMA, size)
    with reading(database) as connection:
        joined = [join_predictions(connection, batch, sql.SQL("true"))[0] for batch in sample.to_batches()]
    return compare_with_api(store, api, pa.Table.from_batches(joined, PAIRS_SCHEMA))


def _join(connection: Connection, source: Path, target: Path, base: Provenance) -> tuple[Written, Provenance]:
    excluded, by_production = dict[str, int](), predicted_by(connection, base.production)
    with table_writer(target, PAIRS_SCHEMA) as writer:
        for batch in batches(source, ANNOTATIONS_SCHEMA, NAMES_PER_QUERY):
            pairs, counts = join_predictions(connection, batch, by_production)
            writer.write(pairs)
            excluded = add_counts(excluded, counts)
        total = add_counts(read_provenance(source).excluded, excluded)
        provenance = base.model_copy(update={"excluded": total})
        writer.describe(provenance)
    return Written(writer.rows, excluded), provenance
