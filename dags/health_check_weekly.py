"""Health check: probes all services that Wakee depends on.

Runs every Sunday at 03:00 UTC, and when triggered manually. The five probes run in parallel. A probe that fails reports
its cause in one line, and all other tasks still run.

| task | what it checks | writes |
|---|---|---|
| `test_api` | `/health`, predictions of a drawn face, rejection of a text, latency, certificate | nothing by default |
| `test_database` | connection, schema, migrations, fresh rows, a write that is rolled back | nothing |
| `test_storage` | a temporary object; whether the pictures of a sample of rows exist | a temporary object |
| `test_app_sourcing` | the page, and Streamlit's health endpoint | nothing |
| `test_model_hub` | the model's files, digest and contract; whether API, registry, database have the same | nothing |
| `run_pytest_suite` | the test suite of the image, against the live services | JUnit XML and HTML in R2 |
| `generate_summary` | results of all checks | Markdown, JSON, HTML in R2; rows in `health_reports` |

The run has the state of `generate_summary`, which fails if a critical check failed. The severity of each check is a
parameter. If the database or R2 is unavailable, the summary is written to the other one and reports this.
"""

from datetime import timedelta
from typing import Any

import airflow.providers.cncf.kubernetes.operators.pod  # noqa: F401 - see wakee/stages.py
import pendulum
from airflow.sdk import DAG
from wakee_contract.checks import CHECKS, SUITE, SUMMARY
from wakee_contract.parameters import HEALTH, SEVERITY

from wakee.deadlines import ends_within
from wakee.forms import form
from wakee.health import health_results
from wakee.notifications import ALERTS
from wakee.stages import DEFAULT_ARGS, stage, switch

# One quick retry: a longer outage should be reported immediately, not in an hour.
PATIENCE: dict[str, Any] = {
    "retries": 1,
    "retry_delay": timedelta(seconds=10),
    "timeout": timedelta(minutes=10),
}
CALLS, SLOW = "--calls={{ params.calls }}", "--slow-ms={{ params.slow_ms }}"

with DAG(
    "health_check_weekly",
    schedule="0 3 * * 0",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=DEFAULT_ARGS,
    **ALERTS,
    **ends_within(hours=6),
    params=form(HEALTH | SEVERITY),
    user_defined_macros={"health_results": health_results},
    tags=["wakee", "health"],
    doc_md=__doc__,
    description="Check every service that Wakee needs and write a report. Fail when a critical check fails.",
):
    probes = [
        stage(
            "health",
            "test_api",
            CALLS,
            SLOW,
            switch("insert"),
            **PATIENCE,
        ),
        stage("health", "test_database", CALLS, "--stale-days={{ params.stale_days }}", **PATIENCE),
        stage("health", "test_storage", "--orphan-sample={{ params.orphan_sample }}", **PATIENCE),
        stage("health", "test_app_sourcing", CALLS, SLOW, **PATIENCE),
        stage("health", "test_model_hub", **PATIENCE),
    ]
    run_pytest_suite = stage("health", SUITE, **PATIENCE | {"timeout": timedelta(minutes=20)}, trigger_rule="all_done")
    generate_summary = stage(
        "health",
        SUMMARY,
        "--results={{ health_results(ti) }}",
        *(f"--severity={name}={{{{ params.severity_{name} }}}}" for name in CHECKS),
        **PATIENCE,
        trigger_rule="all_done",
    )
    # The only leaf task determines the state of the run.
    probes >> run_pytest_suite >> generate_summary
