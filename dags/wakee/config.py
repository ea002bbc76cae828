"""What a cluster may choose about stage pods, read from the environment of the Airflow components."""

import json
import os
from dataclasses import dataclass, field


def _variable(name: str, default: str) -> str:
    return os.environ.get(f"WAKEE_{name}", default)


@dataclass(frozen=True)
class PipelineConfig:
    """Settings of the stage pods; each field is the variable `WAKEE_<FIELD>` in upper case."""

    namespace: str = field(default_factory=lambda: _variable("NAMESPACE", "wakee"))
    version: str = field(default_factory=lambda: _variable("VERSION", "0.1.0"))
    secret_name: str = field(default_factory=lambda: _variable("SECRET_NAME", "wakee-secrets"))
    config_name: str = field(default_factory=lambda: _variable("CONFIG_NAME", "wakee-config"))
    service_account: str = field(default_factory=lambda: _variable("SERVICE_ACCOUNT", "wakee-stage"))
    priority_class: str = field(default_factory=lambda: _variable("PRIORITY_CLASS", "wakee-stage"))
    image_pull_secret: str = field(default_factory=lambda: _variable("IMAGE_PULL_SECRET", ""))
    gpu_count: int = field(default_factory=lambda: int(_variable("GPU_COUNT", "0")))
    gpu_resource: str = field(default_factory=lambda: _variable("GPU_RESOURCE", "nvidia.com/gpu"))
    gpu_node_selector: dict[str, str] = field(default_factory=lambda: json.loads(_variable("GPU_NODE_SELECTOR", "{}")))
    gpu_wait_seconds: int = field(default_factory=lambda: int(_variable("GPU_WAIT_SECONDS", "1800")))

    def image(self, name: str) -> str:
        """The image of one of our stage packages, from `WAKEE_<NAME>_IMAGE`."""
        return _variable(f"{name.upper()}_IMAGE", f"localhost/wakee/{name}:unset")
