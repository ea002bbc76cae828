"""The model card: intended use, metrics and origin of a version."""

import re
from collections.abc import Sequence

from wakee_contract.emotions import EMOTIONS

from wakee_train.data.label_quality import described
from wakee_train.data.records import Splits
from wakee_train.records import Evaluation, Export, Int8, ModelMetrics, PartOfGate, Training
from wakee_train.training.backbone import import_timm

TASK = "image-classification"
"""The Hub knows no task for regression on pictures; this one is the nearest."""
TEST_SPLIT = "Wakee test split, by people"

CARD = """---
{metadata}
---

# Wakee emotions {version}

Reads four emotions ({emotions}) from a picture of a face, each as a number from 0 (not at all) to 3 (very strongly).
Backbone `{backbone}`, {parameters:,} parameters.

**Status:** {status}. {reasons}

## Intended use

For Wakee, a work assistant that shows people their own state while they work, with their consent. It was trained on
pictures of Wakee's users, corrected by themselves. It is not fit for judging people who did not agree to it, for
hiring, grading, surveillance or medicine; expressions differ between people and cultures, and a face is not proof of a
feeling.

**EU AI Act.** Article 5(1)(f) of Regulation (EU) 2024/1689 prohibits AI systems that infer emotions of people at work
or in education, except for medical or safety reasons. Whether a use of this model falls under that prohibition is for
its operator to clarify before using it. This card does not answer the question.

## Known limits

- Trained on the pictures of few people (the table of splits says how many), who chose to use Wakee: others may be read
  worse. Nothing is known of age, sex or skin colour, so differences between such groups were not measured.
- Labels are people's own corrections of a prediction, and the prediction influences them.
- A face that is dark, cut off, turned away or missing gets a number anyway.

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

Parts of the test split that the gate compared with the champion:

{parts}

{splits}

Labels of the data set that say little about the pictures: {labels}.

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
    splits: Splits,
    training: Training,
    evaluation: Evaluation,
    export: Export,
    license_id: str,
    lineage: dict[str, str],
) -> str:
    """Render the card as Markdown."""
    size = training.settings.image_size
    return CARD.format(
        metadata=card_metadata(training, evaluation, license_id),
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
        labels=described(splits.labels),
        parts=parts_table(evaluation.decision.parts),
        table=metrics_table(evaluation.challenger, evaluation.champion),
        lineage="\n".join(f"| {name} | {cell(value)} |" for name, value in lineage.items() if value),
    )


def card_metadata(training: Training, evaluation: Evaluation, license_id: str) -> str:
    """What the Hub reads: license, base model, and the figures as a `model-index`; YAML."""
    from huggingface_hub import EvalResult, ModelCardData

    figures = {"MAE": evaluation.challenger.mae, "macro-F1": evaluation.challenger.macro_f1}
    figures |= {f"MAE {emotion}": values.mae for emotion, values in evaluation.challenger.emotions.items()}
    results = [
        EvalResult(TASK, "wakee-annotations", TEST_SPLIT, metric_id(name), round(value, 6), metric_name=name)
        for name, value in figures.items()
    ]
    data = ModelCardData(
        license=license_id,
        library_name="timm",
        pipeline_tag=TASK,
        tags=["regression", "emotion", "onnx", "wakee"],
        base_model=base_model(training),
        model_name=f"Wakee emotions {evaluation.version}",
        eval_results=results,
    )
    return str(data.to_yaml())


def metric_id(name: str) -> str:
    """The Hub's id of a metric."""
    return "f1" if "F1" in name else "mae"


def base_model(training: Training) -> str | None:
    """The Hub's repository whose weights the training started from; None for random weights."""
    repository, at, _ = training.started_from.rpartition("@")
    if at:
        return repository
    if "pretrained" not in training.started_from:
        return None
    known = import_timm().get_pretrained_cfg(training.settings.backbone)
    return str(known.hf_hub_id) if known and known.hf_hub_id else None


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
    return f"`model_int8.onnx` is the same model in int8 arithmetic. Measured on the exporting CPU: {int8.reason}.\n"


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


def parts_table(parts: Sequence[PartOfGate]) -> str:
    """Pictures and people of each part of the test split, and both models' MAE there, as a Markdown table."""
    lines = ["| part | pictures | people | MAE champion | MAE |", "|---|---|---|---|---|"]
    lines += [f"| {p.name} | {p.samples} | {p.people} | {p.champion:.4f} | {p.challenger:.4f} |" for p in parts]
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
