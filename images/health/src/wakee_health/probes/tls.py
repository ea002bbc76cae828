"""Check the certificate of an https address."""

import socket
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from wakee_common.errors import ConfigurationError, UnavailableError, one_line
from wakee_common.startup import retry_refused

WARN_DAYS = 21


def days_left(url: str, timeout_seconds: float, context: ssl.SSLContext | None = None) -> float | None:
    """Return the days until the server's certificate expires; None for plain http.

    Raises:
        ConfigurationError: the address is invalid.
        UnavailableError: no connection, or a certificate that is not valid (expired, another name, unknown issuer).
    """
    try:
        parts = urlsplit(url)
        address = parts.hostname or "", parts.port or 443
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is not a valid address: {one_line(error)}") from error
    if parts.scheme != "https" or not parts.hostname:
        return None
    try:
        with (
            retry_refused(socket.create_connection, address, timeout_seconds) as plain,
            (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise UnavailableError(
            f"the certificate of {parts.hostname} is not valid: {one_line(error.verify_message)}"
        ) from error
    except (OSError, UnicodeError) as error:  # UnicodeError: the name is not valid in DNS
        raise UnavailableError(f"cannot open a TLS connection to {parts.hostname}: {one_line(error)}") from error
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    return (expires - datetime.now(UTC)).total_seconds() / 86400


def expiry_warning(host: str, days: float | None) -> list[str]:
    """Return a warning if the certificate expires soon."""
    soon = days is not None and days < WARN_DAYS
    return [f"the certificate of {host} expires in {days:.0f} days"] if soon else []
