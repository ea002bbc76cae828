"""Where models and their records go."""

from urllib.parse import quote

from pydantic import Field, SecretStr
from wakee_common import hub
from wakee_common.settings import HTTP_ADDRESS, Settings
from wakee_contract.model import EXPERIMENT, REGISTERED_MODEL


class HubSettings(hub.HubSettings):
    """The Hub, to write to."""

    token: SecretStr = Field(alias="HF_TOKEN", description="A token that may write to the repository.")
    private: bool = Field(False, alias="HF_PRIVATE", description="Whether a repository that we make is private.")


class TrackingSettings(Settings):
    """An MLflow server."""

    uri: str = Field(
        alias="MLFLOW_TRACKING_URI",
        pattern=HTTP_ADDRESS,
        description="Address of the MLflow server, http(s)://host:port.",
    )
    experiment: str = Field(EXPERIMENT, alias="MLFLOW_EXPERIMENT_NAME", description="The experiment's name.")
    model: str = Field(REGISTERED_MODEL, alias="MLFLOW_MODEL_NAME", description="Name in the model registry.")


class ModelPage(Settings):
    """The registered model's page in MLflow, for people who read the model card."""

    ui: str = Field(
        "", alias="WAKEE_MLFLOW_UI", description="Where a browser finds MLflow; no link in the model card when empty."
    )
    model: str = Field(REGISTERED_MODEL, alias="MLFLOW_MODEL_NAME", description="Name in the model registry.")

    @property
    def address(self) -> str:
        """The page's address, if known. A run has no id yet when its card is written; the page names each one's."""
        return f"{self.ui.rstrip('/')}/#/models/{quote(self.model, safe='')}" if self.ui else ""


class ProcessSettings(Settings):
    """How many processes train together."""

    processes: int = Field(
        0, ge=0, le=64, alias="WAKEE_TRAINING_PROCESSES", description="Processes; 0: one for each GPU, or one in all."
    )
