"""What the form allows and a model refuses is found out by one step, and refused for good with what works."""

from typing import Any

import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError
from wakee_train.cli import app
from wakee_train.training import trial_step
from wakee_train.training.backbone import _no_pretrained, make_model
from wakee_train.training.image_sizes import near_sizes
from wakee_train.training.pretrained_fit import pretrained_problem
from wakee_train.training.trial_step import try_backbone

from support.stages import invoke

SIZES = [224, 112, 256, 64]


def refusal(backbone: str, image_size: int = 224, batch_size: int = 16, start: str = "random") -> str:
    """The message of a refusal that no retry changes."""
    with pytest.raises((BadInputError, ConfigurationError)) as error:
        try_backbone(backbone, image_size, batch_size, 0, start)
    return str(error.value)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "backbone", ["test_vit", "deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224", "gmixer_12_224"]
)
def test_a_backbone_that_is_built_for_one_size_is_built_for_the_one_asked_for(backbone, size):
    with torch.device("meta"):
        model = make_model(backbone, size)
        levels = model(torch.zeros(2, 3, 224, 224))

    assert levels.shape == (2, 4)


def test_memory_seconds_and_parameters_are_logged(environment):
    result, log = environment.run_stage(
        "try-backbone", "run-1", 0, {"backbone": "test_vit", "image_size": 112, "batch_size": 16, "start": "random"}
    )

    assert result["parameters"] == 303_236
    assert (result["device"], result["pictures"]) == ("cpu", 2)
    assert 0 < result["peak_mib"] < 4096
    assert "test_vit at 112 px works: 0.30 million parameters. One step of 2 pictures on cpu" in log
    assert "peak memory" in log


@pytest.mark.parametrize(
    ("backbone", "size", "sizes"),
    [
        pytest.param("test_coatnet", 112, "96 or 128", id="windows"),
        pytest.param("efficientformer_l1", 112, "224", id="one-size-only"),
        pytest.param("inception_v3", 64, "80", id="kernel-larger-than-the-picture"),
        pytest.param("dla46x_c", 112, "96 or 128", id="paths-of-different-sizes"),
    ],
)
def test_a_size_that_a_backbone_refuses_names_those_that_work(backbone, size, sizes):
    message = refusal(backbone, size)

    assert f"{backbone} does not work at {size} px" in message
    assert f"Set image_size to {sizes}, or choose another backbone" in message
    for working in sizes.split(" or "):
        assert trial_step.works(backbone, int(working), 2)


def test_sizes_near_the_one_asked_for_are_tried_first_and_none_is_outside_the_form():
    below, above = near_sizes(40, 224)

    assert below == [32]
    assert above[:4] == [42, 48, 56, 64]
    assert 224 in above
    assert above[-1] == 512


@pytest.mark.parametrize(("backbone", "size"), [("test_efficientnet", 32), ("levit_128s", 224)])
def test_a_batch_of_one_without_batch_statistics_names_the_remedy(backbone, size):
    message = refusal(backbone, size, batch_size=1)

    assert f"{backbone} at {size} px cannot be trained with batches of 1" in message
    assert "Set batch_size to 2 or more" in message


def test_a_batch_of_one_is_fine_without_batch_normalization():
    assert try_backbone("test_vit", 64, 1, 0, "random").pictures == 1


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        pytest.param("resnett18", "Similar names: resnet18", id="model"),
        pytest.param("resnet18.a1_in2k", "resnet18.a1_in1k", id="tag"),
        pytest.param("....", "Similar names: aimv2", id="nothing-like-it"),
    ],
)
def test_an_unknown_name_lists_near_ones(backbone, words):
    message = refusal(backbone)

    assert f"timm does not have a backbone '{backbone}'" in message
    assert words in message


def test_a_backbone_without_levels_of_its_pictures_is_refused():
    assert "has no linear head. Choose another backbone" in refusal("gemma4_vit_167m_enc")


@pytest.mark.parametrize(
    ("backbone", "size", "problem"),
    [
        pytest.param("deit_tiny_patch16_224", 112, "", id="interpolated"),
        pytest.param("efficientnet_b4", 224, "", id="convolutions"),
        pytest.param("gmixer_24_224", 112, "are for 224 px and do not fit 112 px", id="for-another-size"),
        pytest.param("gmixer_12_224", 224, "timm has no pretrained weights of gmixer_12_224", id="none"),
    ],
)
def test_pretrained_weights_fit_or_it_is_said_that_they_do_not(backbone, size, problem):
    found = pretrained_problem(backbone, size)

    assert problem in found
    assert bool(found) == bool(problem)


def test_a_start_from_pretrained_weights_that_do_not_fit_is_refused():
    assert "Choose image_size=224, start=random or another backbone" in refusal("gmixer_24_224", 112, start="imagenet")


def test_with_production_weights_perhaps_it_is_a_warning(caplog):
    result = try_backbone("gmixer_12_224", 64, 2, 0, "auto")

    assert result.status == "success"
    assert "start=auto works with production weights of this backbone only" in caplog.text


def test_a_model_that_is_larger_than_the_memory_is_tried_by_its_shapes(monkeypatch, caplog):
    monkeypatch.setattr(trial_step, "memory_limit_mib", lambda: 1100)

    result = try_backbone("efficientnet_b4", 224, 16, 0, "random")

    assert result.device == "meta"
    assert "has 18 million parameters: a step needs about 1157 MiB, this container has 1100" in caplog.text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(EntryNotFoundError("no such file"), ConfigurationError, id="not-on-the-hub"),
        pytest.param(RuntimeError("No pretrained weights exist for x."), ConfigurationError, id="none"),
        pytest.param(
            RuntimeError("Error(s) in loading state_dict for X: size mismatch"), ConfigurationError, id="misfit"
        ),
        pytest.param(LocalEntryNotFoundError("offline"), UnavailableError, id="hub-not-reached"),
        pytest.param(TimeoutError("timed out"), UnavailableError, id="timeout"),
    ],
)
def test_a_retry_is_for_weights_that_were_not_reached(error, kind):
    assert type(_no_pretrained("resnet18", error)) is kind


@pytest.mark.parametrize("flag", [{"image_size": 31}, {"batch_size": 0}, {"backbone": "x" * 3, "start": "../x"}])
def test_flags_out_of_their_range(flag: dict[str, Any]):
    invoke(app, "try-backbone", flag, 2)
