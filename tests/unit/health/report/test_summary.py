"""The summary when something is wrong: verdict, exit code, rows, pages, and what it says of its own trouble."""

import json
import re
import xml.etree.ElementTree as ET

import psycopg2
import pytest
from wakee_common.uris import R2Uri

from ..environment import CHECKS, Environment

API_DOWN = "the API: GET /health answers 503: 'Service Unavailable'"


def passed(**result):
    latency = {"p50_ms": 12.0, "p95_ms": 34.5, "calls": 5}
    return {"state": "success", "result": {"status": "success", "warnings": [], "latency": latency, **result}}


def failed(cause):
    return {"state": "failed", "result": {"status": "failed", "cause": cause, "seconds": 0.2}}


def told(**others):
    return {name: passed() for name in CHECKS} | others


def page(environment: Environment, run_id="run-1", name="report.html"):
    key = f"runs/health_check_weekly/{run_id}/generate_summary/{name}"
    return environment.store.get_bytes(environment.store.uri(key)).decode()


def rows(environment: Environment):
    found = environment.execute("SELECT check_name, status, severity, cause FROM health_reports ORDER BY id")
    return {name: rest for name, *rest in found}


def test_a_critical_failure_fails_the_run_for_good(environment: Environment):
    cause = environment.summary(told(test_api=failed(API_DOWN)), exit_code=2)["cause"]
    report = f"r2://{environment.store.bucket}/runs/health_check_weekly/run-1/generate_summary/report.html"
    assert cause == f"1 critical check failed: test_api: {API_DOWN}; report: {report}"
    assert rows(environment)["test_api"] == ["failed", "critical", API_DOWN]
    assert rows(environment)["overall"] == ["failed", "critical", f"test_api: {API_DOWN}"]
    assert rows(environment)["test_storage"] == ["passed", "critical", ""]
    assert re.search(rf"test_api +FAIL  critical +- +-  {re.escape(API_DOWN)}", environment.logs[-1])


def test_two_critical_failures_are_both_named(environment: Environment):
    both = told(test_api=failed("down"), test_storage=failed("no bucket"))
    cause = environment.summary(both, exit_code=2)["cause"]
    assert cause.startswith("2 critical checks failed: test_api: down; test_storage: no bucket; ")


def test_another_failure_only_warns(environment: Environment):
    result = environment.summary(told(test_app_sourcing=failed("down")))
    assert (result["verdict"], result["passed"], result["failed"]) == ("warning", 5, 1)
    assert rows(environment)["overall"] == ["warning", "critical", "test_app_sourcing: down"]


def test_severities_can_be_turned_round(environment: Environment):
    severities = ["test_api=warning", "test_app_sourcing=critical"]
    assert environment.summary(told(test_api=failed("down")), severity=severities)["verdict"] == "warning"
    cause = environment.summary(told(test_app_sourcing=failed("down")), exit_code=2, severity=severities)["cause"]
    assert cause.startswith("1 critical check failed: test_app_sourcing: down")


def test_a_warning_of_a_probe_is_a_warning(environment: Environment):
    result = environment.summary(told(test_database=passed(warnings=["the newest annotation is 20.0 days old"])))
    assert (result["verdict"], result["warned"]) == ("warning", 1)
    assert "the newest annotation is 20.0 days old" in page(environment)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        pytest.param(
            {"state": "failed", "result": None}, "test_api wrote no result (state failed). See its log", id="pod"
        ),
        pytest.param({}, "test_api wrote no result (state unknown). See its log", id="nothing-known"),
        pytest.param(
            {"state": "failed", "result": {"status": "success"}},
            "test_api wrote no result (state failed). See its log",
            id="died-after-its-result",
        ),
    ],
)
def test_a_check_without_a_result_has_failed(environment: Environment, given, cause):
    assert environment.summary(told(test_api=given), exit_code=2)["cause"].startswith(
        f"1 critical check failed: test_api: {cause}"
    )


@pytest.mark.parametrize("results", ["", "[]", "{", '{"test_api": 1}'])
def test_results_that_are_none(environment: Environment, results):
    cause = environment.cause("generate-summary", exit_code=2, results=results)
    assert cause.startswith("--results is not a JSON object of task results")


def test_an_unknown_severity(environment: Environment):
    cause = environment.cause("generate-summary", exit_code=2, results="{}", severity="test_api=urgent")
    assert cause.startswith("--severity 'test_api=urgent': expected one of test_api, ")


def test_the_summary_survives_the_database(environment: Environment, closed_port: int):
    address = environment.url("NEON_DATABASE_URL")
    port = psycopg2.extensions.parse_dsn(address)["port"]
    without = environment.but(NEON_DATABASE_URL=address.replace(f":{port}/", f":{closed_port}/"))
    cause = without.summary(told(test_database=failed("cannot connect to the database within 1 s")), exit_code=2)[
        "cause"
    ]
    note = "this report could not be saved in the database, it is in R2 only: cannot connect to the database within 1 s"
    assert note in cause
    assert "; report: r2://" in cause
    assert note in page(environment)
    assert json.loads(page(environment, name="report.json"))["notes"][0].startswith(note)
    assert rows(environment) == {}


def test_the_summary_survives_a_database_that_takes_no_rows(environment: Environment):
    address = f"{environment.url('NEON_DATABASE_URL')}?options=-c%20default_transaction_read_only%3Don"
    result = environment.but(NEON_DATABASE_URL=address).summary(told())
    note = (
        "this report could not be saved in the database, it is in R2 only: the database rejected the request: "
        "cannot execute INSERT in a read-only transaction"
    )
    assert (result["verdict"], result["rows"], result["warnings"]) == ("passed", 0, [note])
    assert note in page(environment)
    assert rows(environment) == {}


def test_the_summary_survives_r2(environment: Environment, closed_port: int):
    without = environment.but(R2_ENDPOINT_URL=f"http://127.0.0.1:{closed_port}")
    cause = without.summary(told(test_storage=failed("R2 cannot be reached")), exit_code=2)["cause"]
    assert "this report could not be saved in R2: R2 cannot be reached for r2://" in cause
    assert "report: r2" not in cause
    assert "WARNING wakee_health.report.summary: this report could not be saved in R2" in without.logs[-1]
    assert rows(environment)["test_storage"] == ["failed", "critical", "R2 cannot be reached"]
    assert environment.execute("SELECT DISTINCT report_uri FROM health_reports") == [("",)]


def test_the_summary_survives_both(environment: Environment, closed_port: int):
    nowhere = f"127.0.0.1:{closed_port}"
    without = environment.but(NEON_DATABASE_URL=f"postgresql://a:b@{nowhere}/c", R2_ENDPOINT_URL=f"http://{nowhere}")
    result = without.summary(told())
    assert (result["verdict"], result["rows"], result["html_uri"]) == ("passed", 0, "")
    assert result["warnings"][0] == "this report could not be saved in the database or in R2, it is in this log only"
    assert "it is in R2 only" not in "".join(result["warnings"])
    assert "this report could not be saved in the database or in R2" in without.logs[-1]


def test_the_page_is_one_sound_file_with_everything_escaped(environment: Environment):
    environment.summary(told(test_api=failed("<script>alert('x')</script> & more")), exit_code=2)
    text = page(environment)
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more" in text
    assert "<script" not in text
    assert not re.findall(r"""(?:src|href)=|@import|url\(""", text)
    svg = ET.fromstring(re.search(r"<svg.*</svg>", text, re.DOTALL).group())  # noqa: S314 - our own page
    assert len([*svg]) > len(CHECKS)


def test_the_page_shows_the_last_twelve_runs(environment: Environment):
    for number in range(13):
        given = told(test_api=failed("down")) if number == 11 else told()
        environment.summary(given, 2 if number == 11 else 0, run_id=f"run-{number}")
    text = page(environment, "run-12")
    assert "The last 12 runs" in text
    cells = re.findall(r'fill="(#\w+)"><title>test_api, [^:]+:\d+: (\w+)</title>', text)
    assert [status for _, status in cells] == ["passed"] * 10 + ["failed", "passed"]
    assert {colour for colour, status in cells if status == "failed"} == {"#d13b2e"}


def test_markdown_keeps_its_table(environment: Environment):
    environment.summary(told(test_api=failed("a | b")), exit_code=2)
    assert "| test_api | FAIL | critical | - | - | a \\| b |" in page(environment, name="report.md")


def test_the_record_of_a_probe_is_what_the_summary_is_told(environment: Environment):
    """The stages' own records, as they come by XCom, go through."""
    with environment.fault("WAKEE_API_URL", "down"):
        red = environment.stage("test-api", exit_code=1)
    green = environment.stage("test-database")
    given = told(test_api={"state": "failed", "result": red}, test_database={"state": "success", "result": green})
    environment.summary(given, exit_code=2)
    assert rows(environment)["test_api"] == ["failed", "critical", API_DOWN]
    report = json.loads(
        environment.store.get_bytes(
            R2Uri.parse(f"r2://{environment.store.bucket}/runs/health_check_weekly/run-1/generate_summary/report.json")
        )
    )
    assert report["checks"][1]["facts"]["annotations"] == 4
