"""Runs that meet, and days that were missed."""

from datetime import date, timedelta

import pytest

from support.waiting import wait_for

DAG = "drift_detection_daily"


@pytest.mark.usefixtures("retraining_paused")
def test_two_triggers_at_once_run_one_after_the_other(airflow, seed, query, observed, no_orphans):
    seed("--rows", "100", "--days", "14", "--until", "2013-06-30T00:00:00", "--labels-only")
    runs = [airflow.trigger(DAG, {"until": "2013-06-29"}) for _ in range(2)]
    for run_id in runs:
        airflow.wait(DAG, run_id, 600)

    ends = [airflow.run(DAG, run_id) for run_id in runs]
    observed(DAG, runs[1], "two triggers at once", "save_report", "the second waits for the first")
    assert [run["state"] for run in ends] == ["success", "success"]
    assert ends[1]["start_date"] >= ends[0]["end_date"]
    (report,) = query("SELECT run_id FROM drift_reports WHERE report_date = '2013-06-29'")
    assert report["run_id"] == runs[1]
    no_orphans(DAG)


@pytest.mark.usefixtures("retraining_paused")
def test_missed_days_are_caught_up_with(airflow, seed, query, observed):
    """A backfill makes one run, and one report, for each day."""
    days = [date(2026, 3, 10) + timedelta(days=number) for number in range(3)]
    seed("--rows", "200", "--days", "30", "--until", f"{days[-1] + timedelta(days=1)}T00:00:00", "--labels-only")
    body = {"dag_id": DAG, "from_date": f"{days[0]}T00:00:00Z", "to_date": f"{days[-1]}T23:00:00Z"}
    backfill = airflow.call("POST", "backfills", json=body)
    wait_for(lambda: airflow.call("GET", f"backfills/{backfill['id']}")["completed_at"], 600, "the backfill's end", 2)

    statement = "SELECT report_date, run_id FROM drift_reports WHERE report_date BETWEEN %s AND %s ORDER BY 1"
    reports = query(statement, days[0], days[-1])
    observed(DAG, reports[0]["run_id"], "three days missed, then backfilled", "save_report", "a report per day")
    assert [report["report_date"] for report in reports] == days
    assert {airflow.run(DAG, report["run_id"])["state"] for report in reports} == {"success"}
