"""Parsing of requests, authentication, and error responses."""

import hmac
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wakee_sandbox.hub.accounts import Account, need_role
from wakee_sandbox.hub.errors import HubError, forbidden, gated_repository, repository_not_found, wrong_token
from wakee_sandbox.hub.repositories import Hub
from wakee_sandbox.hub.repository import Repository


class KeepPathsQuoted:
    """Passes `%2F` to routes as the client sent it, so that a branch name may contain a slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the raw path as the path."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("ascii")}
        await self._app(scope, receive, send)


def refuse(_request: Request, error: Exception) -> Response:
    """Convert a HubError to a response with the headers that the client expects."""
    assert isinstance(error, HubError)  # noqa: S101 - registered for this class only
    headers = {"X-Error-Message": " ".join(str(error).encode("ascii", "replace").decode().split())}
    if error.code:
        headers["X-Error-Code"] = error.code
    return JSONResponse({"error": str(error)}, error.status, headers)


def hub_of(request: Request) -> Hub:
    """Return the hub of this server."""
    hub: Hub = request.app.state.hub
    return hub


def part(request: Request, name: str) -> str:
    """Return a path parameter, unquoted."""
    return unquote(request.path_params.get(name, ""))


def repository_of(request: Request, *, writing: bool = False) -> Repository:
    """Return the repository in the path.

    Raises:
        HubError: the repository does not exist, is not visible or writable for the caller, or the token is invalid.
    """
    account = need_account(request) if writing else account_of(request)
    repository = hub_of(request).repository(f"{part(request, 'namespace')}/{part(request, 'name')}")
    if not visible(repository, account):
        raise repository_not_found()
    if account and writing:
        need_role(account)
        if not account.may_write(repository):
            raise forbidden(f"You don't have write access to {repository.identifier}")
    return repository


def visible(repository: Repository, account: Account | None) -> bool:
    """Whether a repository is visible to a caller, with or without an account."""
    return account.sees(repository) if account else not repository.settings["private"]


def need_download(request: Request, repository: Repository) -> None:
    """Require permission to download files.

    Raises:
        HubError: the repository is gated for the caller.
    """
    account = account_of(request)
    if not (account.may_download(repository) if account else not repository.gated):
        raise gated_repository(403 if account else 401)


def account_of(request: Request) -> Account | None:
    """Return the account of the request's token; None without a token.

    Raises:
        HubError: the token is invalid.
    """
    given = request.headers.get("authorization", "")
    if not given:
        return None
    accounts: dict[str, Account] = request.app.state.accounts
    for token, account in accounts.items():
        if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return account
    raise wrong_token()


def need_account(request: Request) -> Account:
    """Require a valid token.

    Raises:
        HubError: the token is missing or invalid.
    """
    account = account_of(request)
    if account is None:
        raise wrong_token()
    return account


def base_url(request: Request) -> str:
    """The base URL by which the client reaches this server."""
    return str(request.base_url).rstrip("/")


def truth(text: str | None) -> bool:
    """Parse a boolean of a query or a form."""
    return (text or "").lower() in ("1", "true", "yes")
