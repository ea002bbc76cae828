"""Settings of the health check: the services to check, and the probes' timeouts."""

from pydantic import Field, SecretStr
from wakee_common import hub
from wakee_common.settings import HTTP_ADDRESS, Settings
from wakee_contract.model import REGISTERED_MODEL


class ProbeSettings(Settings):
    """Timeouts of the probes."""

    timeout_seconds: float = Field(
        10, gt=0, le=300, alias="HEALTH_TIMEOUT_SECONDS", description="How long a probe waits for one answer."
    )
    startup_wait_seconds: float = Field(
        5,
        ge=0,
        le=300,
        alias="HEALTH_STARTUP_WAIT_SECONDS",
        description=(
            "Age of its process, in seconds, at which a probe opens its first connection. Before the network policies "
            "of its pod take effect, it could reach what they forbid. 0: immediately."
        ),
    )


class ApiSettings(Settings):
    """The Wakee API."""

    url: str = Field(
        alias="WAKEE_API_URL", pattern=HTTP_ADDRESS, description="Base address of the Wakee API, http(s)://host."
    )


class SourcingSettings(Settings):
    """The page where people correct the scores."""

    url: str = Field(
        alias="APP_SOURCING_URL", pattern=HTTP_ADDRESS, description="Address of the sourcing page, http(s)://host."
    )


class HubSettings(hub.HubSettings):
    """The Hub, with read access."""


class RegistrySettings(Settings):
    """The model registry of an MLflow server."""

    uri: str = Field(
        alias="MLFLOW_TRACKING_URI", pattern=HTTP_ADDRESS, description="Address of the MLflow server, http(s)://host."
    )
    model: str = Field(REGISTERED_MODEL, alias="MLFLOW_MODEL_NAME", description="Name in the model registry.")
    token: SecretStr = Field(
        SecretStr(""), alias="MLFLOW_TRACKING_TOKEN", description="Bearer token, if the server requires one."
    )
