"""Mixtures of champion and trained weights: their weights, their batch statistics, and the choice between them."""

import numpy as np
import pytest
import torch
from wakee_common.pictures import centre_crop
from wakee_train.data.shards import SplitPixels
from wakee_train.training import interpolation
from wakee_train.training.backbone import EmotionRegressor, make_model, normalised
from wakee_train.training.interpolation import Ends, choose_mixture, interpolated, mixture
from wakee_train.training.prediction import predict
from wakee_train.training.weights import State, copy_state

from .small_trainings import CPU, Cramped, same
from .two_processes import pixels


def model(seed: int, backbone: str = "test_efficientnet") -> EmotionRegressor:
    torch.manual_seed(seed)
    return make_model(backbone, 32).eval()


def states(backbone: str = "test_efficientnet") -> tuple[State, State]:
    return copy_state(model(1, backbone).backbone), copy_state(model(2, backbone).backbone)


def never() -> bool:
    return False


def labelled(split: SplitPixels, state: State) -> SplitPixels:
    """The split whose labels are the predictions of the model with this state."""
    right = model(0)
    right.backbone.load_state_dict(state)
    return SplitPixels(split.names, split.pixels, predict(right, split, CPU))


def test_a_mixture_lies_between_both_ends():
    champion = {"weight": torch.tensor([0.0, 4.0]), "num_batches_tracked": torch.tensor(10)}
    trained = {"weight": torch.tensor([1.0, 0.0]), "num_batches_tracked": torch.tensor(20)}

    mixed = interpolated(champion, trained, 0.25)

    assert mixed["weight"].tolist() == [0.25, 3.0]
    assert mixed["num_batches_tracked"].item() == 20


def test_batch_statistics_of_a_mixture_are_those_of_training_pictures():
    train, state = pixels(12, 1), interpolated(*states(), 0.5)
    mixed = mixture(model(0), state, train, CPU, never)

    seen: list[torch.Tensor] = []
    first = next(m for m in mixed.modules() if isinstance(m, torch.nn.BatchNorm2d))
    first.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    mixed.eval()(normalised(torch.from_numpy(centre_crop(train.pixels).copy())))

    torch.testing.assert_close(first.running_mean, seen[0].mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert not torch.equal(first.running_mean, state["bn1.running_mean"])
    assert not mixed.training


def test_a_backbone_without_batch_statistics_is_only_mixed():
    state = interpolated(*states("test_convnext"), 0.5)
    mixed = mixture(model(0, "test_convnext"), state, pixels(4, 1), CPU, never)

    assert same(copy_state(mixed.backbone), state)


def test_the_mixture_with_the_lowest_validation_mae_is_chosen():
    train, (champion, trained) = pixels(12, 1), states()
    best = copy_state(mixture(model(0), interpolated(champion, trained, 0.5), train, CPU, never).backbone)
    splits = train, labelled(pixels(6, 2), best)

    choice = choose_mixture(model(0), Ends(champion, 1.0, trained, 1.0), splits, CPU, never)

    assert choice is not None
    assert choice.alpha == 0.5
    assert list(choice.maes) == [0, 0.25, 0.5, 0.75, 1]
    assert choice.maes[0.5] == pytest.approx(0, abs=1e-5)
    assert same(choice.state, best)


@pytest.mark.parametrize(
    ("maes", "alpha"),
    [
        pytest.param((0.0, 0.0), 0, id="equal ones: the champion"),
        pytest.param((0.0, 0.1), 0, id="the champion is best"),
        pytest.param((0.1, 0.0), 1, id="the trained one is best"),
    ],
)
def test_both_ends_compete_with_what_was_measured_before(maes, alpha):
    champion, trained = states()
    ends = Ends(champion, maes[0], trained, maes[1])

    choice = choose_mixture(model(0), ends, (pixels(4, 1), pixels(4, 2)), CPU, never)

    assert choice is not None
    assert choice.alpha == alpha
    assert choice.state is (trained if alpha else champion)


def test_a_mixture_whose_outputs_are_no_numbers_is_left_out(monkeypatch):
    champion, trained = states()
    broken = {name: t * np.nan if t.is_floating_point() else t for name, t in champion.items()}
    monkeypatch.setattr(interpolation, "interpolated", lambda *_: broken)

    ends = Ends(champion, 2.0, trained, 1.0)
    choice = choose_mixture(model(0), ends, (pixels(4, 1), pixels(4, 2)), CPU, never)

    assert choice is not None
    assert (choice.alpha, choice.maes) == (1, {0: 2.0, 1: 1.0})


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_choice_that_is_stopped_is_none(after):
    champion, trained = states()
    asked = iter(range(100))

    choice = choose_mixture(
        model(0),
        Ends(champion, 1.0, trained, 1.0),
        (pixels(4, 1), pixels(4, 2)),
        CPU,
        lambda: next(asked) >= after,
    )

    assert choice is None


def test_statistics_need_a_bounded_number_of_pictures(monkeypatch):
    monkeypatch.setattr(interpolation, "STATISTICS_PICTURES", 5)

    seen: list[int] = []
    watched = model(0)
    watched.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))

    mixture(watched, copy_state(watched.backbone), pixels(12, 1), CPU, never)

    assert seen == [5]


@pytest.mark.parametrize(("room", "warnings"), [(64, 0), (32, 1), (2, 5)])
def test_too_little_memory_for_statistics_makes_smaller_batches(caplog, room, warnings):
    cramped, train = model(0), pixels(70, 1)
    cramped.backbone = Cramped(cramped.backbone, room)
    with caplog.at_level("WARNING"):
        mixture(cramped, copy_state(cramped.backbone), train, CPU, never)

    assert caplog.text.count("out of memory") == warnings
