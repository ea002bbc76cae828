"""The folder with which MLflow's ONNX flavour loads the model: `MLmodel` with a signature, and an input example.

The files are written without MLflow's `save_model`, because that needs pandas, which the image does not have.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wakee_contract.emotions import EMOTIONS
from wakee_contract.model import ONNX, OUTPUT
from wakee_contract.pictures import CROPPED

from wakee_train.records import Export

MODEL_FOLDER = "model"
EXAMPLE, SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"
COLOURS = 3
PICTURE_SHAPE = (COLOURS, CROPPED, CROPPED)


def write_ml_model(folder: Path, run_id: str, export: Export) -> None:
    """Write `MLmodel` and the input example, beside the ONNX file.

    The example is one uniformly grey picture, because no picture of a person may leave the bucket.
    """
    picture = [[[[0.0] * CROPPED] * CROPPED] * COLOURS]
    (folder / EXAMPLE).write_text(json.dumps(picture))
    (folder / SERVING_EXAMPLE).write_text(json.dumps({"inputs": picture}))
    (folder / "MLmodel").write_text(json.dumps(_description(run_id, export), indent=2))


def _description(run_id: str, export: Export) -> dict[str, Any]:
    runtime = {"data": ONNX, "providers": ["CPUExecutionProvider"], "code": None}
    return {
        "artifact_path": MODEL_FOLDER,
        "run_id": run_id,
        "flavors": {
            "onnx": {**runtime, "onnx_version": version("onnx")},
            "python_function": {"loader_module": "mlflow.onnx", "data": ONNX, "env": {}},
        },
        "metadata": {"onnx_sha256": export.onnx_sha256, "emotions": list(EMOTIONS)},
        "signature": _signature(),
        "saved_input_example_info": {
            "artifact_path": EXAMPLE,
            "serving_input_path": SERVING_EXAMPLE,
            "type": "ndarray",
        },
    }


def _signature() -> dict[str, str | None]:
    """Any number of prepared pictures, and their levels. The input has no name, so that an array is accepted."""
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    number = np.dtype("float32")
    pictures = Schema([TensorSpec(number, (-1, *PICTURE_SHAPE))])
    levels = Schema([TensorSpec(number, (-1, len(EMOTIONS)), OUTPUT)])
    return {"inputs": json.dumps(pictures.to_dict()), "outputs": json.dumps(levels.to_dict()), "params": None}
