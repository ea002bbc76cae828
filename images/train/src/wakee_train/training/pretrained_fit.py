"""Check whether timm has pretrained weights of a backbone and whether they fit another size, without a download."""

import logging

import torch
from wakee_common.errors import ConfigurationError, one_line

from wakee_train.training.backbone import create_fitted, import_timm, native_size

logger = logging.getLogger(__name__)


def check_pretrained(backbone: str, image_size: int, start: str) -> None:
    """Check that a training can start from pretrained weights.

    With `start=auto`, production weights have priority, so a problem is only a warning.

    Raises:
        ConfigurationError: timm has no such weights, or none that fit this size.
    """
    if start not in ("auto", "imagenet") or not (problem := pretrained_problem(backbone, image_size)):
        return
    if start == "imagenet":
        raise ConfigurationError(f"{problem}, start=random or another backbone")
    logger.warning("start=auto works with production weights of this backbone only: %s, or start=random", problem)


def pretrained_problem(backbone: str, image_size: int) -> str:
    """Why a backbone of this size has no pretrained weights, with a remedy; empty if it has."""
    if not import_timm().models.is_model_pretrained(backbone):
        return f"timm has no pretrained weights of {backbone}. Choose start=hub"
    if not (misfit := _misfit(backbone, image_size)):
        return ""
    size = native_size(backbone)
    return f"timm's pretrained weights of {backbone} are for {size} px and do not fit {image_size} px ({misfit}). " + (
        f"Choose image_size={size}"
    )


def _misfit(backbone: str, image_size: int) -> str:
    """The error from timm when it loads weights of the original shapes at this size; empty if they fit."""
    if native_size(backbone) == image_size:
        return ""
    configuration = import_timm().get_pretrained_cfg(backbone)
    try:
        with torch.device("meta"):
            original = create_fitted(backbone, native_size(backbone), num_classes=configuration.num_classes)
            weights = {"state_dict": original.state_dict(), "custom_load": False, "source": ""}
            create_fitted(backbone, image_size, pretrained=True, pretrained_cfg_overlay=weights)
    except RuntimeError as error:
        return one_line(error, 200) if "size mismatch" in str(error) else ""
    except Exception as error:
        logger.info("could not check whether the pretrained weights of %s fit: %s", backbone, one_line(error))
    return ""
