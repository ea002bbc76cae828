"""timm itself, with the real client of the Hub, loads what was published, and prepares pictures as the API does."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from wakee_common.pictures import as_the_api_does
from wakee_contract.emotions import EMOTIONS
from wakee_train.data.pictures import prepare, unpack
from wakee_train.records import Training, TrainingSettings
from wakee_train.release.hub_config import timm_settings
from wakee_train.release.model_card import base_model
from wakee_train.training.backbone import import_timm

LOADER = """
import json, sys
from wakee_train.training.backbone import import_timm
timm = import_timm()
import timm.data, torch
model = timm.create_model(f"hf-hub:{sys.argv[1]}", pretrained=True)
torch.save(model.state_dict(), sys.argv[2])
print(json.dumps([model.pretrained_cfg["label_names"], timm.data.resolve_model_data_config(model)]))
"""


def test_timm_loads_the_repository(release, tmp_path):
    release.publish()
    variables = {name: release.environment.variables[name] for name in ("HF_ENDPOINT", "HF_TOKEN")}
    cache = {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", LOADER, release.repository, str(tmp_path / "state")]
    printed = subprocess.run(command, env=os.environ | variables | cache, check=True, capture_output=True, text=True)

    labels, config = json.loads(printed.stdout.splitlines()[-1])
    assert labels == list(EMOTIONS)
    assert {name: config[name] for name in timm_settings(112)} == timm_settings(112)
    loaded = torch.load(tmp_path / "state")
    content = release.hub.hf_hub_download(release.repository, "pytorch_model.bin", local_dir=tmp_path)
    published = torch.load(content)
    assert loaded.keys() == published.keys()
    assert all(torch.equal(loaded[name], published[name]) for name in published)


def test_the_hub_reads_license_base_model_and_figures_from_the_card(release, tmp_path):
    release.publish()
    card = ModelCard.load(release.hub.hf_hub_download(release.repository, "README.md", local_dir=tmp_path))

    assert (card.data.license, card.data.library_name, card.data.base_model) == ("apache-2.0", "timm", None)
    figures = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert figures.keys() == {"MAE", "macro-F1", *(f"MAE {emotion}" for emotion in EMOTIONS)}
    assert figures["MAE"] == pytest.approx(release.evaluation.challenger.mae, abs=1e-6)
    assert "Article 5(1)(f)" in card.content
    assert f"| all | {release.evaluation.challenger.samples} |" in card.content


@pytest.mark.parametrize(
    ("started_from", "expected"),
    [
        ("random", None),
        ("wakee/emotions@0123abcd", "wakee/emotions"),
        ("timm's pretrained efficientnet_b4", "timm/efficientnet_b4.ra2_in1k"),
    ],
)
def test_the_base_model_is_what_the_training_started_from(started_from, expected):
    settings = TrainingSettings.model_construct(backbone="efficientnet_b4")
    assert base_model(Training.model_construct(started_from=started_from, settings=settings)) == expected


def jpeg(width: int, height: int, orientation: int | None = None) -> bytes:
    """A smooth picture, perhaps with a note in it that it is to be turned."""
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 4, height))
    waves = np.stack([np.sin(x + y), np.cos(x - y), np.sin(2 * x)], axis=-1)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(((waves + 1) * 127).astype(np.uint8)).save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("size", [(1280, 720), (480, 640), (256, 256)], ids=str)
@pytest.mark.parametrize("orientation", [None, 6], ids=["as-it-is", "turned-by-exif"])
def test_timm_prepares_a_picture_as_the_api_does(size, orientation):
    content = jpeg(*size, orientation)
    settings = timm_settings(224)
    import_timm()
    from timm.data import create_transform

    transform = create_transform(**settings | {"input_size": tuple(settings["input_size"])})

    theirs = transform(Image.open(io.BytesIO(content)).convert("RGB")).numpy()
    ours = as_the_api_does(unpack(prepare(content))[None])[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
