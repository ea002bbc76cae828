"""Which annotations belong to a window."""

from datetime import UTC, datetime, timedelta

import pytest


@pytest.mark.parametrize(
    ("at", "columns", "rows"),
    [
        pytest.param(datetime(2026, 3, 25), {}, 1, id="first-moment"),
        pytest.param(datetime(2026, 4, 1) - timedelta(microseconds=1), {}, 1, id="last-moment"),
        pytest.param(datetime(2026, 4, 1), {}, 0, id="after"),
        pytest.param(datetime(2026, 3, 25) - timedelta(microseconds=1), {}, 0, id="before"),
        pytest.param(datetime(2026, 3, 25), {"is_validated": False}, 0, id="not-validated"),
        pytest.param(datetime(2026, 3, 25), {"is_validated": None}, 0, id="perhaps-validated"),
        pytest.param(datetime(2026, 3, 25), {"timestamp": None}, 0, id="no-time"),
        pytest.param(datetime(2026, 3, 25), {"timestamp": "infinity"}, 0, id="the-end-of-time"),
    ],
)
def test_the_window_holds_validated_rows_of_its_days(annotations, pipeline, at, columns, rows):
    annotations.add([[1, 1, 1, 1]], [[1, 1, 1, 1]], at=at, **columns)

    assert pipeline.fetch(min_samples=1)["rows"] == rows


COLUMN = 'ALTER TABLE emotion_labels ALTER COLUMN "timestamp" TYPE {} USING "timestamp" AT TIME ZONE \'UTC\''


@pytest.fixture
def in_zone(annotations):
    """A function: give the database's sessions this zone, and the column this type; both are as before afterwards."""
    (name,) = annotations.execute("SELECT current_database()")[0]

    def change(zone, kind):
        annotations.execute(f"ALTER DATABASE \"{name}\" SET timezone = '{zone}'")
        annotations.execute(COLUMN.format(kind))

    yield change
    annotations.execute(COLUMN.format("timestamp"))
    annotations.execute(f'ALTER DATABASE "{name}" RESET timezone')


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_window_is_in_utc_whatever_the_session_and_the_column(annotations, pipeline, in_zone, zone, kind):
    in_zone(zone, kind)
    for hour in range(-12, 12):
        at = datetime(2026, 3, 25) + timedelta(hours=hour)
        moment = at.replace(tzinfo=UTC) if kind == "timestamptz" else at
        annotations.add([[1, 1, 1, 1]], [[1, 1, 1, 1]], at=moment, prefix=f"hour{hour}-")

    assert pipeline.fetch(min_samples=1)["rows"] == 12
