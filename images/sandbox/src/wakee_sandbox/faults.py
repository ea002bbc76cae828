"""Fault injection for a service, for tests of alerts."""

import asyncio
from typing import Literal

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

SWITCH = "/_fault"
ALIVE = "/_live"


class Fault(BaseModel):
    """The fault and the requests that it applies to: status 503, a late response, or a wrong response."""

    mode: Literal["none", "down", "slow", "wrong"] = "none"
    seconds: float = Field(default=20, ge=0, le=600, description="Delay of a slow answer, in seconds.")
    path: str = Field(default="", description="Only for requests whose path contains this text.")


class FaultSwitch:
    """Middleware with `POST /_fault {"mode": "none|down|slow|wrong"}`. For probes, `/_live` works in every mode."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._fault = Fault()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond instead of the application if the mode requires it."""
        answer = await self._answer(Request(scope, receive)) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        if request.url.path == ALIVE:
            return PlainTextResponse("ok")
        if request.url.path == SWITCH:
            return await self._switch(request)
        if self._fault.path not in request.url.path:
            return None
        if self._fault.mode == "down":
            return PlainTextResponse("Service Unavailable", 503)
        if self._fault.mode == "wrong":
            return JSONResponse({"unexpected": True})
        if self._fault.mode == "slow":
            await asyncio.sleep(self._fault.seconds)
        return None

    async def _switch(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._fault = Fault.model_validate_json(await request.body())
            except ValidationError as error:
                return JSONResponse({"detail": error.errors(include_url=False, include_context=False)}, 422)
        return JSONResponse(self._fault.model_dump())
