"""A switch that makes a service misbehave, so that alarms can be seen to ring."""

import asyncio
from typing import Literal

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

SWITCH = "/_fault"
ALIVE = "/_live"


class Fault(BaseModel):
    """How to misbehave, and to which requests: refuse with 503, answer late, or answer what makes no sense."""

    mode: Literal["none", "down", "slow", "wrong"] = "none"
    seconds: float = Field(default=20, ge=0, le=600, description="How late a slow answer is.")
    path: str = Field(default="", description="Only for requests whose path holds this.")


class FaultSwitch:
    """Middleware: `POST /_fault {"mode": "none|down|slow|wrong"}`; `/_live` answers whatever the mode, for probes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._fault = Fault()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the application's place where the mode says so."""
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
