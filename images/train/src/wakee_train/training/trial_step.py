"""`try-backbone`: one forward and one backward pass of a backbone, before anything is downloaded.

Parameters that the form accepts may still not work with a model, such as a size that its windows do not divide, or a
batch of one picture. This stage detects that within seconds, and its error names settings that work.

Backbones are first built on torch's `meta` device, where tensors have a shape but no memory. That gives the number of
parameters of a model of any size, and quickly finds other sizes at which a model works.
"""

import logging
import time
from typing import Literal

import torch
from torch import nn
from wakee_common.errors import ConfigurationError, UnavailableError, WakeeError, one_line
from wakee_contract.emotions import EMOTIONS
from wakee_contract.pictures import CROPPED

from wakee_train.results import BackboneResult
from wakee_train.training.backbone import check_name, make_model
from wakee_train.training.batch_statistics import is_too_few
from wakee_train.training.heads import heads
from wakee_train.training.image_sizes import working_sizes
from wakee_train.training.memory import MIB, memory_limit_mib, peak_mib
from wakee_train.training.pretrained_fit import check_pretrained

logger = logging.getLogger(__name__)

PICTURES = 2
"""Pictures in the trial step: the smallest batch, except with `batch_size=1`."""
STEP_COPIES = 2
"""Copies of the weights in memory during the trial step: weights and gradients."""
TRAINING_COPIES = 9
"""Copies in memory during training: also two moments of the optimizer, the average, its best state, and, from a
champion, the champion and two mixtures with it."""
SPARE_MIB = 1024
"""Memory for the interpreter, its libraries and the activations of two pictures."""
NO_MEMORY = "can't allocate memory"

Device = Literal["cpu", "meta"]


def try_backbone(backbone: str, image_size: int, batch_size: int, seed: int, start: str) -> BackboneResult:
    """Build a backbone as `fine-tune` does, and run one step on the CPU.

    For a model that is too large for this container's memory, the step runs on the `meta` device.

    Raises:
        BadInputError: timm does not know the backbone, or it has no trainable head.
        ConfigurationError: the size or batch size does not work, or the pretrained weights do not exist or fit.
    """
    check_name(backbone)
    check_pretrained(backbone, image_size, start)
    pictures = min(PICTURES, batch_size)
    device = _device(backbone, count_parameters(backbone, image_size))
    torch.manual_seed(seed)
    started = time.monotonic()
    with peak_mib() as peak:
        try:
            parameters = take_step(backbone, image_size, pictures, device)
        except Exception as error:
            raise _refusal(error, backbone, image_size, batch_size) from error
        result = BackboneResult(
            backbone=backbone,
            image_size=image_size,
            parameters=parameters,
            pictures=pictures,
            device=device,
            seconds=round(time.monotonic() - started, 2),
            peak_mib=peak(),
        )
    _log(result)
    return result


def count_parameters(backbone: str, image_size: int) -> int:
    """Count the parameters of the model; 0 if it cannot be built on the `meta` device, or not for this size."""
    try:
        with torch.device("meta"):
            model = make_model(backbone, image_size)
    except Exception as error:
        logger.info("cannot count the parameters of %s before it is built: %s", backbone, one_line(error))
        return 0
    return _parameters(model)


def take_step(backbone: str, image_size: int, pictures: int, device: Device) -> int:
    """Build the model and compute the gradients of one batch. Returns the number of parameters.

    Raises:
        BadInputError: the backbone has no trainable head.
        ConfigurationError: the model does not output four levels for each picture.
        Exception: any error of the model.
    """
    with torch.device(device):
        model = make_model(backbone, image_size).train()
        batch = torch.rand(pictures, 3, CROPPED, CROPPED).contiguous(memory_format=torch.channels_last)
        heads(model)
        levels = model(batch)
        _check_levels(levels, backbone, pictures)
        loss = nn.functional.smooth_l1_loss(levels, torch.zeros(pictures, len(EMOTIONS)))
        loss.backward()  # type: ignore[no-untyped-call]
    return _parameters(model)


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _check_levels(levels: object, backbone: str, pictures: int) -> None:
    shape = tuple(levels.shape) if isinstance(levels, torch.Tensor) else type(levels).__name__
    if shape != (pictures, len(EMOTIONS)):
        raise ConfigurationError(
            f"{backbone} outputs {shape} for {pictures} pictures, not {len(EMOTIONS)} levels for each. "
            "Choose another backbone"
        )


def _device(backbone: str, parameters: int) -> Device:
    needed, limit = parameters * 4 * STEP_COPIES // MIB + SPARE_MIB, memory_limit_mib()
    if needed <= limit:
        return "cpu"
    logger.warning(
        "%s has %.0f million parameters: a step needs about %d MiB, this container has %d. Only shapes are checked",
        backbone,
        parameters / 1e6,
        needed,
        limit,
    )
    return "meta"


def _refusal(error: Exception, backbone: str, image_size: int, batch_size: int) -> WakeeError:
    """Convert the error of a step to one with a remedy."""
    cause = one_line(f"{type(error).__name__}: {error}", 200)
    if isinstance(error, WakeeError):
        return error
    if NO_MEMORY in cause:
        return UnavailableError(f"out of memory in a step of {backbone}: {cause}. Give this task more memory")
    if is_too_few(error) and works(backbone, image_size, PICTURES):
        return ConfigurationError(
            f"{backbone} at {image_size} px cannot be trained with batches of {batch_size}: its batch normalization "
            "needs two pictures at a time. Set batch_size to 2 or more"
        )
    sizes = working_sizes(lambda size: works(backbone, size, PICTURES), backbone, image_size)
    remedy = f"Set image_size to {' or '.join(map(str, sizes))}, or choose" if sizes else "No other size works. Choose"
    return ConfigurationError(f"{backbone} does not work at {image_size} px ({cause}). {remedy} another backbone")


def works(backbone: str, image_size: int, pictures: int) -> bool:
    """Whether a step succeeds, judging by shapes only."""
    try:
        take_step(backbone, image_size, pictures, "meta")
    except Exception:
        return False
    return True


def _log(result: BackboneResult) -> None:
    logger.info(
        "%s at %d px works: %.2f million parameters. One step of %d pictures on %s: %.1f s, peak memory %d MiB. "
        "In training, weights, gradients, optimizer and averages need %d MiB for any batch size",
        result.backbone,
        result.image_size,
        result.parameters / 1e6,
        result.pictures,
        result.device,
        result.seconds,
        result.peak_mib,
        result.parameters * 4 * TRAINING_COPIES // MIB,
    )
