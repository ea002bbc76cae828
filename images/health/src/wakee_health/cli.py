"""`wakee-health`: the stages of the health check.

Five probes, each of one service: test-api, test-database, test-storage, test-app-sourcing, test-model-hub. Then a test
suite against all of them (run-pytest-suite, or by hand: pytest), and the report of the run (generate-summary).

Probes and suite open their first connection HEALTH_STARTUP_WAIT_SECONDS after they start. Until its network policies
take effect, a new pod can reach services that they do not allow, and such a connection stays open.
"""

from typing import Annotated

import typer
from wakee_common.flags import option
from wakee_common.settings import DatabaseSettings, R2Settings, load
from wakee_common.stage import run_context, stage
from wakee_common.startup import wait_for_policies
from wakee_common.storage import ObjectStore
from wakee_contract.parameters import HEALTH

from wakee_health.results import ProbeResult, SuiteResult, SummaryResult
from wakee_health.settings import ApiSettings, HubSettings, ProbeSettings, SourcingSettings

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None
)

# Slow imports (onnxruntime, the Hub's client) are inside the stages, so that --help is fast.
# No stage requires R2 for its run record: a probe must be able to return its result while R2 is down.

Calls = Annotated[int, option(HEALTH["calls"])]
SlowMs = Annotated[float, typer.Option(min=0, help="Warn when the 95th percentile of the calls is above this.")]


@stage(app, record_required=False)
def test_api(
    calls: Calls = HEALTH["calls"].default,
    slow_ms: SlowMs = HEALTH["slow_ms"].default,
    insert: Annotated[bool, option(HEALTH["insert"])] = HEALTH["insert"].default,
) -> ProbeResult:
    """Check that the Wakee API is healthy, predicts, and rejects a file that is not a picture."""
    from wakee_health.probes.api import probe
    from wakee_health.probes.inserting import insert_and_remove

    api, settings = load(ApiSettings), load(ProbeSettings)
    wait_for_policies(settings.startup_wait_seconds)
    result = probe(api, settings, calls, slow_ms)
    if not insert:
        return result
    facts, warnings = insert_and_remove(api, settings, ObjectStore(load(R2Settings)))
    return result.model_copy(update={"facts": result.facts | facts, "warnings": result.warnings + warnings})


@stage(app, record_required=False)
def test_database(
    calls: Calls = HEALTH["calls"].default,
    slow_ms: SlowMs = 500,
    stale_days: Annotated[float, option(HEALTH["stale_days"])] = HEALTH["stale_days"].default,
    most_nulls: Annotated[
        float, typer.Option(min=0, max=1, help="Warn when a larger share of validated rows has no correction.")
    ] = 0.05,
) -> ProbeResult:
    """Check the database: connection, schema, fresh data, and a write that is rolled back."""
    from wakee_health.probes.database import probe

    database = load(DatabaseSettings)
    wait_for_policies(load(ProbeSettings).startup_wait_seconds)
    return probe(database, calls, slow_ms, stale_days, most_nulls)


@stage(app, record_required=False)
def test_storage(
    slow_ms: SlowMs = 3000,
    orphan_sample: Annotated[int, option(HEALTH["orphan_sample"])] = HEALTH["orphan_sample"].default,
    most_orphans: Annotated[
        float, typer.Option(min=0, max=1, help="Fail when a larger share of the sampled pictures is missing.")
    ] = 0.2,
) -> ProbeResult:
    """Check that R2 stores a temporary object, and that it has the pictures of a sample of rows."""
    from wakee_health.probes.storage import probe

    store = ObjectStore(load(R2Settings))
    wait_for_policies(load(ProbeSettings).startup_wait_seconds)
    return probe(store, slow_ms, orphan_sample, most_orphans)


@stage(app, record_required=False)
def test_app_sourcing(calls: Calls = 3, slow_ms: SlowMs = HEALTH["slow_ms"].default) -> ProbeResult:
    """Check the page on which people correct the scores."""
    from wakee_health.probes.sourcing import probe

    sourcing, settings = load(SourcingSettings), load(ProbeSettings)
    wait_for_policies(settings.startup_wait_seconds)
    return probe(sourcing, settings, calls, slow_ms)


@stage(app, record_required=False)
def test_model_hub(
    tolerance: Annotated[
        float,
        typer.Option(
            min=0, max=3, help="Fail when the API's levels differ from those of the Hub's model by more than this."
        ),
    ] = 0.01,
) -> ProbeResult:
    """Check that the production model is complete, works, and is the same on Hub, API, registry and database."""
    from wakee_health.probes.model_hub import probe

    hub, settings = load(HubSettings), load(ProbeSettings)
    wait_for_policies(settings.startup_wait_seconds)
    return probe(hub, settings, tolerance)


@stage(app, record_required=False)
def run_pytest_suite() -> SuiteResult:
    """Run the test suite of this image against the live services, and write its reports to R2."""
    from wakee_health.suite.run import run

    context = run_context("run_pytest_suite")
    wait_for_policies(load(ProbeSettings).startup_wait_seconds)
    return run(context)


@stage(app, record_required=False)
def generate_summary(
    results: Annotated[
        str, typer.Option(help="JSON: for each task id its state and its result, as the DAG writes it.")
    ],
    severity: Annotated[
        list[str] | None, typer.Option(help="check=critical or check=warning. Can be repeated, once for each check.")
    ] = None,
) -> SummaryResult:
    """Write the summary of all checks to R2, the table health_reports and the log. Fails if a critical check failed."""
    from wakee_health.report.checks import parse_severities, read_checks
    from wakee_health.report.summary import summarise

    checks = read_checks(results, parse_severities(severity or []))
    return summarise(run_context("generate_summary"), checks)


@app.command(name="pytest", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pytest_by_hand(context: typer.Context) -> None:
    """Run the test suite in this terminal. All arguments are passed to pytest, e.g. -k storage."""
    from wakee_health.suite.run import by_hand

    wait_for_policies(load(ProbeSettings).startup_wait_seconds)
    raise typer.Exit(by_hand(context.args))
