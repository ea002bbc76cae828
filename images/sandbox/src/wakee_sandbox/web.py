"""Serve a web application until SIGTERM."""

import uvicorn
from starlette.types import ASGIApp

SHUTDOWN_SECONDS = 5


def serve(app: ASGIApp, port: int) -> None:
    """Serve on all addresses, in this process, with our log format."""
    uvicorn.run(
        app,
        host="0.0.0.0",  # noqa: S104 - other pods must reach it
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
