"""Time windows of a run. All times are naive UTC, as in the database."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from wakee_common.errors import BadInputError
from wakee_common.times import parse_utc


@dataclass(frozen=True)
class Windows:
    """The look-back window and the reference window before it; starts inclusive, ends exclusive.

    Attributes:
        report_date: The day that the report is filed under.
        reference_start: Start of the reference window, which ends where the look-back window starts.
        start: Start of the look-back window.
        end: End of the look-back window.
    """

    report_date: date
    reference_start: datetime
    start: datetime
    end: datetime


def windows_until(until: str, look_back_days: int, reference_days: int) -> Windows:
    """Return the windows that end with a day or at a timestamp.

    Args:
        until: An ISO 8601 date, meaning the whole of that day, or a timestamp, exclusive; without offset it is UTC.
        look_back_days: Length of the look-back window in days.
        reference_days: Length of the reference window in days.

    Raises:
        BadInputError: `until` is neither, or the windows leave the calendar.
    """
    try:
        report_date, end = _end(until)
        start = end - timedelta(days=look_back_days)
        return Windows(report_date, start - timedelta(days=reference_days), start, end)
    except ValueError as error:
        raise BadInputError(f"--until {until!r} is not an ISO 8601 date or timestamp: {error}") from None
    except OverflowError:
        raise BadInputError(
            f"--until {until!r} is out of range: dates must exist {look_back_days + reference_days} days before it "
            "and one day after it"
        ) from None


def _end(until: str) -> tuple[date, datetime]:
    try:
        day = date.fromisoformat(until)
    except ValueError:
        moment = parse_utc(until)
        return moment.date(), moment
    return day, datetime.combine(day, time()) + timedelta(days=1)
