"""`config.json` of the Hub repository: the machine-readable description of the model.

timm reads it as well: `timm.create_model("hf-hub:NAMESPACE/NAME", pretrained=True)` builds the backbone with our
weights, and `timm.data.resolve_model_data_config` returns its preprocessing. The keys `architecture`, `num_classes`,
`label_names` and `pretrained_cfg` are defined by timm, the others by us.
"""

from typing import Any

from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.model import INPUT, OUTPUT
from wakee_contract.pictures import CROPPED, DEVIATION, MEAN, RESIZED

from wakee_train.data.pictures import PREPROCESSING
from wakee_train.evaluation.split_rules import CONFIG_KEY
from wakee_train.records import Evaluation, Export, Training


def model_config(
    evaluation: Evaluation, training: Training, export: Export, lineage: dict[str, str]
) -> dict[str, object]:
    """The content of `config.json`."""
    return {
        "version": evaluation.version,
        "architecture": training.settings.backbone,
        "num_classes": len(EMOTIONS),
        "label_names": list(EMOTIONS),
        "pretrained_cfg": timm_settings(training.settings.image_size),
        "image_size": training.settings.image_size,
        "input": {"name": INPUT, "shape": ["N", 3, CROPPED, CROPPED], "resize": RESIZED, "crop": CROPPED},
        "output": {
            "name": OUTPUT,
            "shape": ["N", len(EMOTIONS)],
            "lowest": int(LOWEST_LEVEL),
            "highest": int(HIGHEST_LEVEL),
        },
        "preprocessing": PREPROCESSING,
        "onnx_sha256": export.onnx_sha256,
        "onnx_int8_sha256": export.int8.sha256 if export.int8 else None,
        "weights_sha256": training.weights_sha256,
        "dataset_id": training.dataset_id,
        CONFIG_KEY: evaluation.split_rule,
        "lineage": lineage,
    }


def timm_settings(image_size: int) -> dict[str, Any]:
    """The preprocessing of the backbone in timm's terms.

    If the backbone's input size differs from that of the exported model, timm resizes directly to the backbone's size,
    so its pixels differ slightly from those that the ONNX graph resizes.

    Args:
        image_size: Pixels per side of the backbone's input.
    """
    return {
        "input_size": [3, image_size, image_size],
        "interpolation": "bilinear",
        "crop_mode": "squash",
        "crop_pct": CROPPED / RESIZED,
        "mean": list(MEAN),
        "std": list(DEVIATION),
    }
