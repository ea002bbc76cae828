"""Timestamps, which the database stores in UTC without a time zone."""

from datetime import UTC, datetime


def parse_utc(text: str) -> datetime:
    """Parse a timestamp into a naive datetime in UTC, as in the database.

    Args:
        text: ISO 8601; UTC if it has no offset.

    Raises:
        ValueError: it is not a timestamp.
        OverflowError: in UTC it is outside the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
