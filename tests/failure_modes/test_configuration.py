"""What no retry can mend: the run fails at once, and says what to change; and what comes right while Airflow tries."""

from datetime import date

import pytest

from support.faults import installed_with, setting
from support.waiting import wait_for

DRIFT, RETRAIN = "drift_detection_daily", "model_retrain"


DATABASE = "postgresql://wakee_app:wrong@neondb:5432/wakee"
WRONG = {
    "wrong R2 key": ({"R2_SECRET_ACCESS_KEY": "wrong"}, "R2_SECRET_ACCESS_KEY"),
    "missing bucket": ({"R2_BUCKET_NAME": "no-such-bucket"}, "R2_BUCKET_NAME"),
    "wrong database password": ({"NEON_DATABASE_URL": DATABASE}, "NEON_DATABASE_URL"),
}
"""What is set, and what the message must name."""


@pytest.mark.parametrize("fault", WRONG, ids=lambda fault: fault.replace(" ", "-"))
def test_a_wrong_setting_fails_at_once(airflow, kubernetes, seed, observed, fault):
    seed("--rows", "50", "--days", "7", "--until", "2014-01-08T00:00:00", "--labels-only")
    values, named = WRONG[fault]
    with setting(kubernetes, **values):
        run_id = airflow.trigger(DRIFT, {"until": "2014-01-07"})
        airflow.wait(DRIFT, run_id, 300)

    refused_at_once(airflow, observed, DRIFT, run_id, fault, "fetch_annotations", named)


@pytest.mark.usefixtures("model_in_production")
def test_a_hub_token_that_is_refused(airflow, kubernetes, observed):
    """At the first stage, before anything is computed."""
    with setting(kubernetes, HF_TOKEN="hf_wrong"):
        run_id = airflow.trigger(RETRAIN, {"epochs": 1, "start": "hub"})
        airflow.wait(RETRAIN, run_id, 300)

    refused_at_once(airflow, observed, RETRAIN, run_id, "wrong Hub token", "check_targets", "HF_TOKEN")


def refused_at_once(airflow, observed, dag_id, run_id, fault, task_id, named):
    """The run failed at the first try of the task, whose cause names the setting."""
    cause = airflow.result(dag_id, run_id, task_id)["cause"]
    observed(dag_id, run_id, fault, task_id, cause)
    assert airflow.run(dag_id, run_id)["state"] == "failed"
    assert airflow.tasks(dag_id, run_id)[task_id]["try_number"] == 1
    assert named in cause
    assert "wrong@" not in cause


def comes_right(airflow, dag_id, conf, task_id, reads, **variables):
    """Start a run with these variables, wait for the task's first try to end, mend it; returns the run."""
    with installed_with(**variables):
        run_id = airflow.trigger(dag_id, conf)
        wait_for(lambda: airflow.states(dag_id, run_id)[task_id] == "up_for_retry", 420, "the first try's end")
    airflow.wait(dag_id, run_id, 600)
    log = airflow.log(dag_id, run_id, task_id, attempt=1)  # now: it is kept only after the try's end is known
    assert reads in log, log[-3000:]
    return run_id


@pytest.mark.usefixtures("model_in_production")
@pytest.mark.parametrize(
    ("fault", "variables", "reads"),
    [
        ("out of memory", {"WAKEE_STAGE_MEMORY_FINE_TUNE": "200Mi"}, "its limit of 200Mi (OOMKilled)"),
        ("scratch space full", {"WAKEE_STAGE_SCRATCH_FINE_TUNE": "1Mi"}, "Kubernetes evicted it"),
    ],
    ids=["memory", "scratch"],
)
def test_a_training_with_too_little(airflow, all_agree, observed, no_orphans, fault, variables, reads):
    # Long enough for the kubelet, which measures volumes once a minute, to notice.
    conf = {"epochs": 200, "patience": 1000, "seed": 5}
    run_id = comes_right(airflow, RETRAIN, conf, "fine_tune", reads, **variables)

    observed(RETRAIN, run_id, f"{fault}, then more given", "fine_tune", reads)
    assert airflow.run(RETRAIN, run_id)["state"] == "success"
    all_agree(run_id)
    no_orphans(RETRAIN)


def test_an_image_that_is_not_there(airflow, seed, one_report, observed, no_orphans):
    seed("--rows", "50", "--days", "7", "--until", "2014-02-08T00:00:00", "--labels-only", "--bias", "0")
    missing = "localhost/wakee/drift:missing"
    conf = {"until": "2014-02-07", "threshold": 3}
    run_id = comes_right(airflow, DRIFT, conf, "fetch_annotations", missing, WAKEE_DRIFT_IMAGE=missing)

    observed(DRIFT, run_id, "image missing, then there", "fetch_annotations", "its name, and that it cannot be pulled")
    assert airflow.run(DRIFT, run_id)["state"] == "success"
    one_report(date(2014, 2, 7), run_id)
    no_orphans(DRIFT)
