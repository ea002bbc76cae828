"""`upload-to-hub`: one commit per version, on main with a tag when promoted, on a candidate branch otherwise."""

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
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.model import CARD, CONFIG, INPUT, ONNX, ONNX_INT8, OUTPUT, PICKLED, SAFETENSORS, publication
from wakee_contract.pictures import CROPPED, RESIZED

from wakee_train.data.pictures import PREPROCESSING
from wakee_train.records import Evaluation, Export, Publication, Training, read_record, write_record
from wakee_train.release.model_card import model_card
from wakee_train.results import PublicationResult
from wakee_train.settings import HubSettings, ModelPage
from wakee_train.training.weights import load_weights

logger = logging.getLogger(__name__)

RECORD = "publication.json"


def publish(
    store: ObjectStore,
    context: RunContext,
    settings: HubSettings,
    page: ModelPage,
    evaluation_uri: R2Uri,
    export_uri: R2Uri,
    drift_report_id: int | None,
) -> PublicationResult:
    """Commit the version, or find it committed; then tag it when it is promoted.

    Raises:
        BadInputError: the records are of different weights, or main moved since the challenger was judged.
    """
    evaluation = read_record(store, evaluation_uri, Evaluation)
    export = read_record(store, export_uri, Export)
    training = read_record(store, R2Uri.parse(evaluation.training_uri), Training)
    if not export.weights_sha256 == evaluation.weights_sha256 == training.weights_sha256:
        raise BadInputError("training, evaluation and export are of different weights: run them again, in order")
    version, promoted = evaluation.version, evaluation.decision.promote
    branch, title = publication(version, promoted=promoted)
    with workspace() as scratch:
        hub = ModelHub(settings, scratch)
        hub.ensure_repository(private=settings.private)
        if not promoted:
            hub.ensure_branch(branch)
        commit = hub.find_commit(branch, title)
        if found := commit:
            logger.info("%s is on the Hub already: %s", version, commit)
        else:
            lineage = _lineage(context, training, export, drift_report_id, page)
            files = _files(store, context, training, evaluation, export, lineage)
            commit = _commit(hub, branch, title, evaluation, files)
        if promoted:
            hub.ensure_tag(version, commit)
    record = Publication(
        version=version,
        repository=hub.repository,
        endpoint=hub.endpoint,
        branch=branch,
        tag=version if promoted else None,
        commit=commit,
        promoted=promoted,
        onnx_url=hub.url(ONNX, commit),
        bin_url=hub.url(PICKLED, commit),
        training_uri=evaluation.training_uri,
        evaluation_uri=str(evaluation_uri),
        export_uri=str(export_uri),
        drift_report_id=drift_report_id,
    )
    uri = write_record(store, context.folder(store.bucket) / RECORD, record)
    return PublicationResult(
        publication_uri=str(uri),
        version=version,
        promoted=promoted,
        branch=branch,
        commit=commit,
        url=f"{hub.endpoint.rstrip('/')}/{hub.repository}/tree/{commit}",
        new_commit=found is None,
    )


def _commit(hub: ModelHub, branch: str, title: str, evaluation: Evaluation, files: dict[str, bytes]) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    # Only onto the champion that was beaten; a repository that was not there has no parent to speak of.
    parent = evaluation.champion_revision if evaluation.decision.promote else None
    added = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=content) for path, content in files.items()]
    # The version before may have left an int8 variant or a figure that this one has none of.
    stale = sorted(path for path in {*hub.files(branch)} - {*files} if path == ONNX_INT8 or path.startswith("figures/"))
    removed = [CommitOperationDelete(path_in_repo=path) for path in stale]
    return hub.commit(branch, title, "; ".join(evaluation.decision.reasons), [*added, *removed], parent)


def _files(
    store: ObjectStore,
    context: RunContext,
    training: Training,
    evaluation: Evaluation,
    export: Export,
    lineage: dict[str, str],
) -> dict[str, bytes]:
    """Everything of the commit by its path."""
    weights = store.get_bytes(R2Uri.parse(training.weights_uri))
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
            CONFIG: _json(model_config(evaluation.version, training, export, lineage)),
            "metrics.json": _json(metrics),
            CARD: model_card(context, training, evaluation, export, lineage).encode(),
        }
    )


def model_config(version: str, training: Training, export: Export, lineage: dict[str, str]) -> dict[str, object]:
    """What a program needs to know of the model."""
    return {
        "version": version,
        "architecture": training.settings.backbone,
        "num_classes": len(EMOTIONS),
        "labels": list(EMOTIONS),
        "image_size": training.settings.image_size,
        "input": {"name": INPUT, "shape": ["N", 3, CROPPED, CROPPED], "resize": RESIZED, "crop": CROPPED},
        "output": {
            "name": OUTPUT,
            "shape": ["N", len(EMOTIONS)],
            "lowest": int(LOWEST_LEVEL),
            "highest": int(HIGHEST_LEVEL),
        },
        "preprocessing": PREPROCESSING,
        "onnx_sha256": export.onnx_sha256,
        "onnx_int8_sha256": export.int8.sha256 if export.int8 else None,
        "weights_sha256": training.weights_sha256,
        "dataset_id": training.dataset_id,
        "lineage": lineage,
    }


def _lineage(
    context: RunContext, training: Training, export: Export, drift_report_id: int | None, page: ModelPage
) -> dict[str, str]:
    return {
        "drift report": str(drift_report_id) if drift_report_id is not None else "",
        "run": f"{context.dag_id}/{context.run_id}",
        "data set": training.dataset_id,
        "started from": training.started_from,
        "weights SHA-256": training.weights_sha256,
        "ONNX SHA-256": export.onnx_sha256,
        "MLflow run": f"tags.`wakee.run` = '{context.dag_id}/{context.run_id}'",
        "MLflow model": page.address,
        "image": context.image,
        "git commit": context.git_commit,
    }


def _pickled(weights: bytes) -> bytes:
    file = io.BytesIO()
    torch.save(load_weights(weights), file)
    return file.getvalue()


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
