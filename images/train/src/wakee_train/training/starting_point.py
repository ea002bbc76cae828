"""The starting weights of a training: production weights, timm's pretrained weights, or random ones on request."""

import logging
from pathlib import Path

from wakee_common.errors import BadInputError, ConfigurationError
from wakee_common.hub import Head, ModelHub, configure_client
from wakee_common.hub_errors import RepositoryNotVisibleError
from wakee_common.settings import load
from wakee_contract.model import MAIN, SAFETENSORS, WEIGHTS

from wakee_train.records import TrainingSettings
from wakee_train.settings import HubSettings
from wakee_train.training.backbone import EmotionRegressor, make_model
from wakee_train.training.weights import State, load_pickled, load_weights

logger = logging.getLogger(__name__)


def starting_model(settings: TrainingSettings, scratch: Path) -> tuple[EmotionRegressor, str]:
    """Create the model to train. Returns it with a description of the origin of its weights.

    Raises:
        ConfigurationError: the requested weights are missing, hidden or do not fit. The message names the remedies.
    """
    if settings.start == "random":
        return make_model(settings.backbone, settings.image_size), "random"
    if settings.start in ("auto", "hub"):
        model, origin = _production_model(settings, ModelHub(load(HubSettings), scratch / "hub"))
        if model is not None:
            return model, origin
        if settings.start == "hub":
            raise ConfigurationError(
                f"Cannot start from the production weights: {origin}. "
                "Choose start=imagenet, start=random or another backbone"
            )
        logger.info("the production weights are not used: %s", origin)
    configure_client()  # timm downloads with this client
    return make_model(settings.backbone, settings.image_size, pretrained=True), f"timm's pretrained {settings.backbone}"


def is_champion(started_from: str) -> bool:
    """Whether the origin of the weights is the production model, `repository@commit`."""
    return "@" in started_from


def _production_model(settings: TrainingSettings, hub: ModelHub) -> tuple[EmotionRegressor | None, str]:
    """Return the model on main with its origin, or None with the reason."""
    head = _main(hub)
    name = next((name for name in WEIGHTS if name in head.files), None)
    if name is None:
        return None, f"{hub.repository} has no weights on {MAIN}"
    path = hub.download(name, head.commit)
    try:
        state = load_weights(path.read_bytes()) if name == SAFETENSORS else load_pickled(path)
    except BadInputError as error:  # e.g. a pickled module, which must not be executed
        return None, f"cannot read {hub.repository}/{name}: {error}"
    model = make_model(settings.backbone, settings.image_size)
    if misfit := _misfit(model, state):
        return None, f"{hub.repository}/{name} does not fit {settings.backbone}: {misfit}"
    model.backbone.load_state_dict(state)
    return model, f"{hub.repository}@{head.commit}"


def _main(hub: ModelHub) -> Head:
    """The state of main. Raises if it is not visible, because there may still be weights in production."""
    try:
        return hub.main()
    except RepositoryNotVisibleError as error:
        raise ConfigurationError(
            f"Cannot start from the production weights: {error}. Or choose start=imagenet or start=random"
        ) from error


def _misfit(model: EmotionRegressor, state: State) -> str:
    """Describe how the weights differ from what the backbone needs; empty if they fit."""
    needed = {name: tuple(tensor.shape) for name, tensor in model.backbone.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in state.items()}
    different = [name for name in needed.keys() | given.keys() if needed.get(name) != given.get(name)]
    return f"{len(different)} of {len(needed)} tensors differ, e.g. {min(different)}" if different else ""
