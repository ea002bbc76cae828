"""Settings of the places that models and their records are written to."""

from dataclasses import dataclass
from urllib.parse import quote

from pydantic import Field, SecretStr
from wakee_common import hub
from wakee_common.settings import HTTP_ADDRESS, DatabaseSettings, Settings, load
from wakee_contract.model import EXPERIMENT, REGISTERED_MODEL, mlflow_run_page


class HubSettings(hub.HubSettings):
    """The Hub, with write access."""

    token: SecretStr = Field(alias="HF_TOKEN", description="A token with write access to the repository.")
    private: bool = Field(
        False, alias="HF_PRIVATE", description="Whether a repository that the pipeline creates is private."
    )


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
    """What the model card says beside the figures: the license, and pages of MLflow."""

    license: str = Field(
        "apache-2.0",
        alias="WAKEE_MODEL_LICENSE",
        pattern="^[a-z0-9.+-]{1,64}$",
        description="License of published models, by its id on the Hub.",
    )

    ui: str = Field(
        "", alias="WAKEE_MLFLOW_UI", description="Address of MLflow for browsers. Empty: no link in the model card."
    )
    model: str = Field(REGISTERED_MODEL, alias="MLFLOW_MODEL_NAME", description="Name in the model registry.")

    @property
    def address(self) -> str:
        """The URL of the MLflow web page, if known."""
        return f"{self.ui.rstrip('/')}/#/models/{quote(self.model, safe='')}" if self.ui else ""

    def run(self, experiment_id: str, run_id: str) -> str:
        """The URL of the run's page, or the run's id if the URL is unknown."""
        return mlflow_run_page(self.ui, experiment_id, run_id) if self.ui else run_id


@dataclass(frozen=True)
class Targets:
    """The places that a promotion is written to, besides the bucket."""

    hub: HubSettings
    tracking: TrackingSettings
    database: DatabaseSettings

    @classmethod
    def load(cls) -> "Targets":
        """Read all of them from the environment. Raises as `wakee_common.settings.load`."""
        return cls(load(HubSettings), load(TrackingSettings), load(DatabaseSettings))


class ProcessSettings(Settings):
    """The number of training processes."""

    processes: int = Field(
        0,
        ge=0,
        le=64,
        alias="WAKEE_TRAINING_PROCESSES",
        description="Number of training processes. 0: one for each GPU, or one without GPUs.",
    )
