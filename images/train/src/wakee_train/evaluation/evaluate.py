"""`evaluate`: challenger against champion on the same test pictures, and whether it may take over."""

import logging

from wakee_common.errors import BadInputError
from wakee_common.files import workspace
from wakee_common.hub import Head, ModelHub
from wakee_common.settings import RunContext
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.telemetry import measured
from wakee_common.uris import R2Uri
from wakee_contract.model import ONNX, publication

from wakee_train.data.shards import SplitPixels, load_splits
from wakee_train.data.splits import TEST
from wakee_train.evaluation.figures import all_figures
from wakee_train.evaluation.gate import decide
from wakee_train.evaluation.metrics import measure
from wakee_train.evaluation.onnx_model import OnnxModel
from wakee_train.records import Evaluation, ModelMetrics, Training, read_record, write_record
from wakee_train.results import EvaluationResult
from wakee_train.settings import HubSettings
from wakee_train.training.backbone import choose_device
from wakee_train.training.prediction import predict
from wakee_train.training.weights import trained_model
from wakee_train.versions import EVALUATION, version_name

logger = logging.getLogger(__name__)


def evaluate(
    store: ObjectStore,
    context: RunContext,
    hub_settings: HubSettings,
    training_uri: R2Uri,
    min_improvement: float,
    max_regression: float,
) -> EvaluationResult:
    """Measure both models, draw the figures and decide.

    Raises:
        BadInputError: the challenger, or the Hub's `model.onnx`, cannot be used; or this run's version is published
            with other weights; or the repository is not to be seen, so that nobody knows whether there is a champion.
    """
    training = read_record(store, training_uri, Training)
    folder, version = context.folder(store.bucket), version_name(context)
    with workspace() as scratch:
        hub = ModelHub(hub_settings, scratch / "hub")
        if (done := _acted_upon(store, hub, folder, training, version)) is not None:
            logger.info("%s is on the Hub already: its evaluation stays", version)
            return _result(done, folder / EVALUATION)
        head = hub.main()
        champion_version = hub.version(head)
        _, splits = load_splits(store, R2Uri.parse(training.splits_uri), (TEST,), scratch)
        test = splits[TEST]
        champion = _champion(hub, head, champion_version, test)
        challenger = measure(predict(trained_model(store, training), test, choose_device()), test.labels)
    figures = all_figures(challenger, champion, training.history)
    for figure, content in figures.items():
        store.put_bytes(folder / figure, content, "image/png")
    evaluation = Evaluation(
        version=version,
        training_uri=str(training_uri),
        weights_sha256=training.weights_sha256,
        splits_uri=training.splits_uri,
        champion_revision=head.commit,
        champion_version=champion_version,
        challenger=challenger,
        champion=champion,
        decision=decide(challenger, champion, min_improvement, max_regression),
        figures=[str(folder / figure) for figure in figures],
    )
    write_record(store, folder / EVALUATION, evaluation)
    return _result(evaluation, folder / EVALUATION)


def _acted_upon(
    store: ObjectStore, hub: ModelHub, folder: R2Uri, training: Training, version: str
) -> Evaluation | None:
    """The recorded evaluation, when its version was published: no model is judged against itself or its heirs.

    Raises:
        BadInputError: the run was published with other weights; one version cannot be two models.
    """
    try:
        evaluation = read_record(store, folder / EVALUATION, Evaluation)
    except MissingObjectError:
        return None
    if hub.find_commit(*publication(version, promoted=evaluation.decision.promote)) is None:
        return None
    if evaluation.weights_sha256 != training.weights_sha256:
        raise BadInputError(f"{version} is on the Hub already, with other weights: trigger a new run for this training")
    return evaluation


def _champion(hub: ModelHub, head: Head, version: str | None, test: SplitPixels) -> ModelMetrics | None:
    if ONNX not in head.files:
        logger.info("%s holds no %s on main: there is no champion", hub.repository, ONNX)
        return None
    logger.info("champion: %s at %s", version or "a model of unknown version", head.commit)
    return measure(OnnxModel(hub.download(ONNX, head.commit).read_bytes()).predict(test), test.labels)


def _result(evaluation: Evaluation, uri: R2Uri) -> EvaluationResult:
    champion = evaluation.champion
    for reason in evaluation.decision.reasons:
        logger.info("gate: %s", reason)
    logger.info("%s is %s", evaluation.version, "promoted" if evaluation.decision.promote else "not promoted")
    _tell(evaluation.challenger if evaluation.decision.promote or champion is None else champion)
    return EvaluationResult(
        evaluation_uri=str(uri),
        version=evaluation.version,
        promote=evaluation.decision.promote,
        reasons=evaluation.decision.reasons,
        mae=round(evaluation.challenger.mae, 6),
        champion_mae=round(champion.mae, 6) if champion else None,
        mae_per_emotion=_mae(evaluation.challenger),
        champion_mae_per_emotion=_mae(champion) if champion else None,
        champion_version=evaluation.champion_version,
        test_samples=evaluation.challenger.samples,
    )


def _tell(production: ModelMetrics) -> None:
    for emotion, values in production.emotions.items():
        measured(
            "wakee_model_mae", "MAE on the test pictures of the model the gate chose.", values.mae, emotion=emotion
        )


def _mae(metrics: ModelMetrics) -> dict[str, float]:
    return {emotion: round(values.mae, 6) for emotion, values in metrics.emotions.items()}
