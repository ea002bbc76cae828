"""The model card: intended use, metrics and origin of a version."""

import re

from wakee_contract.emotions import EMOTIONS

from wakee_train.data.records import Splits
from wakee_train.records import Evaluation, Export, Int8, ModelMetrics, Training

CARD = """---
library_name: timm
pipeline_tag: image-classification
tags: [regression, emotion, onnx, wakee]
---

# Wakee emotions {version}

Reads four emotions ({emotions}) from a picture of a face, each as a number from 0 (not at all) to 3 (very strongly).
Backbone `{backbone}`, {parameters:,} parameters.

**Status:** {status}. {reasons}

## Intended use

For Wakee, a work assistant that shows people their own state while they work, with their consent. It was trained on
pictures of Wakee's users, corrected by themselves. It is not fit for judging people who did not agree to it, for
hiring, grading, surveillance or medicine; expressions differ between people and cultures, and a face is no proof of a
feeling.

## Use

`model.onnx`: input `input`, float32 `(N, 3, 224, 224)`, RGB; output `output`, float32 `(N, 4)`, in the order above.
Preprocessing: resize to 256 x 256 (bilinear), centre crop 224, scale to [0, 1], ImageNet mean
(0.485, 0.456, 0.406) and deviation (0.229, 0.224, 0.225). {resizing}
{int8}`model.safetensors` and `pytorch_model.bin` hold the weights of `timm.create_model("{backbone}", num_classes=4)`.

## Test split

{samples} pictures. Each person is in one split with all pictures; no picture of these people trained this version.
{notes}Outputs are clipped to 0..3, as Wakee's API does. Accuracy and macro-F1 are taken after rounding to the nearest
level.

{table}

{splits}

![Gate](figures/gate.png)
![MAE](figures/mae.png)
![Confusion](figures/confusion.png)
![Calibration](figures/calibration.png)
![Training](figures/training.png)

## Lineage

| what | which |
|---|---|
{lineage}
"""


def model_card(
    splits: Splits, training: Training, evaluation: Evaluation, export: Export, lineage: dict[str, str]
) -> str:
    """Render the card as Markdown."""
    size = training.settings.image_size
    return CARD.format(
        version=evaluation.version,
        emotions=", ".join(EMOTIONS),
        backbone=training.settings.backbone,
        parameters=training.parameters,
        status="production (promoted)" if evaluation.decision.promote else "candidate (not promoted)",
        reasons=sentence("; ".join(evaluation.decision.reasons)),
        resizing="" if size == 224 else f"The graph itself resizes to {size} x {size}, the size of its backbone.",
        int8=int8_note(export.int8),
        samples=evaluation.challenger.samples,
        notes="".join(f"{sentence(note)}\n" for note in evaluation.notes),
        splits=splits_table(splits),
        table=metrics_table(evaluation.challenger, evaluation.champion),
        lineage="\n".join(f"| {name} | {cell(value)} |" for name, value in lineage.items() if value),
    )


def sentence(text: str) -> str:
    """Capitalize the first letter and add a full stop. The rest is unchanged, so that MAE does not become Mae."""
    return f"{text[:1].upper()}{text[1:]}."


def cell(text: str) -> str:
    """Format a text for a Markdown table: a URL as a link, anything else as code. Backticks and bars are safe."""
    if text.startswith(("http://", "https://")):
        return f"<{text}>"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    padding = " " if "`" in text else ""
    return f"{fence}{padding}{text}{padding}{fence}".replace("|", "\\|")


def int8_note(int8: Int8 | None) -> str:
    """Describe the int8 variant, if there is one."""
    if int8 is None or not int8.kept:
        return ""
    return f"`model_int8.onnx` does the same with int8 arithmetic; measured by the exporting CPU: {int8.reason}.\n"


def splits_table(splits: Splits) -> str:
    """Describe the splits as a Markdown table, one line per split, with levels 0 to 3."""
    lines = [
        f"| split | pictures | people | sessions | {' | '.join(EMOTIONS)} |",
        f"|---|---|---|---|{'---|' * len(EMOTIONS)}",
    ]
    for name, split in splits.statistics.items():
        levels = " | ".join("/".join(map(str, split.level_counts[emotion])) for emotion in EMOTIONS)
        lines.append(f"| {name} | {split.samples} | {split.people} | {split.sessions} | {levels} |")
    return "\n".join(lines)


def metrics_table(challenger: ModelMetrics, champion: ModelMetrics | None) -> str:
    """Compare challenger and champion in a Markdown table, one line per emotion and one for the means."""
    lines = [
        "| emotion | MAE champion | MAE | MSE | bias | accuracy | macro-F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for emotion, new in challenger.emotions.items():
        old = f"{champion.emotions[emotion].mae:.4f}" if champion else "-"
        lines.append(
            f"| {emotion} | {old} | {new.mae:.4f} | {new.mse:.4f} | {new.bias:+.4f} | {new.accuracy:.3f} "
            f"| {new.macro_f1:.3f} |"
        )
    old = f"{champion.mae:.4f}" if champion else "-"
    lines.append(
        f"| **mean** | **{old}** | **{challenger.mae:.4f}** | {challenger.mse:.4f} | | {challenger.accuracy:.3f} "
        f"| {challenger.macro_f1:.3f} |"
    )
    return "\n".join(lines)
