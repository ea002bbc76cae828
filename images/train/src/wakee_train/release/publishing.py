"""`upload-to-hub`: one commit per version, on main with a tag if promoted, else on a candidate branch."""

import io
import json
import logging

import torch
from wakee_common.errors import BadInputError
from wakee_common.files import workspace
from wakee_common.hub import ModelHub
from wakee_common.settings import RunContext
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.model import CARD, CONFIG, ONNX, ONNX_INT8, PICKLED, SAFETENSORS, publication

from wakee_train.data.records import Splits
from wakee_train.records import Evaluation, Export, Training, read_record, write_record
from wakee_train.release.hub_config import model_config
from wakee_train.release.model_card import model_card
from wakee_train.release.preflight import check_targets
from wakee_train.release.publication import DRIFT_REPORT, GIT_COMMIT, IMAGE, RUN, publication_record
from wakee_train.release.registry import Registry
from wakee_train.results import PublicationResult
from wakee_train.settings import ModelPage, Targets, TrackingSettings
from wakee_train.training.weights import load_weights
from wakee_train.versions import PUBLICATION, run_key

logger = logging.getLogger(__name__)


def publish(
    store: ObjectStore,
    context: RunContext,
    targets: Targets,
    page: ModelPage,
    uris: tuple[R2Uri, R2Uri],
    *,
    drift_report_id: int | None = None,
    restore_experiment: bool = False,
) -> PublicationResult:
    """Commit the version, unless it is committed already, and tag it if it is promoted.

    First, all targets of the later stages are checked, and the run in MLflow is created, because the model card links
    to it.

    Args:
        store: The bucket.
        context: This process.
        targets: The places to publish to.
        page: The web pages of MLflow.
        uris: URIs of the records of evaluation and export.
        drift_report_id: The drift report that triggered the training, if any.
        restore_experiment: Whether to restore a deleted MLflow experiment.

    Raises:
        BadInputError: the records are of different weights, or main moved since the evaluation.
        ConfigurationError: later stages could not record the published version (`preflight`).
    """
    evaluation, export, training = _records(store, *uris)
    checked = check_targets(
        store,
        context,
        targets,
        drift_report_id=drift_report_id,
        restore_experiment=restore_experiment,
        publishing=evaluation.version,
    )
    run_id = _begin_run(targets.tracking, context, checked.experiment_id, evaluation.version)
    mlflow = {"MLflow run": page.run(checked.experiment_id, run_id), "MLflow model": page.address}
    lineage = _lineage(context, training, export, drift_report_id, mlflow)
    branch, title = publication(evaluation.version, promoted=evaluation.decision.promote)
    with workspace() as scratch:
        hub = ModelHub(targets.hub, scratch)
        if not evaluation.decision.promote:
            hub.ensure_branch(branch)
        if found := hub.find_commit(branch, title):
            logger.info("%s is already on the Hub: %s", evaluation.version, found)
        files = _files(store, training, evaluation, export, page.license, lineage)
        commit = found or _commit(hub, branch, title, evaluation, files)
        if evaluation.decision.promote:
            hub.ensure_tag(evaluation.version, commit)
    record = publication_record(hub, evaluation, uris, commit, drift_report_id)
    uri = write_record(store, context.folder(store.root) / PUBLICATION, record)
    return PublicationResult(
        publication_uri=str(uri),
        version=evaluation.version,
        promoted=evaluation.decision.promote,
        branch=branch,
        commit=commit,
        url=f"{hub.endpoint.rstrip('/')}/{hub.repository}/tree/{commit}",
        new_commit=found is None,
    )


def _records(store: ObjectStore, evaluation_uri: R2Uri, export_uri: R2Uri) -> tuple[Evaluation, Export, Training]:
    evaluation = read_record(store, evaluation_uri, Evaluation)
    export = read_record(store, export_uri, Export)
    training = read_record(store, R2Uri.parse(evaluation.training_uri), Training)
    if not export.weights_sha256 == evaluation.weights_sha256 == training.weights_sha256:
        raise BadInputError("training, evaluation and export have different weights. Run them again, in order")
    return evaluation, export, training


def _begin_run(settings: TrackingSettings, context: RunContext, experiment_id: str, version: str) -> str:
    """Create the run in MLflow unless it exists, and write a test file to it. Returns its id."""
    registry, key = Registry(settings), run_key(context)
    run_id = str(registry.ensure_run(experiment_id, key, version).info.run_id)
    registry.check_artifacts(run_id, key)
    return run_id


def _commit(hub: ModelHub, branch: str, title: str, evaluation: Evaluation, files: dict[str, bytes]) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    # A promotion must follow the champion that the challenger was compared with.
    parent = evaluation.champion_revision if evaluation.decision.promote else None
    added = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=content) for path, content in files.items()]
    # Remove the int8 variant and figures of the previous version that this one does not have.
    stale = sorted(path for path in {*hub.files(branch)} - {*files} if path == ONNX_INT8 or path.startswith("figures/"))
    removed = [CommitOperationDelete(path_in_repo=path) for path in stale]
    return hub.commit(branch, title, "; ".join(evaluation.decision.reasons), [*added, *removed], parent)


def _files(
    store: ObjectStore,
    training: Training,
    evaluation: Evaluation,
    export: Export,
    license_id: str,
    lineage: dict[str, str],
) -> dict[str, bytes]:
    """The files of the commit by their paths."""
    weights = store.get_bytes(R2Uri.parse(training.weights_uri))
    splits = read_record(store, R2Uri.parse(training.splits_uri), Splits)
    figures = {f"figures/{uri.rpartition('/')[2]}": store.get_bytes(R2Uri.parse(uri)) for uri in evaluation.figures}
    metrics = evaluation.model_dump(mode="json", include={"version", "challenger", "champion", "decision"})
    int8 = {ONNX_INT8: store.get_bytes(R2Uri.parse(export.int8.uri))} if export.int8 and export.int8.uri else {}
    return (
        figures
        | int8
        | {
            ONNX: store.get_bytes(R2Uri.parse(export.onnx_uri)),
            SAFETENSORS: weights,
            PICKLED: _pickled(weights),
            CONFIG: _json(model_config(evaluation, training, export, lineage)),
            "metrics.json": _json(metrics),
            CARD: model_card(splits, training, evaluation, export, license_id, lineage).encode(),
        }
    )


def _lineage(
    context: RunContext, training: Training, export: Export, drift_report_id: int | None, mlflow: dict[str, str]
) -> dict[str, str]:
    return {
        DRIFT_REPORT: str(drift_report_id) if drift_report_id is not None else "",
        RUN: run_key(context),
        "data set": training.dataset_id,
        "started from": training.started_from,
        "weights SHA-256": training.weights_sha256,
        "ONNX SHA-256": export.onnx_sha256,
        **mlflow,
        IMAGE: context.image,
        GIT_COMMIT: context.git_commit,
    }


def _pickled(weights: bytes) -> bytes:
    file = io.BytesIO()
    torch.save(load_weights(weights), file)
    return file.getvalue()


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
