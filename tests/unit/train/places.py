"""Where an environment publishes its models."""

from dataclasses import dataclass

from huggingface_hub import HfApi
from mlflow import MlflowClient

from support.sandbox import HUB_TOKEN

from .environment import Environment


@dataclass
class Places:
    """The Hub and MLflow of an environment, with the names that its stages use there."""

    environment: Environment

    @property
    def repository(self) -> str:
        return self.environment.variables["HF_MODEL_REPO"]

    @property
    def hub(self) -> HfApi:
        return HfApi(endpoint=self.environment.variables["HF_ENDPOINT"], token=HUB_TOKEN)

    @property
    def mlflow(self) -> MlflowClient:
        return MlflowClient(self.environment.variables["MLFLOW_TRACKING_URI"])

    @property
    def model(self) -> str:
        return self.environment.variables["MLFLOW_MODEL_NAME"]
