"""Training: resumed as if never interrupted, careful with memory, loud about nonsense."""

import hashlib
import io
import json
from typing import Any

import numpy as np
import pytest
import torch
from wakee_common.errors import BadInputError
from wakee_train.data.pictures import centre_crop
from wakee_train.data.shards import SplitPixels
from wakee_train.records import Splits, TrainingSettings
from wakee_train.training.augmentation import crop_and_mirror, places_and_mirrors, shuffled
from wakee_train.training.backbone import EmotionRegressor, make_model
from wakee_train.training.fine_tuning import training_fingerprint
from wakee_train.training.prediction import predict
from wakee_train.training.schedule import ema_decay, learning_rate
from wakee_train.training.trainer import Trainer

from ..conftest import SMALL

CPU = torch.device("cpu")


def settings(**changes: Any) -> TrainingSettings:
    given = {**SMALL, "freeze_epochs": 0, "seed": 3, "patience": 5, "weight_decay": 0.01, "precision": "auto"}
    return TrainingSettings.model_validate({**given, "epochs": 3, "image_size": 32, **changes})


def pixels(rows: int, seed: int) -> SplitPixels:
    chance = np.random.default_rng(seed)
    pictures = chance.integers(0, 256, (rows, 256, 256, 3), np.uint8)
    return SplitPixels([str(row) for row in range(rows)], pictures, chance.uniform(0, 3, (rows, 4)).astype(np.float32))


@pytest.fixture(scope="module")
def data() -> tuple[SplitPixels, SplitPixels]:
    return pixels(40, 1), pixels(10, 2)


def trainer(data: tuple[SplitPixels, SplitPixels], **changes: Any) -> Trainer:
    torch.manual_seed(0)
    model = make_model("test_efficientnet", 32)
    return Trainer(model, settings(**changes), *data, CPU)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def run(trained: Trainer, steps: int | None = None) -> list[dict[str, Any]]:
    """Train, at most so many steps; returns the checkpoints as they were written, through bytes."""
    saved: list[dict[str, Any]] = []
    asked = iter(range(10**6))

    def save() -> None:
        file = io.BytesIO()
        torch.save(trained.state(), file)
        saved.append(torch.load(io.BytesIO(file.getvalue()), weights_only=True))

    trained.run(lambda: steps is not None and next(asked) + 1 >= steps, save)
    return saved


@pytest.fixture(scope="module")
def uninterrupted(data: tuple[SplitPixels, SplitPixels]) -> Trainer:
    whole = trainer(data)
    run(whole)
    return whole


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7])
def test_a_resumed_training_ends_as_an_uninterrupted_one(data, uninterrupted, steps):
    interrupted = trainer(data)
    checkpoint = run(interrupted, steps)[-1]
    assert not interrupted.finished

    torch.manual_seed(99)  # whatever the process's own state of chance
    resumed = trainer(data)
    resumed.resume(checkpoint)
    run(resumed)

    assert same(resumed.best, uninterrupted.best)
    assert same(resumed.model.state_dict(), uninterrupted.model.state_dict())
    losses = [[epoch["train_loss"] for epoch in t.progress.history] for t in (resumed, uninterrupted)]
    assert losses[0] == losses[1]


def test_told_to_stop_during_validation_leaves_the_rest_of_it_to_the_retry(data):
    """The pod's grace period is shorter than a validation may be."""
    many = data[0], pixels(130, 2)
    whole = trainer(many, epochs=2)
    run(whole)
    interrupted, batches = trainer(many, epochs=2), []
    interrupted.average.register_forward_hook(lambda *_: batches.append(1))
    checkpoint = run(interrupted, interrupted.steps_per_epoch)[-1]
    assert (len(batches), interrupted.progress.step, interrupted.progress.history) == (1, 3, [])

    resumed = trainer(many, epochs=2)
    resumed.resume(checkpoint)
    run(resumed)

    assert same(resumed.best, whole.best)
    assert same(resumed.model.state_dict(), whole.model.state_dict())
    without_times = [
        [
            {k: v for k, v in epoch.items() if k not in ("finished_at", "images_per_second")}
            for epoch in t.progress.history
        ]
        for t in (resumed, whole)
    ]
    assert without_times[0] == without_times[1]
    assert all(epoch["images_per_second"] > 0 for epoch in resumed.progress.history)


def test_a_last_batch_of_one_picture_is_left_out(data):
    """Batch statistics of one picture are none."""
    odd = trainer((pixels(33, 1), data[1]), epochs=1)
    run(odd)

    assert odd.steps_per_epoch == 2


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(data, uninterrupted):
    again, other = trainer(data), trainer(data, seed=4)
    run(again)
    run(other)

    assert same(again.best, uninterrupted.best)
    assert not same(other.best, uninterrupted.best)


def test_training_stops_when_nothing_gets_better(data):
    stuck = trainer(data, epochs=50, learning_rate=1e-7, patience=2)
    stuck.progress.best_mae = 0.0
    run(stuck)

    assert len(stuck.progress.history) == 2


def test_a_loss_that_is_no_number_ends_the_training_for_good(data):
    exploding = trainer((SplitPixels(data[0].names, data[0].pixels, data[0].labels * np.float32(np.nan)), data[1]))

    with pytest.raises(BadInputError, match="lower the learning rate") as error:
        run(exploding)
    assert error.value.exit_code == 2


def test_a_gradient_that_is_no_number_ends_the_training_before_it_spoils_the_weights(data):
    exploding = trainer(data)
    parameter = next(exploding.model.parameters())
    parameter.register_hook(lambda gradient: gradient * np.nan)

    with pytest.raises(BadInputError, match="the gradient's length nan in epoch 1, step 0"):
        run(exploding)
    assert torch.isfinite(parameter).all()


def test_an_epoch_whose_validation_is_no_number_leaves_no_checkpoint(data):
    spoilt = trainer(data)
    next(spoilt.average.parameters()).data.fill_(np.nan)
    saved: list[int] = []

    with pytest.raises(BadInputError, match="the validation MAE is nan in epoch 1"):
        spoilt.run(lambda: False, lambda: saved.append(1))
    assert not saved


@pytest.mark.parametrize(
    ("loss", "of"),
    [
        pytest.param("smooth_l1", lambda d: np.where(d < 1, d * d / 2, d - 0.5), id="smooth-l1"),
        pytest.param("l1", lambda d: d, id="l1"),
        pytest.param("mse", lambda d: d * d, id="mse"),
    ],
)
def test_the_loss_is_the_one_asked_for(data, loss, of):
    learner = trainer(data, loss=loss)
    learner.model.eval()
    crops, labels = centre_crop(data[0].pixels[:16]), data[0].labels[:16]
    distance = np.abs(
        predict(learner.model, SplitPixels(data[0].names[:16], data[0].pixels[:16], labels), CPU) - labels
    )

    found = learner._part(torch.from_numpy(crops.copy()), torch.from_numpy(labels), torch.ones(2, 16, 1, 1, 1), 1.0)

    assert found == pytest.approx(float(of(distance).mean()), rel=1e-4)


def test_a_training_from_before_the_loss_could_be_chosen_is_known_again():
    splits = Splits(dataset_id="0", manifest_uri="r2://b/m", rule="by name", statistics={}, names={})
    before = settings().model_dump(exclude={"loss"})

    assert TrainingSettings.model_validate(before).loss == "smooth_l1"
    text = f"0 by name {json.dumps(before, separators=(',', ':'))}"
    assert training_fingerprint(splits, settings()) == hashlib.sha256(text.encode()).hexdigest()
    assert training_fingerprint(splits, settings(loss="l1")) != training_fingerprint(splits, settings())


def test_speed_counts_pictures_not_steps(data):
    learner = trainer((pixels(36, 1), data[1]), epochs=1)
    learner.progress.step = learner.steps_per_epoch

    assert learner._pictures(0) == 36
    assert learner._pictures(2) == 4


def test_a_frozen_backbone_does_not_change(data):
    frozen = trainer(data, epochs=1, freeze_epochs=1)
    before = {name: tensor.clone() for name, tensor in frozen.model.backbone.state_dict().items()}
    run(frozen)
    after = frozen.model.backbone.state_dict()

    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        "classifier.weight",
        "classifier.bias",
    }


class Cramped(torch.nn.Module):
    """A backbone that has memory for so many pictures only."""

    def __init__(self, backbone: torch.nn.Module, room: int) -> None:
        super().__init__()
        self.backbone, self.room = backbone, room

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if len(pictures) > self.room:
            raise torch.OutOfMemoryError("no room")
        answer: torch.Tensor = self.backbone(pictures)
        return answer

    def get_classifier(self) -> torch.nn.Module:
        classifier: torch.nn.Module = self.backbone.get_classifier()  # type: ignore[operator]
        return classifier


@pytest.mark.parametrize(("room", "parts"), [(16, 16), (8, 8), (5, 4), (2, 2)])
def test_too_little_memory_makes_smaller_parts(data, caplog, room, parts):
    cramped = trainer(data, epochs=1)
    cramped.model.backbone = Cramped(cramped.model.backbone, room)
    with caplog.at_level("WARNING"):
        cramped._set_mode()
        cramped._step(np.arange(16))

    assert cramped.progress.micro_batch == parts
    assert caplog.text.count("out of memory") == {16: 0, 8: 1, 4: 2, 2: 3}[parts]


@pytest.mark.parametrize("room", [64, 63, 20, 1])
def test_too_little_memory_for_validation_makes_smaller_batches(caplog, room):
    split, model = pixels(70, 1), make_model("test_efficientnet", 32)
    expected = predict(model, split, CPU)
    model.backbone = Cramped(model.backbone, room)

    with caplog.at_level("WARNING"):
        found = predict(model, split, CPU)

    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert caplog.text.count("out of memory") == {64: 0, 63: 1, 20: 2, 1: 6}[room]


def test_too_little_memory_to_validate_one_picture_is_an_error():
    model = make_model("test_efficientnet", 32)
    model.backbone = Cramped(model.backbone, 0)

    with pytest.raises(torch.OutOfMemoryError):
        predict(model, pixels(3, 1), CPU)


def test_accumulated_gradients_are_those_of_the_whole_batch(data):
    """With batch statistics frozen, for these alone depend on how many pictures come at once."""
    gradients = []
    for micro_batch in (16, 4):
        learner = trainer(data)
        learner.model.eval()
        learner.progress.micro_batch = micro_batch
        part = slice(0, 16)
        light = torch.ones(2, 16, 1, 1, 1)
        crops = torch.from_numpy(data[0].pixels[part, :224, :224].copy())
        learner._gradients(crops, torch.from_numpy(data[0].labels[part]), light, 1, 16)
        gradients.append([p.grad.clone() for p in learner.model.parameters() if p.grad is not None])

    for whole, accumulated in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, accumulated, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("size", [224, 112, 56, 160])
def test_the_model_takes_224_pixels_whatever_its_backbone_works_at(size):
    model: EmotionRegressor = make_model("test_efficientnet", size).eval()

    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 224, 224)).shape == (2, 4)


def test_an_unknown_backbone_is_refused():
    with pytest.raises(BadInputError, match="timm knows no backbone 'resnet_9000'"):
        make_model("resnet_9000", 224)


def test_crops_depend_on_the_seed_only_and_stay_near_the_centre():
    pictures = np.arange(256 * 256 * 3, dtype=np.uint32).reshape(1, 256, 256, 3).astype(np.uint8)

    places = [places_and_mirrors(1, np.random.default_rng((1, 2, 3))) for _ in range(2)]
    first, again = (crop_and_mirror(pictures, *place) for place in places)

    assert np.array_equal(first, again)
    assert first.shape == (1, 224, 224, 3)


def test_every_sample_comes_once_per_epoch_in_another_order():
    first, second = shuffled(50, 1, 1), shuffled(50, 1, 2)

    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()


def test_learning_rate_warms_up_and_falls():
    rates = [learning_rate(step, 200, 1.0) for step in range(200)]

    assert rates[0] == 0.1
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.02
    assert ema_decay(0) < ema_decay(10) < ema_decay(10**6) == 0.998
