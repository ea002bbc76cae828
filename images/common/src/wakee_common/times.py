"""Moments, which the database keeps as UTC without saying so."""

from datetime import UTC, datetime


def parse_utc(text: str) -> datetime:
    """A moment in UTC, naive as in the database.

    Args:
        text: ISO 8601; UTC when it names no offset.

    Raises:
        ValueError: it is not a moment.
        OverflowError: it is a year 1 that is a year 0 in UTC.
    """
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
