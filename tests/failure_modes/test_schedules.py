"""Runs that meet, and days that were missed."""

from datetime import date, timedelta

import pytest

DAG = "drift_detection_daily"


@pytest.mark.usefixtures("retraining_paused")
def test_two_triggers_at_once_run_one_after_the_other(airflow, seed, one_report, observed, no_orphans):
    seed("--rows", "100", "--days", "14", "--until", "2013-06-30T00:00:00", "--labels-only")
    runs = [airflow.trigger(DAG, {"until": "2013-06-29"}) for _ in range(2)]
    for run_id in runs:
        airflow.wait(DAG, run_id, 600)

    ends = [airflow.run(DAG, run_id) for run_id in runs]
    observed(DAG, runs[1], "two triggers at once", "save_report", "the second waits for the first")
    assert [run["state"] for run in ends] == ["success", "success"]
    assert ends[1]["start_date"] >= ends[0]["end_date"]
    one_report(date(2013, 6, 29), runs[1])
    no_orphans(DAG)


@pytest.mark.usefixtures("retraining_paused")
def test_missed_days_are_caught_up_with(airflow, backfilled, seed, query, one_report, observed, no_orphans):
    """A backfill makes one run, and one report, for each day."""
    days = [date(2026, 3, 10) + timedelta(days=number) for number in range(3)]
    seed("--rows", "200", "--days", "30", "--until", f"{days[-1] + timedelta(days=1)}T00:00:00", "--labels-only")
    reports = backfilled(days[0], days[-1], 600)

    observed(DAG, reports[0]["run_id"], "three days missed, then backfilled", "save_report", "a report per day")
    assert [report["report_date"] for report in reports] == days
    for report in reports:
        one_report(report["report_date"], report["run_id"])
    no_orphans(DAG)
