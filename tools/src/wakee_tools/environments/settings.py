"""The settings file of an environment, e.g. environments/production.yaml."""

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from wakee_common.errors import ConfigurationError
from wakee_common.settings import R2Settings

from wakee_tools.environments import variables
from wakee_tools.shell import ToolError

Image = Annotated[str, Field(pattern=r"^[\w.-]+(:\d+)?(/[\w.-]+)+(@sha256:[0-9a-f]{64}|:[\w.-]{1,128})$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$")]


class Section(BaseModel):
    """A mapping of the file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Namespaces(Section):
    """The two namespaces, which no other environment of the cluster uses."""

    stages: Name
    airflow: Name

    @model_validator(mode="after")
    def _differ(self) -> "Namespaces":
        if self.stages == self.airflow:
            raise ValueError("the two namespaces must differ")
        return self


class Images(Section):
    """Images by digest, or by tag."""

    airflow: Image
    drift: Image
    health: Image
    train: Image
    xcom: Image | None = None
    pushgateway: Image | None = None
    pull_secret: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The images as variables of Airflow's components."""
        stages = {"drift": self.drift, "health": self.health, "train": self.train, "xcom": self.xcom or self.drift}
        found = {f"WAKEE_{name.upper()}_IMAGE": image for name, image in stages.items()}
        return found | ({"WAKEE_IMAGE_PULL_SECRET": self.pull_secret} if self.pull_secret else {})


class Gpu(Section):
    """GPUs for `fine_tune`."""

    count: Annotated[int, Field(ge=0, le=64)] = 0
    resource: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] = "nvidia.com/gpu"
    node_selector: dict[str, str] = {}
    wait_seconds: Annotated[int, Field(ge=0)] = 1800


class Airflow(Section):
    """Airflow: where its page is, where its logs go, its variables, and Helm values on top of all others."""

    url: str = Field(pattern=r"^https?://[^/\s]+(/\S*)?$")
    logs: str = Field(pattern=r"^s3://[a-z0-9.-]+/\S+$")
    preset: str = "values-production.yaml"
    variables: dict[str, str] = {}
    values: dict[str, Any] = {}

    @field_validator("variables")
    @classmethod
    def _known(cls, given: dict[str, str]) -> dict[str, str]:
        return variables.checked(given, variables.AIRFLOW)


class Environment(Section):
    """One environment.

    Attributes:
        name: Its name, e.g. "staging".
        stages: Variables of the stages (ConfigMap wakee-config), listed in docs/configuration.md.
        monitoring: Whether the Pushgateway, rules and dashboards are installed.
        resources: Files with more Kubernetes objects, beside the settings file. They are applied unchanged.
        folder: Folder of the settings file.
    """

    name: Name
    namespaces: Namespaces
    images: Images
    stages: dict[str, str]
    airflow: Airflow
    gpu: Gpu = Gpu()
    monitoring: bool = True
    resources: list[str] = []
    folder: Path = Path()

    @field_validator("stages")
    @classmethod
    def _known(cls, given: dict[str, str]) -> dict[str, str]:
        variables.checked(given, variables.STAGES, complete=True)
        if faults := _faults_of_r2(given):
            raise ValueError(faults)
        return given

    @model_validator(mode="after")
    def _pushgateway(self) -> "Environment":
        if self.monitoring and not self.images.pushgateway:
            raise ValueError("images.pushgateway is missing: name the image, or set monitoring to false")
        return self


def load(path: Path) -> Environment:
    """Read and check a settings file.

    Raises:
        ToolError: it does not exist, is not YAML, or a key is missing, unknown or wrong. All faults are named.
    """
    try:
        given = yaml.safe_load(path.read_text())
    except UnicodeDecodeError:
        raise ToolError(f"Cannot read {path}: it is not a text in UTF-8. Save it as one.") from None
    except OSError as error:
        raise ToolError(
            f"Cannot read {path}: {error.strerror}. Name a file such as environments/production.yaml."
        ) from None
    except yaml.YAMLError as error:
        raise ToolError(
            f"Cannot read {path}: it is not YAML: {' '.join(str(error).split())}. Correct the line."
        ) from None
    if not isinstance(given, dict):
        raise ToolError(f"Cannot read {path}: it is not a mapping. Start from environments/production.yaml.")
    try:
        return Environment.model_validate({**given, "folder": path.resolve().parent})
    except ValidationError as error:
        faults = "; ".join(f"{_key(each['loc'])}: {_cause(each['msg'])}" for each in error.errors())
        raise ToolError(f"{path} is not valid: {faults}. environments/production.yaml explains every key.") from None


def _faults_of_r2(given: dict[str, str]) -> str:
    """The faults that the stages would find in the variables of R2; empty if there are none."""
    secrets = {"R2_ACCESS_KEY_ID": "x", "R2_SECRET_ACCESS_KEY": "x"}
    try:
        _ = R2Settings.model_validate(
            {name: value for name, value in given.items() if name.startswith("R2_")} | secrets
        ).endpoint
    except ValidationError as error:
        return "; ".join(f"{_key(each['loc'])}: {_cause(each['msg'])}" for each in error.errors())
    except ConfigurationError as error:
        return str(error)
    return ""


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the file"


def _cause(message: str) -> str:
    return re.sub(r"^Value error, ", "", message).replace("Extra inputs are not permitted", "unknown key")
