"""A mail server and a webhook that only store what they receive, readable over HTTP.

`GET /messages` and `GET /webhook` list it, `DELETE` deletes it.
"""

import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from wakee_common.errors import ConfigurationError

MOST_KEPT = 1000


class Mailbox:
    """The received messages, oldest first, in a bounded queue."""

    def __init__(self) -> None:
        self.messages: deque[dict[str, Any]] = deque(maxlen=MOST_KEPT)
        self.posts: deque[Any] = deque(maxlen=MOST_KEPT)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Receive a message."""
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        body = message.get_body(("html", "plain"))
        self.messages.append(
            {
                "from": envelope.mail_from,
                "to": list(envelope.rcpt_tos),
                "subject": str(message["subject"]),
                "body": body.get_content() if body else "",
                "tls": session.ssl is not None,
            }
        )
        return "250 OK"


def application(smtp_port: int, certificate: Path | None = None, key: Path | None = None) -> Starlette:
    """Create the web application of the mailbox, which also runs the mail server.

    Args:
        smtp_port: Port of the mail server.
        certificate: PEM file. With one, clients must use TLS (STARTTLS).
        key: The certificate's key, if it is in a separate file.
    """
    mailbox, context = Mailbox(), _tls(certificate, key)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        options: dict[str, Any] = {"tls_context": context, "require_starttls": True} if context else {}
        server = Controller(mailbox, hostname="0.0.0.0", port=smtp_port, **options)  # noqa: S104 - for other pods
        server.start()
        yield
        server.stop()

    async def messages(request: Request) -> Response:
        return _listed(request, mailbox.messages)

    async def webhook(request: Request) -> Response:
        if request.method == "POST":
            mailbox.posts.append(await request.json())
            return PlainTextResponse("ok")
        return _listed(request, mailbox.posts)

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def start(_request: Request) -> Response:
        return RedirectResponse("/messages")

    routes = [
        Route("/", start),
        Route("/_live", live),
        Route("/messages", messages, methods=["GET", "DELETE"]),
        Route("/webhook", webhook, methods=["GET", "POST", "DELETE"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise ConfigurationError(f"cannot read a certificate and a key from {certificate}: {error}") from error
    return context


def _listed(request: Request, kept: deque[Any]) -> Response:
    if request.method == "DELETE":
        kept.clear()
    return JSONResponse(list(kept))
