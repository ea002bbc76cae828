"""Annotations out of PostgreSQL into a Parquet file: our stage against pandas.

    .venvs/drift/bin/python benchmarks/annotations.py              # 100,000 and 1 million rows
    .venvs/drift/bin/python benchmarks/annotations.py --largest 10000000

`pandas` is what people write first: `read_sql` over psycopg2 and `to_parquet`. `pandas in chunks` is what they write
when that took too much memory: a server-side cursor and one row group per chunk. Both check no row and upload nothing;
`our query to Parquet` is the like of it, checks included. `PostgreSQL alone` copies the same rows to nobody, as text
and in its binary format: what no client of it can undercut. `our stage` is `wakee-drift fetch-annotations` whole: it
also samples the reference window (as many rows again, up to 100,000) and uploads both files to an S3 server.
"""

import os
import tempfile
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from document import Goal, picture, plot_path, publish, run_table
from harness import Contestant, Contestants, Runs, competing_with, contestant, in_turns, median, options_of, play

WINDOW_START, WINDOW_END = "2026-03-25", "2026-04-01"
COLUMNS = "img_name, s3_path, timestamp, user_boredom, user_confusion, user_engagement, user_frustration"
QUERY = (
    f"SELECT {COLUMNS} FROM emotion_labels WHERE is_validated"
    f" AND timestamp >= '{WINDOW_START}' AND timestamp < '{WINDOW_END}' ORDER BY timestamp, id"
)
FILL = """
INSERT INTO emotion_labels (img_name, s3_path, timestamp, source, is_validated,
    predicted_boredom, predicted_confusion, predicted_engagement, predicted_frustration,
    user_boredom, user_confusion, user_engagement, user_frustration)
SELECT format('face-%%s-%%s.jpg', %(prefix)s, lpad(i::text, 8, '0')),
    format('pictures/face-%%s-%%s.jpg', %(prefix)s, lpad(i::text, 8, '0')),
    %(start)s::timestamp + i * (%(days)s * interval '1 day' / %(rows)s), 'bench', true,
    random() * 3, random() * 3, random() * 3, random() * 3, random() * 3, random() * 3, random() * 3, random() * 3
FROM generate_series(0, %(rows)s - 1) i
"""
PANDAS, CHUNKS, OURS, STAGE = "pandas", "pandas in chunks", "our query to Parquet", "our stage"
TEXT, BINARY = "PostgreSQL alone, text", "PostgreSQL alone, binary"


def pandas_whole(url: str, path: str, **_: Any) -> dict[str, Any]:
    """Everything into one frame, then into a file."""
    import pandas as pd
    from sqlalchemy import create_engine

    frame = pd.read_sql(QUERY, create_engine(url.replace("postgresql:", "postgresql+psycopg2:")))
    frame.to_parquet(path)
    return {"rows": len(frame)}


def pandas_in_chunks(url: str, path: str, **_: Any) -> dict[str, Any]:
    """A server-side cursor, 50,000 rows at a time."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sqlalchemy import create_engine

    engine, rows, writer = create_engine(url.replace("postgresql:", "postgresql+psycopg2:")), 0, None
    with engine.connect().execution_options(stream_results=True) as connection:
        for chunk in pd.read_sql(QUERY, connection, chunksize=50_000):
            table = pa.Table.from_pandas(chunk)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += len(chunk)
    if writer:
        writer.close()
    return {"rows": rows}


def copy_text(url: str, **_: Any) -> dict[str, Any]:
    """The rows as text, thrown away."""
    return _copied(url, "csv")


def copy_binary(url: str, **_: Any) -> dict[str, Any]:
    """The rows as they are, thrown away."""
    return _copied(url, "binary")


def _copied(url: str, rows_as: str) -> dict[str, Any]:
    import psycopg2

    with psycopg2.connect(url) as connection, connection.cursor() as cursor, Path(os.devnull).open("wb") as nowhere:
        cursor.copy_expert(f"COPY ({QUERY}) TO STDOUT (FORMAT {rows_as})", nowhere)
        return {"rows": cursor.rowcount}


def our_query(url: str, path: str, **_: Any) -> dict[str, Any]:
    """The part of our stage that does the same, and checks every row."""
    from wakee_common.database import reading
    from wakee_common.settings import DatabaseSettings
    from wakee_drift.fetch.annotations import _write, window_query
    from wakee_drift.fetch.windows import windows_until
    from wakee_drift.records import Provenance

    windows = windows_until("2026-03-31", 7, 28)
    provenance = Provenance(
        report_date=windows.report_date,
        window_start=windows.start,
        window_end=windows.end,
        reference_start=windows.reference_start,
        min_samples=10,
    )
    settings = DatabaseSettings.model_validate({"url": url})
    with reading(settings) as connection, _rows_of(settings, connection) as source:
        written = _write(source, window_query(windows), Path(path), provenance)
    return {"rows": written.rows}


def _rows_of(settings: Any, connection: Any) -> Any:
    """Where our stage's rows come from: a second connection, but in the code of before."""
    from wakee_drift.fetch import copying

    return copying.copier(settings, connection) if hasattr(copying, "copier") else nullcontext(connection)


def our_stage(url: str, s3: dict[str, str], **_: Any) -> dict[str, Any]:
    """`fetch-annotations`, its two uploads included."""
    from wakee_common.settings import DatabaseSettings, R2Settings
    from wakee_common.storage import ObjectStore
    from wakee_drift.fetch.annotations import fetch
    from wakee_drift.fetch.windows import windows_until

    store = ObjectStore(R2Settings.model_validate(s3))
    windows = windows_until("2026-03-31", 7, 28)
    return {"rows": fetch(store, DatabaseSettings.model_validate({"url": url}), store.uri("bench/"), windows, 10).rows}


CONTESTANTS: Contestants = {
    "pandas": pandas_whole,
    "chunks": pandas_in_chunks,
    "text": copy_text,
    "binary": copy_binary,
    "query": our_query,
    "stage": our_stage,
}


def make_table(url: str) -> None:
    """Our schema, without rows."""
    from wakee_common.migrations.cli import upgrade_database
    from wakee_common.settings import DatabaseSettings

    upgrade_database(DatabaseSettings.model_validate({"url": url}))


def fill(url: str, rows: int) -> None:
    """So many annotations in the window, the same number but at most 100,000 before it, and nothing else."""
    import psycopg2

    reference = min(rows, 100_000)
    parts = [("now", WINDOW_START, rows, 7), ("before", "2026-02-25", reference, 28)]
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE emotion_labels; SELECT setseed(0.5)")
        for prefix, start, count, days in parts:
            cursor.execute(FILL, {"prefix": prefix, "start": start, "rows": count, "days": days})
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE emotion_labels")
    connection.close()


def contestants(url: str, s3: dict[str, str], folder: Path, *, all_in_memory: bool = True) -> list[Contestant]:
    """All of them; pandas' first way only where it may have the memory."""
    plain = {PANDAS: "pandas", CHUNKS: "chunks", TEXT: "text", BINARY: "binary"}
    named = {**plain, OURS: "query", STAGE: "stage"}
    return [
        contestant(
            __file__,
            name,
            function,
            image="drift" if name in (OURS, STAGE) else "",
            url=url,
            s3=s3,
            path=str(folder / f"{function}.parquet"),
        )
        for name, function in named.items()
        if all_in_memory or function != "pandas"
    ]


def measure(options: Namespace, sizes: list[int], repetitions: int) -> dict[int, Runs]:
    """The measurements per number of rows; the largest size once."""
    from services import postgres, s3

    found = {}
    with postgres() as url, s3() as variables, tempfile.TemporaryDirectory() as folder:
        make_table(url)
        for rows in sizes:
            fill(url, rows)
            large = rows > 1_000_000
            field = contestants(url, variables, Path(folder), all_in_memory=not large or options.pandas_at_largest)
            field = competing_with(options.before, field, [OURS, STAGE])
            found[rows] = in_turns(field, 1 if large else repetitions, warm_up=not large)
    return found


def report(found: dict[int, Runs], *, write: bool) -> None:
    """Tables, goals and a plot."""
    from plots import bars

    largest = max(found)
    text = "\n\n".join(f"**{rows:,} rows**\n\n{run_table(runs, next(iter(runs)))}" for rows, runs in found.items())
    goals = []
    if 1_000_000 in found:
        runs = found[1_000_000]
        ratio = median(runs[PANDAS]) / median(runs[OURS])
        goals.append(Goal("annotations to Parquet, 1 million rows", "4 x pandas", f"{ratio:.1f} x", ratio >= 4))
        whole = median(runs[PANDAS]) / median(runs[STAGE])
        goals.append(Goal("the same, the whole stage with uploads", "-", f"{whole:.1f} x", None))
        limits = [f"{median(runs[PANDAS]) / median(runs[name]):.1f} x" for name in (TEXT, BINARY)]
        text += "\n\nPostgreSQL alone is {} as fast as pandas as text, {} in its binary format.".format(*limits)
        if write:
            heights = {name: [run.seconds for run in done] for name, done in runs.items()}
            bars(plot_path("annotations"), "1 million annotations to Parquet", heights, "seconds")
            text += f"\n\n{picture('annotations', 'Seconds for 1 million annotations, per contestant')}"
    peak = max(run.answer["peak_mib"] for run in found[largest][STAGE])
    goals.append(Goal(f"memory of the stage, {largest:,} rows", "300 MiB", f"{peak:.0f} MiB", peak < 300))
    packages = ["pandas", "pyarrow", "psycopg2-binary", "adbc-driver-postgresql"]
    publish("annotations", goals, text, write=write, packages=packages)


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=5, largest=1_000_000, pandas_at_largest=0)
    sizes = [10_000, 100_000] if options.quick else sorted({100_000, 1_000_000, options.largest})
    report(measure(options, sizes, options.repetitions or (2 if options.quick else 5)), write=options.publish)


if __name__ == "__main__":
    play(CONTESTANTS)
    main()
