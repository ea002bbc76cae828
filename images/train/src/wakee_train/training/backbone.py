"""The model: a timm backbone with four outputs and the contract's 224 x 224 input, whatever the backbone's own size."""

import logging
import re
from difflib import get_close_matches
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError, one_line
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.pictures import CROPPED, DEVIATION, MEAN

from wakee_train.training.operators import ensure_operators

logger = logging.getLogger(__name__)

NEAR_NAMES = 3
WRONG_WEIGHTS = re.compile("Invalid pretrained|No pretrained weights exist|loading state_dict")
"""Matches the errors of timm and torch that a retry cannot solve: pretrained weights do not exist or do not fit."""


class EmotionRegressor(nn.Module):
    """Predicts four levels from normalised pictures of shape (N, 3, 224, 224).

    If the backbone has another input size, the pictures are resized inside the model, and therefore inside the
    exported graph. Callers need not know the backbone's size.
    """

    def __init__(self, backbone: nn.Module, image_size: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.image_size = image_size

    def forward(self, pictures: Tensor) -> Tensor:
        """Predict levels, shape (N, 4). They are clipped to the scale, except in training, to preserve gradients."""
        levels: Tensor = self.backbone(self._resized(pictures))
        return levels if self.training else levels.clamp(LOWEST_LEVEL, HIGHEST_LEVEL)

    def _resized(self, pictures: Tensor) -> Tensor:
        if self.image_size == CROPPED:
            return pictures
        if CROPPED % self.image_size == 0:
            return functional.avg_pool2d(pictures, CROPPED // self.image_size)
        size = (self.image_size, self.image_size)
        return functional.interpolate(pictures, size=size, mode="bilinear", align_corners=False)


def make_model(backbone: str, image_size: int, *, pretrained: bool = False) -> EmotionRegressor:
    """Create a model with random weights, or with timm's pretrained weights and a new head.

    A backbone with a fixed input size, such as a ViT, is built for this size, and its pretrained weights are
    interpolated. Not every backbone supports every size; `trial_step.try_backbone` checks that.

    Raises:
        BadInputError: timm does not know the backbone.
        ConfigurationError: the pretrained weights do not exist, do not fit this size, or are missing on the Hub at
            HF_ENDPOINT.
        UnavailableError: the pretrained weights could not be downloaded.
    """
    check_name(backbone)
    try:
        return EmotionRegressor(create_fitted(backbone, image_size, pretrained=pretrained), image_size)
    except Exception as error:
        if not pretrained:
            raise
        raise _no_pretrained(backbone, error) from error


def check_name(backbone: str) -> None:
    """Check that timm knows the backbone.

    Raises:
        BadInputError: timm does not know it. The message lists similar names.
    """
    timm = import_timm()
    if not timm.is_model(backbone):
        known, whole = timm.list_models(), "timm.list_models()"
    elif "." in backbone and not _has_tag(timm, backbone):
        known, whole = timm.list_pretrained(f"{backbone.partition('.')[0]}.*"), "timm.list_pretrained()"
    else:
        return
    near = get_close_matches(backbone, known, NEAR_NAMES) or known[:NEAR_NAMES]
    raise BadInputError(
        f"timm does not have a backbone {backbone!r}. Choose one of {whole}. Similar names: {', '.join(near) or 'none'}"
    )


def _has_tag(timm: Any, backbone: str) -> bool:
    """Whether timm has weights for the tag of a name such as `resnet18.a1_in1k`."""
    try:
        timm.get_pretrained_cfg(backbone)
    except RuntimeError:
        return False
    return True


def create_fitted(backbone: str, image_size: int, **options: Any) -> nn.Module:
    """Create a timm model with four outputs, for this size if its class has the argument `img_size`."""
    timm, given = import_timm(), {"num_classes": len(EMOTIONS), **options}
    try:
        model: nn.Module = timm.create_model(backbone, img_size=image_size, **given)
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        model = timm.create_model(backbone, **given)
    return model


def native_size(backbone: str) -> int:
    """The backbone's default input size in pixels."""
    configuration = import_timm().get_pretrained_cfg(backbone)
    return int(configuration.input_size[-1]) if configuration else CROPPED


def _no_pretrained(backbone: str, error: Exception) -> ConfigurationError | UnavailableError:
    """Create the error for missing weights. Only a failed download is worth a retry (UnavailableError)."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    cause = one_line(f"{type(error).__name__}: {error}")
    message = (
        f"the pretrained weights of {backbone} are not available ({cause}). Let the pod reach huggingface.co "
        "(HF_ENDPOINT, NetworkPolicy), or put production weights of this backbone on the Hub (start=hub), or choose "
        "random weights (start=random)"
    )
    if isinstance(error, LocalEntryNotFoundError):  # the Hub was not reached, so it may have the weights
        return UnavailableError(message)
    missing = isinstance(error, (EntryNotFoundError, RepositoryNotFoundError))
    return ConfigurationError(message) if missing or WRONG_WEIGHTS.search(cause) else UnavailableError(message)


def import_timm() -> Any:
    """Import timm, whichever builds of torch and torchvision are installed."""
    ensure_operators()
    import timm

    return timm


def normalised(pictures: Tensor) -> Tensor:
    """Normalise pictures (N, H, W, 3) uint8 to the contract's (N, 3, H, W) float32, channels last in memory."""
    count, height, width, channels = pictures.shape
    # Broadcast over whole rows of pixels. Broadcasting over the innermost axis of three channels is five times slower.
    mean, deviation = (torch.tensor(values, device=pictures.device).repeat(width) for values in (MEAN, DEVIATION))
    rows = pictures.reshape(count, height, width * channels).float()
    return rows.div_(255).sub_(mean).div_(deviation).view(pictures.shape).permute(0, 3, 1, 2)


def parameter_groups(model: EmotionRegressor, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for the optimizer, without weight decay for biases and norms (one dimension)."""
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    return [{"params": others, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def choose_device() -> torch.device:
    """Choose the GPU if there is one, else the CPU. With several GPUs, each process has its own (`process_group`)."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe(device: torch.device) -> str:
    """Describe the device for logs and records."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


Precision = Literal["auto", "fp32", "bf16"]


def autocast_to(device: torch.device, precision: str) -> torch.autocast:
    """Create an autocast context. `auto` is bf16 on GPUs and fp32 on CPUs, few of which are faster with bf16."""
    enabled = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
