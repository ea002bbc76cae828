"""Errors of batch normalization, which needs more than one value per channel, so more than one picture of one pixel."""

from wakee_common.errors import ConfigurationError

from wakee_train.records import TrainingSettings

TORCH_SAYS = "Expected more than 1 value per channel"


def is_too_few(error: Exception) -> bool:
    """Whether this is torch's error for a batch with one value per channel."""
    return TORCH_SAYS in str(error)


def too_few_pictures(settings: TrainingSettings) -> ConfigurationError:
    """Create the error for a training whose batches are too small, with the remedies."""
    return ConfigurationError(
        f"{settings.backbone} at {settings.image_size} px cannot be trained on a single picture: its batch "
        f"normalization needs two at a time. Set batch_size (now {settings.batch_size}) to 2 or more. If memory was "
        "too small for two pictures, lower image_size or choose a smaller backbone"
    )
