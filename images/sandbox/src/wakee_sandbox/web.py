"""Serving a web application until told to stop."""

import uvicorn
from starlette.types import ASGIApp

SHUTDOWN_SECONDS = 5


def serve(app: ASGIApp, port: int) -> None:
    """Serve on all addresses, in this one process, with our kind of log lines."""
    uvicorn.run(
        app,
        host="0.0.0.0",  # noqa: S104 - other pods must reach it
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
