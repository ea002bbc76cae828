"""Which annotations belong to a window."""

from datetime import datetime, timedelta

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
