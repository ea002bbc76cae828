"""`evaluate`: compare challenger and champion on the same test pictures, and decide on promotion."""

import hashlib
import json
import logging

import numpy as np
from numpy.typing import NDArray
from wakee_common.errors import BadInputError
from wakee_common.files import workspace
from wakee_common.hub import Head, ModelHub
from wakee_common.settings import DatabaseSettings, RunContext
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.telemetry import measured
from wakee_common.uris import R2Uri
from wakee_contract.model import ONNX, publication

from wakee_train.data.records import Manifest, Splits
from wakee_train.data.shards import SplitPixels, load_splits
from wakee_train.data.splits import TEST, TRAIN, VALIDATION
from wakee_train.evaluation.features import write_features
from wakee_train.evaluation.figures import all_figures
from wakee_train.evaluation.gate import decide, decide_first, described
from wakee_train.evaluation.metrics import measure
from wakee_train.evaluation.onnx_export import notes_of, to_onnx
from wakee_train.evaluation.onnx_model import OnnxModel
from wakee_train.evaluation.paired import Contest
from wakee_train.evaluation.second_look import SECOND_LOOK, page
from wakee_train.evaluation.slices import facts_of, medians, people, slices, window_of
from wakee_train.evaluation.split_rules import notes, rule_of, rule_of_training
from wakee_train.evaluation.training_sample import TRAINING_SAMPLE, training_sample
from wakee_train.records import Evaluation, GateLimits, ModelMetrics, Training, read_record, write_record
from wakee_train.results import EvaluationResult
from wakee_train.settings import HubSettings
from wakee_train.training.weights import trained_model
from wakee_train.versions import EVALUATION, version_name

logger = logging.getLogger(__name__)

PRIVATE = "private"
"""Folder of the bucket for what shows or describes faces. `runs/` may be readable by more people, for its reports."""
LONGEST_REASONS, LONGEST_PARTS, LONGEST_NOTES = 600, 700, 350
"""Largest sizes of these lists in the result, in bytes of JSON. The rest is in `evaluation.json`."""


def evaluate(
    store: ObjectStore,
    context: RunContext,
    settings: tuple[HubSettings, DatabaseSettings],
    training_uri: R2Uri,
    limits: GateLimits,
    *,
    drift_report_id: int | None = None,
    accept_any_first_model: bool = False,
    publish: bool = True,
) -> EvaluationResult:
    """Export the challenger, measure both models as the API serves them, draw the figures and decide on promotion.

    Raises:
        BadInputError: the challenger or the Hub's `model.onnx` is unusable, this run's version is published with other
            weights, or the repository is not visible, so that it is unknown whether there is a champion.
    """
    training = read_record(store, training_uri, Training)
    folder, version = context.folder(store.root), version_name(context)
    private = context.folder(store.root / PRIVATE)
    with workspace() as scratch:
        hub = ModelHub(settings[0], scratch / "hub")
        if (done := _acted_upon(store, hub, folder, training, version)) is not None:
            logger.info("%s is already on the Hub: its evaluation is not replaced", version)
            _push(done)
            earlier = private / SECOND_LOOK
            return _result(done, folder, str(earlier) if store.exists(earlier) else None)
        head, window = hub.main(), window_of(settings[1], drift_report_id)
        splits, pixels = load_splits(store, R2Uri.parse(training.splits_uri), (TEST, VALIDATION), scratch)
        manifest = read_record(store, R2Uri.parse(splits.manifest_uri), Manifest)
        test, content = pixels[TEST], to_onnx(trained_model(store, training), notes_of(training))
        champion, rules = _champion(hub, head, test), _rules(hub, head, training, splits)
        challenger = OnnxModel(content).predict(test)
        features = write_features(store, private, content, manifest, splits, list(pixels.values()))
        store.put_bytes(private / SECOND_LOOK, page(version, test, challenger, champion), "text/html; charset=utf-8")
    store.put_bytes(folder / ONNX, content)
    sample = training_sample(version, manifest, splits, dict(zip(test.names, challenger, strict=True)), features)
    store.put_bytes(folder / TRAINING_SAMPLE, sample.model_dump_json().encode(), "application/json")
    facts = facts_of(manifest, test.names)
    groups, seen = people(facts, test.names, splits), list[str]()
    if champion is None:
        constant = np.broadcast_to(medians(manifest, splits, TRAIN), challenger.shape)
        contest = Contest(challenger, constant, test.labels, groups)
        decision = decide_first(contest, limits, accept_any=accept_any_first_model)
    else:
        contest = Contest(challenger, champion, test.labels, groups)
        seen = notes(contest, test.names, *rules)
        decision = decide(contest, slices(facts, window), limits)
    evaluation = Evaluation(
        version=version,
        training_uri=str(training_uri),
        weights_sha256=training.weights_sha256,
        splits_uri=training.splits_uri,
        champion_revision=head.commit,
        champion_version=hub.version(head),
        challenger=measure(challenger, test.labels),
        champion=None if champion is None else measure(champion, test.labels),
        decision=decision,
        onnx_uri=str(folder / ONNX),
        onnx_sha256=hashlib.sha256(content).hexdigest(),
        figures=[],
        split_rule=rules[1],
        notes=seen,
        training_sample_uri=str(folder / TRAINING_SAMPLE),
    )
    evaluation = evaluation.model_copy(update={"figures": _draw(store, folder, evaluation, training)})
    write_record(store, folder / EVALUATION, evaluation)
    if publish:
        _push(evaluation)
    return _result(evaluation, folder, str(private / SECOND_LOOK))


def shortened(lines: list[str], most: int) -> list[str]:
    """Return the first lines that fit into `most` bytes of JSON, and the number of lines that are left out."""
    sizes = np.cumsum([len(json.dumps(line)) + 2 for line in lines])
    fitting = int((sizes <= most).sum())
    left_out = len(lines) - fitting
    return lines[:fitting] + ([f"and {left_out} more: see {EVALUATION}"] if left_out else [])


def _draw(store: ObjectStore, folder: R2Uri, evaluation: Evaluation, training: Training) -> list[str]:
    figures = all_figures(evaluation, training.history)
    for figure, content in figures.items():
        store.put_bytes(folder / figure, content, "image/png")
    return [str(folder / figure) for figure in figures]


def _acted_upon(
    store: ObjectStore, hub: ModelHub, folder: R2Uri, training: Training, version: str
) -> Evaluation | None:
    """Return the stored evaluation if its version is published, so that no model is compared with itself.

    Raises:
        BadInputError: the version is published with other weights.
    """
    try:
        evaluation = read_record(store, folder / EVALUATION, Evaluation)
    except MissingObjectError:
        return None
    if hub.find_commit(*publication(version, promoted=evaluation.decision.promote)) is None:
        return None
    if evaluation.weights_sha256 != training.weights_sha256:
        raise BadInputError(
            f"Cannot publish {version}: it is already on the Hub with other weights. Trigger a new run of this training"
        )
    return evaluation


def _rules(hub: ModelHub, head: Head, training: Training, splits: Splits) -> tuple[str, str]:
    """The split rules of champion and challenger."""
    return rule_of(hub, head.commit), rule_of_training(hub, training.started_from, splits.rule)


def _champion(hub: ModelHub, head: Head, test: SplitPixels) -> NDArray[np.float32] | None:
    """Predictions of the model in production, shape (N, 4); None without one."""
    if ONNX not in head.files:
        logger.info("%s has no %s on main: there is no champion", hub.repository, ONNX)
        return None
    logger.info("champion: %s at %s", hub.version(head) or "a model of unknown version", head.commit)
    return OnnxModel(hub.download(ONNX, head.commit).read_bytes()).predict(test)


def _result(evaluation: Evaluation, folder: R2Uri, second_look_uri: str | None = None) -> EvaluationResult:
    champion = evaluation.champion
    for reason in evaluation.decision.reasons:
        logger.info("gate: %s", reason)
    for part in evaluation.decision.parts:
        logger.info("gate: %s", described(part))
    for note in evaluation.notes:
        logger.warning("%s", note)
    logger.info("%s: %s", evaluation.version, evaluation.decision.verdict)
    return EvaluationResult(
        evaluation_uri=str(folder / EVALUATION),
        version=evaluation.version,
        promote=evaluation.decision.promote,
        verdict=evaluation.decision.verdict,
        reasons=shortened(evaluation.decision.reasons, LONGEST_REASONS),
        mae=round(evaluation.challenger.mae, 6),
        champion_mae=round(champion.mae, 6) if champion else None,
        mae_per_emotion=_mae(evaluation.challenger),
        champion_mae_per_emotion=_mae(champion) if champion else None,
        champion_version=evaluation.champion_version,
        test_samples=evaluation.challenger.samples,
        test_people=evaluation.decision.parts[0].people,
        parts=shortened([described(part) for part in evaluation.decision.parts], LONGEST_PARTS),
        notes=shortened(evaluation.notes, LONGEST_NOTES),
        # Not in the record, which is copied to MLflow.
        second_look_uri=second_look_uri,
    )


def _push(evaluation: Evaluation) -> None:
    """Push the MAE of the model that will be in production."""
    kept = None if evaluation.decision.promote else evaluation.champion
    production = kept or evaluation.challenger
    for emotion, values in production.emotions.items():
        measured(
            "wakee_model_mae",
            "MAE on the test pictures, of the model that the gate chose.",
            values.mae,
            emotion=emotion,
        )


def _mae(metrics: ModelMetrics) -> dict[str, float]:
    return {emotion: round(values.mae, 6) for emotion, values in metrics.emotions.items()}
