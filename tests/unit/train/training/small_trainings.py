"""Trainings of a few steps on random pictures, in this process."""

import io
from typing import Any

import torch
from wakee_train.data.shards import SplitPixels
from wakee_train.records import TrainingSettings
from wakee_train.training.backbone import make_model
from wakee_train.training.trainer import Trainer

from ..environment import SMALL

CPU = torch.device("cpu")


def settings(**changes: Any) -> TrainingSettings:
    given = {**SMALL, "freeze_epochs": 0, "seed": 3, "patience": 5, "weight_decay": 0.01, "precision": "auto"}
    return TrainingSettings.model_validate({**given, "epochs": 3, "image_size": 32, **changes})


def trainer(data: tuple[SplitPixels, SplitPixels], *, from_champion: bool = False, **changes: Any) -> Trainer:
    torch.manual_seed(0)
    model = make_model("test_efficientnet", 32)
    return Trainer(model, settings(**changes), *data, CPU, from_champion=from_champion)


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
