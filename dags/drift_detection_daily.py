"""Drift detection: compares the model's predictions with people's corrections.

Every day at 02:00 UTC the validated annotations of the last days are compared with the predictions that the
model made for the same pictures. The drift score is the mean absolute error, averaged over the four emotions
(0 to 3). There is drift if it is above the threshold.

`model_retrain` is triggered if all of these conditions are met (docs/drift.md):

1. the version now in production predicted at least `min_samples` rows of the window,
2. the score of these rows, or the lower end of its interval (`decide_on`), is above the threshold,
3. it was above the threshold on `days_in_a_row` days in a row,
4. the last retraining is at least `cooldown_days` days old,
5. at least `min_new_samples` annotations were added since then.

| task | what it does | output |
|---|---|---|
| `fetch_annotations` | reads the window's annotations, leaves out unusable ones; samples its pictures | Parquet in R2 |
| `load_predictions` | joins the stored predictions by picture; compares a sample with the API | Parquet in R2 |
| `calculate_drift` | exact errors, interval by people, drift of distributions and of pictures | JSON in R2 |
| `generate_report` | Evidently's report and a chart of the errors | HTML, JSON, PNG in R2 |
| `save_report` | one row per date, with the decision on a retraining | table `drift_reports` |
| `decide` | continues only if the report requests a retraining; logs the reasons | |
| `trigger_retrain` | starts `model_retrain` with the report's id; fails if it is paused | a DAG run |

With fewer rows than `min_samples` the run succeeds, all tasks after the first one are skipped, and no report
is written. To run it for a past day, set `until`.
"""

from datetime import timedelta
from typing import Any

import airflow.providers.cncf.kubernetes.operators.pod  # noqa: F401 - see wakee/stages.py
import pendulum
from airflow.sdk import DAG, task
from wakee_contract.parameters import DRIFT

from wakee.deadlines import ends_within
from wakee.forms import form
from wakee.links import REPORT
from wakee.notifications import ALERTS
from wakee.retraining import RetrainingTrigger, retraining_of
from wakee.stages import DEFAULT_ARGS, optional_result, result, stage

UNTIL = "{{ params.until or (dag_run.logical_date or dag_run.run_after).isoformat() }}"


@task.branch
def decide(report: dict[str, Any]) -> str | None:
    """Continue with the retraining only if the saved report requests it."""
    score = f"score {report['drift_score']:.3f}, threshold {report['threshold']:.3f}"
    print(f"drift {'found' if report['drift_detected'] else 'not found'}: {score}")
    print("retraining" if report["retrain"] else "no retraining", *report["reasons"], sep="\n- ")
    return "trigger_retrain" if report["retrain"] else None


with DAG(
    "drift_detection_daily",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=DEFAULT_ARGS,
    **ALERTS,
    **ends_within(hours=6),
    user_defined_macros={"retraining_of": retraining_of},
    params=form(DRIFT),
    tags=["wakee", "drift"],
    doc_md=__doc__,
    description="Compare annotations with predictions. Retrain when the model in production drifts.",
):
    fetch_annotations = stage(
        "drift",
        "fetch_annotations",
        "--until",
        UNTIL,
        "--look-back-days={{ params.look_back_days }}",
        "--reference-days={{ params.reference_days }}",
        "--min-samples={{ params.min_samples }}",
        "--picture-sample={{ params.picture_sample }}",
    )
    load_predictions = stage(
        "drift",
        "load_predictions",
        "--annotations",
        result("fetch_annotations", "annotations_uri"),
        "--reference",
        result("fetch_annotations", "reference_uri"),
        "--reload-minutes={{ params.reload_minutes }}",
    )
    pairs = [
        "--pairs",
        result("load_predictions", "pairs_uri"),
        "--reference-pairs",
        result("load_predictions", "reference_pairs_uri"),
        "--training-sample",
        result("load_predictions", "training_sample_uri"),
    ]
    calculate_drift = stage(
        "drift",
        "calculate_drift",
        *pairs,
        "--pictures",
        optional_result("fetch_annotations", "pictures_uri"),
        "--threshold={{ params.threshold }}",
    )
    metrics = ["--metrics", result("calculate_drift", "metrics_uri")]
    generate_report = stage("drift", "generate_report", *metrics, *pairs, links=[REPORT])
    save_report = stage(
        "drift",
        "save_report",
        *metrics,
        "--report",
        result("generate_report", "html_uri"),
        "--decide-on={{ params.decide_on }}",
        "--days-in-a-row={{ params.days_in_a_row }}",
        "--cooldown-days={{ params.cooldown_days }}",
        "--min-new-samples={{ params.min_new_samples }}",
    )
    trigger_retrain = RetrainingTrigger(
        task_id="trigger_retrain",
        trigger_dag_id="model_retrain",
        # One retraining per drift run, however often this task is retried or cleared.
        trigger_run_id="{{ retraining_of(run_id) }}",
        skip_when_already_exists=True,
        # A JSON text, so that the rendered id stays a number.
        conf='{"drift_report_id": ' + result("save_report", "drift_report_id") + "}",  # type: ignore[arg-type]
    )
    fetch_annotations >> load_predictions >> calculate_drift >> generate_report >> save_report
    decide(save_report.output) >> trigger_retrain  # type: ignore[arg-type]
