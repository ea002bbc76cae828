"""Retraining: trains a new model version on the annotations, and promotes it only if it is better.

Triggered manually, or by `drift_detection_daily` with the id of its report. Only one run is active at a time, and
further runs are queued.

| task | what it does | output |
|---|---|---|
| `check_targets` | checks Hub, MLflow, database, bucket: writable, the same version in production | what was missing |
| `try_backbone` | builds the backbone and runs one training step with the chosen image and batch size | |
| `fetch_training_data` | reads annotations and pictures, without damaged ones; reuses earlier data | tar shards in R2 |
| `split_dataset` | training, validation, test: all pictures of a person are always in the same one | JSON in R2 |
| `fine_tune` | trains; a retry, or a restart after a disruption, resumes at the last checkpoint | weights in R2 |
| `evaluate` | compares champion (the Hub's main) and challenger, as ONNX, on the test pictures | decision, ONNX in R2 |
| `export_onnx` | checks the evaluated ONNX file, compares it with PyTorch, measures latency | measurements in R2 |
| `upload_to_hub` | one commit: on main with a tag if promoted, otherwise on `candidate/<version>` | the Hub |
| `log_to_mlflow` | logs parameters, metrics, figures; registers a version as champion or challenger | MLflow |
| `update_model_versions` | writes metrics and lineage; only one version is in production | table `model_versions` |

A version is promoted if it lowers the mean MAE with probability `confidence`, and if no emotion and no part of the test
pictures gets worse by more than `max_regression` (docs/gate.md). With fewer usable samples than `min_samples`, or fewer
than three people, the run succeeds and all further tasks are skipped. They are also skipped if an earlier run trained
on the same data with the same parameters, champion and image, unless `train_again` is set. With `publish` off, the run
is a rehearsal: it ends after `export_onnx` and changes nothing outside its own folder in R2. To return to an earlier
version, use `model_rollback`.
"""

from datetime import timedelta

import airflow.providers.cncf.kubernetes.operators.pod  # noqa: F401 - see wakee/stages.py
import pendulum
from airflow.sdk import DAG
from wakee_contract.parameters import RETRAIN

from wakee.deadlines import ends_within
from wakee.forms import form, training_hours
from wakee.gpu import gpu_options
from wakee.links import HUB_COMMIT, MLFLOW_RUN
from wakee.notifications import ALERTS
from wakee.stages import CONFIG, DEFAULT_ARGS, result, stage, switch

MODEL = [
    "--backbone={{ params.backbone }}",
    "--image-size={{ params.image_size }}",
    "--batch-size={{ params.batch_size }}",
    "--start={{ params.start }}",
    "--seed={{ params.seed }}",
]
RESTORE, PUBLISH = switch("restore_deleted_experiment"), switch("publish")
DRIFT_REPORT = "--drift-report-id={{ params.drift_report_id or '' }}"
# Time limit of one attempt, without the wait for a GPU. With checkpoints, a longer training can take several attempts.
TRAINING_TIME = timedelta(hours=training_hours())

with DAG(
    "model_retrain",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    **ALERTS,
    **ends_within(hours=2 * training_hours() + 12),
    params=form(RETRAIN),
    tags=["wakee", "retrain"],
    doc_md=__doc__,
    description="Fine-tune on the validated annotations. Promote the model when it is better.",
):
    check_targets = stage("train", "check_targets", RESTORE, DRIFT_REPORT, PUBLISH)
    try_backbone = stage("train", "try_backbone", *MODEL)
    fetch_training_data = stage(
        "train",
        "fetch_training_data",
        "--min-samples={{ params.min_samples }}",
        "--max-bad-share={{ params.max_bad_share }}",
        DRIFT_REPORT,
        # So that a retry hours later still uses the same annotations.
        "--until={{ dag_run.run_after.isoformat() }}",
        "--choices={{ params | tojson }}",
        switch("train_again"),
        PUBLISH,
        timeout=timedelta(hours=2),
    )
    split_dataset = stage(
        "train", "split_dataset", "--manifest", result("fetch_training_data", "manifest_uri"), PUBLISH
    )
    fine_tune = stage(
        "train",
        "fine_tune",
        "--splits",
        result("split_dataset", "splits_uri"),
        *MODEL,
        "--epochs={{ params.epochs }}",
        "--learning-rate={{ params.learning_rate }}",
        "--loss={{ params.loss }}",
        "--freeze-epochs={{ params.freeze_epochs }}",
        "--patience={{ params.patience }}",
        switch("deterministic"),
        timeout=TRAINING_TIME + timedelta(seconds=CONFIG.gpu_wait_seconds if CONFIG.gpu_count else 0),
        # The triggerer watches the pod, so a restart of the scheduler or the worker does not affect a long training.
        deferrable=True,
        logging_interval=30,
        # Time to write a checkpoint (about 380 MB for EfficientNet-B4) when the pod is deleted.
        grace_seconds=120,
        # A training that is longer than its time limit continues in the next attempt, thanks to the checkpoints.
        retries=4,
        **gpu_options(CONFIG, shared_memory="1Gi"),
    )
    evaluation = ["--evaluation", result("evaluate", "evaluation_uri")]
    evaluate = stage(
        "train",
        "evaluate",
        "--training",
        result("fine_tune", "training_uri"),
        DRIFT_REPORT,
        "--confidence={{ params.confidence }}",
        "--min-improvement={{ params.min_improvement }}",
        "--max-regression={{ params.max_regression }}",
        "--min-test-samples={{ params.min_test_samples }}",
        "--min-test-people={{ params.min_test_people }}",
        switch("accept_any_first_model"),
        PUBLISH,
        timeout=timedelta(hours=2),
    )
    export_onnx = stage(
        "train",
        "export_onnx",
        *evaluation,
        switch("int8"),
        PUBLISH,
    )
    upload_to_hub = stage(
        "train",
        "upload_to_hub",
        *evaluation,
        "--export",
        result("export_onnx", "export_uri"),
        RESTORE,
        DRIFT_REPORT,
        links=[HUB_COMMIT],
    )
    log_to_mlflow = stage(
        "train",
        "log_to_mlflow",
        "--publication",
        result("upload_to_hub", "publication_uri"),
        links=[MLFLOW_RUN],
    )
    update_model_versions = stage(
        "train",
        "update_model_versions",
        "--tracking",
        result("log_to_mlflow", "tracking_uri"),
        "--retraining-key",
        result("fetch_training_data", "retraining_key"),
    )
    [check_targets, try_backbone] >> fetch_training_data >> split_dataset >> fine_tune >> evaluate >> export_onnx
    export_onnx >> upload_to_hub >> log_to_mlflow >> update_model_versions
