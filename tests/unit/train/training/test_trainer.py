"""Training: resumed as if never interrupted, careful with memory, loud about nonsense."""

import numpy as np
import pytest
import torch
from wakee_common.errors import BadInputError, ConfigurationError
from wakee_common.pictures import centre_crop
from wakee_train.data.shards import SplitPixels
from wakee_train.training import step_values
from wakee_train.training.prediction import predict
from wakee_train.training.process_group import even_batches
from wakee_train.training.trainer import Trainer

from .small_trainings import CPU, Cramped, run, same, trainer
from .two_processes import pixels


@pytest.fixture(scope="module")
def data() -> tuple[SplitPixels, SplitPixels]:
    return pixels(40, 1), pixels(10, 2)


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


@pytest.mark.parametrize(
    ("size", "most", "sizes"),
    [
        pytest.param(33, 16, [11, 11, 11], id="no small last batch"),
        pytest.param(40, 16, [13, 13, 14], id="nearly equal"),
        pytest.param(32, 16, [16, 16], id="full"),
        pytest.param(4, 3, [2, 2], id="at least two"),
        pytest.param(5, 2, [2, 2], id="one is left out"),
        pytest.param(3, 1, [1, 1, 1], id="batches of one"),
        pytest.param(1, 2, [1], id="a single picture"),
    ],
)
def test_batches_of_an_epoch_have_nearly_the_same_size(size, most, sizes):
    """Each step weighs as much as any other, so a picture of a small batch would weigh more."""
    batches = even_batches(size, most)

    assert [batch.stop - batch.start for batch in batches] == sizes
    assert [batch.start for batch in batches] == [0, *np.cumsum(sizes)[:-1]]


@pytest.mark.parametrize(("count", "batch"), [(4, 1), (1, 16)], ids=["every-batch", "the-only-batch"])
def test_a_batch_of_one_picture_without_statistics_ends_the_training_for_good(data, count, batch):
    single = trainer((pixels(count, 1), data[1]), epochs=1, batch_size=batch)

    with pytest.raises(ConfigurationError, match=r"Set batch_size .* to 2 or more"):
        run(single)


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

    with pytest.raises(BadInputError, match="Lower the learning rate") as error:
        run(exploding)
    assert error.value.exit_code == 2


def test_a_gradient_that_is_no_number_ends_the_training_before_it_spoils_the_weights(data):
    exploding = trainer(data)
    parameter = next(exploding.model.parameters())
    parameter.register_hook(lambda gradient: gradient * np.nan)

    with pytest.raises(BadInputError, match="the gradient norm nan in epoch 1, step 0"):
        run(exploding)
    assert torch.isfinite(parameter).all()


@pytest.mark.parametrize("steps", [None, 4], ids=["whole", "stopped-and-resumed"])
def test_reading_the_losses_seldom_changes_nothing(data, uninterrupted, steps, monkeypatch):
    """A GPU computes several steps before their losses are read. Epochs have 3 steps, so both ends come in between."""
    monkeypatch.setattr(step_values, "STEPS_PER_READING", {"cpu": 2})
    seldom = trainer(data)
    checkpoints = run(seldom, steps)
    if steps:
        seldom = trainer(data)
        seldom.resume(checkpoints[-1])
        run(seldom)

    assert same(seldom.best, uninterrupted.best)
    losses = [[epoch["train_loss"] for epoch in t.progress.history] for t in (seldom, uninterrupted)]
    assert losses[0] == losses[1]


def test_a_divergence_between_two_readings_is_found_with_its_step(data, monkeypatch):
    monkeypatch.setattr(step_values, "STEPS_PER_READING", {"cpu": 16})
    exploding, steps = trainer(data), iter(range(100))
    next(exploding.model.parameters()).register_hook(lambda gradient: gradient * (np.nan if next(steps) else 1))
    saved: list[int] = []

    with pytest.raises(BadInputError, match="the gradient norm nan in epoch 1, step 1"):
        exploding.run(lambda: False, lambda: saved.append(1))
    assert not saved


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


def test_speed_counts_pictures_not_steps(data):
    learner = trainer((pixels(36, 1), data[1]), epochs=1)
    learner.progress.step = learner.steps_per_epoch

    assert learner._batches.pictures(0, learner.progress.step) == 36
    assert learner._batches.pictures(2, learner.progress.step) == 12


def test_a_frozen_backbone_does_not_change(data):
    frozen = trainer(data, epochs=1, freeze_epochs=1)
    before = {name: tensor.clone() for name, tensor in frozen.model.backbone.state_dict().items()}
    run(frozen)
    after = frozen.model.backbone.state_dict()

    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        "classifier.weight",
        "classifier.bias",
    }


@pytest.mark.parametrize(("room", "parts"), [(16, 16), (8, 8), (5, 4), (2, 2)])
def test_too_little_memory_makes_smaller_parts(data, caplog, room, parts):
    cramped = trainer(data, epochs=1)
    cramped.model.backbone = Cramped(cramped.model.backbone, room)
    with caplog.at_level("WARNING"):
        cramped._set_mode()
        cramped._step(cramped._batches.batch(np.arange(16), 1, 0))

    assert cramped.progress.micro_batch == parts
    assert caplog.text.count("out of memory") == {16: 0, 8: 1, 4: 2, 2: 3}[parts]


def test_accumulated_gradients_are_those_of_the_whole_batch(data):
    """With batch statistics frozen, for these alone depend on how many pictures come at once."""
    gradients = []
    for micro_batch in (16, 4):
        learner = trainer(data)
        learner.model.eval()
        learner.progress.micro_batch = micro_batch
        learner._gradients(learner._batches.batch(np.arange(16), 1, 0))
        gradients.append([p.grad.clone() for p in learner.model.parameters() if p.grad is not None])

    for whole, accumulated in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, accumulated, rtol=1e-3, atol=1e-5)
