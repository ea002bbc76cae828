"""Reading requests, telling who asks, and saying no."""

import hmac
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wakee_sandbox.hub.errors import HubError, wrong_token
from wakee_sandbox.hub.repositories import Hub
from wakee_sandbox.hub.repository import Repository


class KeepPathsQuoted:
    """Lets a route see `%2F` as the client sent it, so that a branch's name may hold a slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the raw path as its path."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("ascii")}
        await self._app(scope, receive, send)


def refuse(_request: Request, error: Exception) -> Response:
    """A refusal, with the headers by which the client knows it."""
    assert isinstance(error, HubError)  # noqa: S101 - registered for this class only
    headers = {"X-Error-Message": " ".join(str(error).encode("ascii", "replace").decode().split())}
    if error.code:
        headers["X-Error-Code"] = error.code
    return JSONResponse({"error": str(error)}, error.status, headers)


def hub_of(request: Request) -> Hub:
    """The hub that this server serves."""
    hub: Hub = request.app.state.hub
    return hub


def owner_of(request: Request) -> str:
    """The user to whom the token belongs."""
    owner: str = request.app.state.owner
    return owner


def part(request: Request, name: str) -> str:
    """A part of the path, unquoted."""
    return unquote(request.path_params.get(name, ""))


def repository_of(request: Request, *, writing: bool = False) -> Repository:
    """The repository that the path names.

    Raises:
        HubError: no such repository, a wrong token, or none where one is needed.
    """
    known = has_token(request)
    if writing and not known:
        raise wrong_token()
    return hub_of(request).repository(f"{part(request, 'namespace')}/{part(request, 'name')}", with_private=known)


def has_token(request: Request) -> bool:
    """Whether the request comes with our token; False when with none.

    Raises:
        HubError: it comes with another.
    """
    given = request.headers.get("authorization", "")
    if not given:
        return False
    expected = f"Bearer {request.app.state.token}"
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise wrong_token()
    return True


def need_token(request: Request) -> None:
    """Let only our token pass.

    Raises:
        HubError: there is none, or another.
    """
    if not has_token(request):
        raise wrong_token()


def base_url(request: Request) -> str:
    """The address under which the client reaches us."""
    return str(request.base_url).rstrip("/")


def truth(text: str | None) -> bool:
    """A flag of a query or a form."""
    return (text or "").lower() in ("1", "true", "yes")
