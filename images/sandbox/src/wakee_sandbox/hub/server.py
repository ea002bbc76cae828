"""The Hub double as a server."""

from pathlib import Path

from pydantic import Field, SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wakee_common.settings import Settings

from wakee_sandbox.faults import FaultSwitch
from wakee_sandbox.hub import api, pages, transfer
from wakee_sandbox.hub.accounts import Account
from wakee_sandbox.hub.errors import HubError
from wakee_sandbox.hub.repositories import Hub
from wakee_sandbox.hub.requests import KeepPathsQuoted, refuse


class HubSettings(Settings):
    """The tokens of the Hub double."""

    token: SecretStr = Field(alias="HF_TOKEN", description="The token with read and write access to everything.")
    owner: str = Field("wakee", alias="HF_SANDBOX_USER", description="The owner of the token.")
    others: dict[str, Account] = Field(
        default_factory=dict, alias="HF_SANDBOX_ACCOUNTS", description="JSON: permissions of other tokens, for tests."
    )

    @property
    def accounts(self) -> dict[str, Account]:
        """The accounts by token."""
        return {**self.others, self.token.get_secret_value(): Account(user=self.owner, everywhere=True)}


async def health(_request: Request) -> Response:
    """Respond to health checks."""
    return JSONResponse({"status": "healthy"})


def application(data: Path, settings: HubSettings) -> Starlette:
    """Create the Hub double for a data directory that no other process uses."""
    app = Starlette(
        routes=[Route("/health", health), *api.ROUTES, *transfer.ROUTES, *pages.ROUTES],
        middleware=[Middleware(FaultSwitch), Middleware(KeepPathsQuoted)],
        exception_handlers={HubError: refuse},
    )
    app.state.hub = Hub(data)
    app.state.token = settings.token.get_secret_value()
    app.state.accounts = settings.accounts
    return app
