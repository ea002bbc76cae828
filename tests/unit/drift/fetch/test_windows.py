"""Windows of days, in UTC."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakee_common.errors import BadInputError
from wakee_drift.fetch.windows import windows_until


@pytest.mark.parametrize(
    ("until", "report_date", "end"),
    [
        pytest.param("2026-03-31", date(2026, 3, 31), datetime(2026, 4, 1), id="a-date-is-its-whole-day"),
        pytest.param("2024-02-28", date(2024, 2, 28), datetime(2024, 2, 29), id="leap-year"),
        pytest.param("2026-12-31", date(2026, 12, 31), datetime(2027, 1, 1), id="new-year"),
        pytest.param("2026-03-31T02:00:00", date(2026, 3, 31), datetime(2026, 3, 31, 2), id="naive-is-utc"),
        pytest.param("2026-03-31T02:00:00Z", date(2026, 3, 31), datetime(2026, 3, 31, 2), id="utc"),
        pytest.param("2026-03-31T02:00:00+00:00", date(2026, 3, 31), datetime(2026, 3, 31, 2), id="utc-offset"),
        pytest.param("2026-03-31T01:00:00+02:00", date(2026, 3, 30), datetime(2026, 3, 30, 23), id="another-offset"),
        pytest.param("2026-03-31T00:00:00Z", date(2026, 3, 31), datetime(2026, 3, 31), id="midnight-is-exclusive"),
    ],
)
def test_the_end(until, report_date, end):
    windows = windows_until(until, 7, 28)

    assert (windows.report_date, windows.end) == (report_date, end)
    assert windows.start == end - timedelta(days=7)
    assert windows.reference_start == end - timedelta(days=35)


@pytest.mark.parametrize(
    "until", ["", "yesterday", "2026-02-30", "31/03/2026", "0001-01-05", "9999-12-31", "2026-03-31x"]
)
def test_what_is_no_end(until):
    with pytest.raises(BadInputError, match=r"ISO 8601|out of range"):
        windows_until(until, 7, 28)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(1, 366), st.integers(1, 3660))
def test_windows_touch_and_never_overlap(day, look_back_days, reference_days):
    today = windows_until(day.isoformat(), look_back_days, reference_days)
    tomorrow = windows_until((day + timedelta(days=1)).isoformat(), look_back_days, reference_days)

    assert today.reference_start < today.start < today.end
    assert tomorrow.end - today.end == timedelta(days=1)
