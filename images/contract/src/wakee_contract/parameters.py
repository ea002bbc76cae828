"""Parameters of a run, each defined once with its default, range and description.

Airflow's trigger forms (`dags/wakee/forms.py`) and the flags of the stages' commands (`wakee_common.flags.option`) are
generated from them. A parameter and its flag have the same name, the flag with dashes.
"""

from typing import Final

from wakee_contract.checks import CHECKS, DEFAULT_SEVERITY, SEVERITIES
from wakee_contract.parameter import WHOLE, Parameter

GATE: Final = "Promotion"
TRIGGER: Final = "Retraining"
"""Section headings in the form."""

DRIFT: Final = {
    "until": Parameter(
        "string",
        None,
        "Report date",
        "Last day of the window, inclusive. Empty: up to the time of the run.",
        format="date",
    ),
    "look_back_days": Parameter("integer", 7, "Look-back", "Length of the window in days.", 1, 365),
    "reference_days": Parameter(
        "integer",
        28,
        "Reference window",
        "Days before the window against which Evidently compares distributions.",
        1,
        730,
    ),
    "threshold": Parameter(
        "number",
        0.15,
        "Drift threshold",
        "Drift is detected when the mean absolute error (0 to 3) is above this value.",
        0,
        3,
    ),
    "min_samples": Parameter(
        "integer",
        10,
        "Minimum samples",
        "With fewer valid annotations there is no report and no retraining.",
        1,
        1_000_000,
    ),
    "picture_sample": Parameter(
        "integer",
        200,
        "Picture sample",
        "Number of pictures of the window, annotated or not, to compare with the model's training pictures. 0: none.",
        0,
        1000,
    ),
    "decide_on": Parameter(
        "string",
        "lower_bound",
        "Decide on",
        "What must be above the threshold for a retraining: the score of the rows that the version in production"
        " predicted, or the lower end of its 95 % interval, which seldom exceeds it by chance.",
        choices=("lower_bound", "score"),
        section=TRIGGER,
    ),
    "days_in_a_row": Parameter(
        "integer",
        1,
        "Days in a row",
        "Number of days in a row on which it must be above the threshold, including this one.",
        1,
        30,
        section=TRIGGER,
    ),
    "cooldown_days": Parameter(
        "number", 2, "Pause", "Days after a retraining in which no other one is triggered.", 0, 365, section=TRIGGER
    ),
    "min_new_samples": Parameter(
        "integer",
        20,
        "New annotations",
        "Minimum number since the last retraining. Without new ones, training would produce the same model.",
        0,
        1_000_000,
        section=TRIGGER,
    ),
    "reload_minutes": Parameter(
        "number",
        30,
        "Reload time",
        "Minutes after a promotion in which the API may still use the previous version. Rows from that time are not"
        " counted for the new version.",
        0,
        1440,
        section=TRIGGER,
    ),
    "queue_while_paused": Parameter(
        "boolean",
        False,
        "Queue while paused",
        "If model_retrain is paused, let the retraining wait. Off: the run fails with an error.",
        section=TRIGGER,
    ),
}

RETRAIN: Final = {
    "backbone": Parameter(
        "string",
        "efficientnet_b4",
        "Backbone",
        "Name of a timm model. Training starts from the production weights only if they fit it.",
        pattern=f"^[a-z0-9_.]+{WHOLE}",
        longest=100,
        cluster_default=True,
    ),
    "image_size": Parameter(
        "integer",
        224,
        "Image size",
        "Input size of the backbone, in pixels. The exported model always takes 224 x 224.",
        32,
        512,
        cluster_default=True,
    ),
    "epochs": Parameter("integer", 10, "Epochs", "Maximum number of epochs.", 1, 1000, cluster_default=True),
    "learning_rate": Parameter(
        "number", 3e-4, "Learning rate", "Maximum learning rate, after the warm-up.", 1e-7, 1, cluster_default=True
    ),
    "batch_size": Parameter(
        "integer",
        32,
        "Batch size",
        "If GPU memory is too small, batches are split and gradients accumulated.",
        1,
        4096,
        cluster_default=True,
    ),
    "loss": Parameter(
        "string",
        "smooth_l1",
        "Loss",
        "l1: absolute error. mse: squared error. smooth_l1: squared for small errors, absolute for large ones.",
        choices=("smooth_l1", "l1", "mse"),
    ),
    "freeze_epochs": Parameter(
        "integer", 0, "Frozen epochs", "Epochs at the start in which only the head is trained.", 0, 1000
    ),
    "patience": Parameter(
        "integer", 5, "Patience", "Stop after this number of epochs without a better validation MAE.", 1, 1000
    ),
    "start": Parameter(
        "string",
        "auto",
        "Start from",
        "auto: the production weights if they fit, else timm's pretrained ones. random: never chosen by auto.",
        choices=("auto", "hub", "imagenet", "random"),
        cluster_default=True,
    ),
    "seed": Parameter("integer", 0, "Seed", "The same seed, data and machine give the same weights.", 0, 2**31 - 1),
    "deterministic": Parameter(
        "boolean",
        False,
        "Deterministic",
        "On a GPU, use slower algorithms that give the same weights for the same seed. A CPU always does.",
    ),
    "min_samples": Parameter(
        "integer", 100, "Minimum samples", "With fewer usable annotations no model is trained.", 20, 10_000_000
    ),
    "max_bad_share": Parameter(
        "number", 0.1, "Bad share", "Fail when a larger share of the annotations is unusable.", 0, 1
    ),
    "confidence": Parameter(
        "number",
        0.8,
        "Confidence",
        "Required probability that the new model is better. Higher: fewer promotions, and fewer wrong ones.",
        0.5,
        0.999,
        section=GATE,
    ),
    "min_improvement": Parameter(
        "number",
        0.0,
        "Minimum improvement",
        "Required decrease of the mean MAE (0 to 3) for a promotion. It must decrease in any case.",
        0,
        3,
        section=GATE,
    ),
    "max_regression": Parameter(
        "number",
        0.05,
        "Maximum regression",
        "Largest increase of the MAE of an emotion, or of a part of the test pictures, in a promotion.",
        0,
        3,
        section=GATE,
    ),
    "min_test_samples": Parameter(
        "integer",
        30,
        "Minimum test pictures",
        "With fewer, no model is promoted. Smaller parts of the test pictures are not compared.",
        1,
        1_000_000,
        section=GATE,
    ),
    "min_test_people": Parameter(
        "integer",
        5,
        "Minimum test people",
        "The same for the number of people in the test pictures.",
        1,
        1_000_000,
        section=GATE,
    ),
    "accept_any_first_model": Parameter(
        "boolean",
        False,
        "Accept any first model",
        "Promote a repository's first model even if it is not better than predicting the median.",
        section=GATE,
    ),
    "int8": Parameter(
        "boolean",
        False,
        "Quantised model",
        "Also publish model_int8.onnx, if it is faster and nearly as accurate.",
    ),
    "publish": Parameter(
        "boolean",
        True,
        "Publish",
        "Off: a rehearsal. Train, evaluate and export, but change nothing outside the run's own folder in R2.",
    ),
    "train_again": Parameter(
        "boolean",
        False,
        "Train again",
        "Train even if an earlier run trained on the same data with the same parameters, champion and image.",
    ),
    "restore_deleted_experiment": Parameter(
        "boolean",
        False,
        "Restore the experiment",
        "Restore the MLflow experiment if it was deleted. Off: a deleted experiment fails the run at its start.",
    ),
    "drift_report_id": Parameter(
        "integer", None, "Drift report", "Id of the drift report that triggered this training.", 1
    ),
}

ROLLBACK: Final = {
    "version": Parameter(
        "string",
        "previous",
        "Version",
        "Name of a version that was in production, or 'previous'.",
        pattern=f"^[A-Za-z0-9._-]{{1,100}}{WHOLE}",
        longest=100,
    ),
}

HEALTH: Final = {
    "calls": Parameter("integer", 5, "Calls", "Number of measured calls per service.", 1, 100),
    "slow_ms": Parameter(
        "integer",
        2000,
        "Slow",
        "Warn when the 95th percentile of API or page is above this number of milliseconds.",
        1,
        60_000,
    ),
    "stale_days": Parameter(
        "number", 14, "Stale after", "Warn when the newest annotation is older than this number of days.", 0, 3650
    ),
    "orphan_sample": Parameter(
        "integer", 50, "Picture sample", "Number of rows whose pictures are checked for existence. 0: none.", 0, 1000
    ),
    "insert": Parameter(
        "boolean",
        False,
        "Try /insert",
        "Also write an annotation through the API, and remove it. Off: the check writes nothing.",
    ),
}

SEVERITY: Final = {
    f"severity_{check}": Parameter(
        "string",
        DEFAULT_SEVERITY[check],
        f"Severity of {check}",
        f"Effect of a failed {check}: critical fails the run, warning is only reported.",
        choices=SEVERITIES,
        section="Severity",
    )
    for check in CHECKS
}
