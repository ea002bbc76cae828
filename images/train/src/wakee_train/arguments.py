"""Parse the arguments that Airflow's templates render as text."""

from pydantic import NonNegativeInt, TypeAdapter, ValidationError
from wakee_common.errors import BadInputError
from wakee_common.times import parse_utc


def report_id(text: str) -> int | None:
    """Parse a drift report id. Airflow renders a missing one as "", "None" or "null".

    Raises:
        BadInputError: the text is neither of these nor a number.
    """
    if text in ("", "None", "null"):
        return None
    try:
        return TypeAdapter(NonNegativeInt).validate_python(text)
    except ValidationError:
        raise BadInputError(f"--drift-report-id {text[:40]!r} is not a valid id") from None


def moment(text: str) -> str:
    """Convert a timestamp to UTC in the database's notation; an empty text stays empty.

    Raises:
        BadInputError: the text is not an ISO 8601 timestamp.
    """
    try:
        return parse_utc(text).isoformat(sep=" ") if text else ""
    except (ValueError, OverflowError):
        raise BadInputError(f"--until {text[:40]!r} is not an ISO 8601 timestamp") from None
