"""Much of everything: every stage stays within its limits, and the database is not overwhelmed."""

import threading
from contextlib import contextmanager
from datetime import date

import pytest

DRIFT, RETRAIN = "drift_detection_daily", "model_retrain"
ROWS, PICTURES, DAYS, AT_ONCE = 1_000_000, 20_000, 50, 50
FAITHFUL = ("--bias", "0", "--noise", "0.1")
CONNECTIONS = 20
"""Of our stages at once; the sandbox's PostgreSQL gives 200, a small NeonDB about 100."""


@pytest.fixture
def without_the_crowd(query):
    """Afterwards only rows whose pictures exist are left."""
    yield
    query("DELETE FROM emotion_labels WHERE session_id LIKE 'sandbox-%%' AND timestamp < '2026-03-01'")


def used(airflow, dag_id, run_id, stages):
    """Seconds and memory of some stages, as one line."""
    results = {stage: airflow.result(dag_id, run_id, stage) for stage in stages}
    return "; ".join(f"`{s}` {r['seconds']:.0f} s, {r['peak_memory_mib']} MiB" for s, r in results.items())


@pytest.mark.usefixtures("retraining_paused", "without_the_crowd")
def test_a_million_annotations(airflow, seed, query, one_report, observed, no_orphans):
    seed("--rows", str(ROWS), "--days", "35", "--until", "2011-06-30T00:00:00", "--labels-only")
    run_id = airflow.trigger(DRIFT, {"until": "2011-06-29"})
    airflow.wait(DRIFT, run_id, 900)

    stages = ("fetch_annotations", "load_predictions", "calculate_drift", "generate_report")
    observed(DRIFT, run_id, f"{ROWS:,} annotations", "calculate_drift", used(airflow, DRIFT, run_id, stages))
    assert airflow.run(DRIFT, run_id)["state"] == "success"
    assert {airflow.tasks(DRIFT, run_id)[stage]["try_number"] for stage in stages} == {1}
    one_report(date(2011, 6, 29), run_id)
    (report,) = query("SELECT num_samples FROM drift_reports WHERE run_id = %s", run_id)
    assert report["num_samples"] == ROWS // 5  # seven days of 35
    no_orphans(DRIFT)


@pytest.mark.usefixtures("model_in_production")
def test_twenty_thousand_pictures(airflow, seed, all_agree, observed, no_orphans):
    seed("--reset", "--rows", str(PICTURES), "--days", "30", "--seed", "3")
    try:
        run_id = airflow.trigger(RETRAIN, {"epochs": 1, "start": "random"})
        airflow.wait(RETRAIN, run_id, 1800)

        stages = ("fetch_training_data", "split_dataset", "fine_tune", "evaluate")
        observed(RETRAIN, run_id, f"{PICTURES:,} pictures", "fine_tune", used(airflow, RETRAIN, run_id, stages))
        assert airflow.run(RETRAIN, run_id)["state"] == "success"
        assert {airflow.tasks(RETRAIN, run_id)[stage]["try_number"] for stage in stages} == {1}
        assert airflow.result(RETRAIN, run_id, "fetch_training_data")["samples"] == PICTURES
        all_agree(run_id)
        no_orphans(RETRAIN)
    finally:
        seed("--reset", "--rows", "200", "--days", "7", "--seed", "7")


@contextmanager
def counted(query):
    """Counts our connections to the database all the while."""
    counts, over = [0], threading.Event()
    statement = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'wakee'"

    def count():
        while not over.wait(0.5):
            counts.append(query(statement)[0]["n"])

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        over.set()
        thread.join()


@pytest.mark.usefixtures("retraining_paused", "without_the_crowd")
def test_many_days_at_once(seed, backfilled, query, one_report, observed, no_orphans):
    """Fifty days in one backfill, none of them held back: more than Airflow has slots and the node has room for."""
    seed("--rows", "2000", "--days", "90", "--until", "2026-02-28T00:00:00", "--labels-only", *FAITHFUL)
    with counted(query) as connections:
        reports = backfilled(date(2026, 1, 5), date(2026, 2, 23), 3600, max_active_runs=AT_ONCE)

    reads = f"a report for each of {len(reports)} days; at most {max(connections)} connections"
    observed(DRIFT, reports[0]["run_id"], f"{DAYS} days at once", "save_report", reads)
    assert len({report["report_date"] for report in reports}) == len(reports) == DAYS
    for report in reports:
        one_report(report["report_date"], report["run_id"])
    assert 0 < max(connections) <= CONNECTIONS
    no_orphans(DRIFT)
