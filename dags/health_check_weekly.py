"""Health check: is everything there that Wakee stands on, and does it do what it should?

Every Sunday at 03:00 UTC, and whenever started by hand. The five probes run side by side; one that fails shows red with
its cause in one line, and everything else still runs.

| task | what it looks at | writes |
|---|---|---|
| `test_api` | `/health`, a few `/predict` of a drawn face, a refusal, latency, certificate | nothing |
| `test_database` | connection, schema, migrations, fresh rows, a write that is rolled back | nothing |
| `test_storage` | an object there and back; whether the pictures of a sample of rows exist | nothing that stays |
| `test_app_sourcing` | the page and Streamlit's own health | nothing |
| `test_model_hub` | files, digest and contract of the model; API, registry and database on the same one | nothing |
| `run_pytest_suite` | the test suite in the image, against the live services | JUnit XML and HTML in R2 |
| `generate_summary` | sums up | Markdown, JSON, HTML in R2; rows in `health_reports` |

The run's outcome is that of `generate_summary`: it fails when a critical check failed. How much each check matters is a
parameter. With the database or R2 down the summary is kept in the other one, and says so.
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

# One more try soon: what is down for longer should be told today, not in an hour.
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
    description="Probe everything that Wakee stands on; report; fail when a critical check fails.",
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
    # The only leaf decides over the run.
    probes >> run_pytest_suite >> generate_summary
