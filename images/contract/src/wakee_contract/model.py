"""Names of the published model: inputs and outputs, files, and its places on the Hub and in the registry."""

from typing import Final

INPUT: Final = "input"
"""The ONNX model's only input: float32, shape (N, 3, 224, 224)."""
OUTPUT: Final = "output"
"""The ONNX model's only output: float32, shape (N, 4), in the order of the emotions."""

ONNX: Final = "model.onnx"
ONNX_INT8: Final = "model_int8.onnx"
SAFETENSORS: Final = "model.safetensors"
PICKLED: Final = "pytorch_model.bin"
CONFIG: Final = "config.json"
CARD: Final = "README.md"
WEIGHTS: Final = (SAFETENSORS, PICKLED)
"""Files with the weights, the preferred one first; a published model has at least one of them."""

PUBLIC_HUB: Final = "https://huggingface.co"
MAIN: Final = "main"
"""The branch of the Hub repository that production follows."""
PROMOTED: Final = ": promoted"
"""End of the title of a commit that promotes a version."""

REGISTERED_MODEL: Final = "wakee-emotions"
EXPERIMENT: Final = "wakee-retrain"
CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
"""Aliases in the model registry."""
VERSION_TAG: Final = "wakee.version"
"""Tag of MLflow runs and registered versions: our name of the version."""
RUN_TAG: Final = "wakee.run"
"""Tag of MLflow runs: the DAG run, as `<dag_id>/<run_id>`."""
CHECKED_TAG: Final = "wakee.checked"
"""Tag of experiment and registered model: the last DAG run that checked its write permission."""


def mlflow_run_page(ui: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run's page in the MLflow UI at `ui`."""
    return f"{ui.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"


def publication(version: str, *, promoted: bool) -> tuple[str, str]:
    """Return the branch and the title of a version's commit. A retry finds the commit by its title."""
    return (MAIN, f"{version}{PROMOTED}") if promoted else (f"candidate/{version}", f"{version}: candidate")
