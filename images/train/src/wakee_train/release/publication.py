"""The record of a version on the Hub, and the keys of the lineage in its `config.json`."""

from typing import Final

from wakee_common.hub import ModelHub
from wakee_common.uris import R2Uri
from wakee_contract.model import ONNX, PICKLED, publication

from wakee_train.records import Evaluation, Publication

DRIFT_REPORT: Final = "drift report"
RUN: Final = "run"
IMAGE: Final = "image"
GIT_COMMIT: Final = "git commit"
"""Keys of the lineage in `config.json` that are read later."""


def publication_record(
    hub: ModelHub,
    evaluation: Evaluation,
    uris: tuple[R2Uri, R2Uri],
    commit: str,
    drift_report_id: int | None,
) -> Publication:
    """Create the record of a version that is on the Hub.

    Args:
        hub: Its repository.
        evaluation: Its evaluation, with the decision.
        uris: URIs of the records of evaluation and export.
        commit: Its commit.
        drift_report_id: The drift report that triggered the training, if any.
    """
    promoted = evaluation.decision.promote
    branch, _ = publication(evaluation.version, promoted=promoted)
    return Publication(
        version=evaluation.version,
        repository=hub.repository,
        endpoint=hub.endpoint,
        branch=branch,
        tag=evaluation.version if promoted else None,
        commit=commit,
        promoted=promoted,
        onnx_url=hub.url(ONNX, commit),
        bin_url=hub.url(PICKLED, commit),
        training_uri=evaluation.training_uri,
        evaluation_uri=str(uris[0]),
        export_uri=str(uris[1]),
        drift_report_id=drift_report_id,
    )
