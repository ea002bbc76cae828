"""Access to the sandbox's services from this machine."""

from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import ObjectStore

from wakee_tools.paths import OVERLAYS


def environment(name: str) -> dict[str, str]:
    """Read the variables of one of the kind overlay's files, e.g. `secrets.env`."""
    lines = (OVERLAYS / "kind" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def store() -> ObjectStore:
    """Open the sandbox's bucket."""
    variables = environment("secrets.env") | environment("config.env") | {"R2_ENDPOINT_URL": "http://localhost:8333"}
    return ObjectStore(R2Settings.model_validate(variables))


def database() -> DatabaseSettings:
    """The settings of the sandbox's database in place of NeonDB."""
    url = environment("secrets.env")["NEON_DATABASE_URL"].replace("@neondb:5432", "@localhost:15432")
    return DatabaseSettings.model_validate({"NEON_DATABASE_URL": url})
