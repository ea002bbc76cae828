"""What a drift run measured arrives in the Pushgateway and in Prometheus; its logs outlive its pods."""

import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from support.waiting import wait_for
from wakee_tools.packages import install_packages

REPO = Path(__file__).parents[2]
MONITORING = REPO / "k8s/components/monitoring"
DAG = "drift_detection_daily"
EMOTIONS = ("boredom", "confusion", "engagement", "frustration")
NO_STATSD = "WakeeSchedulerDown"
"""Debian has no statsd exporter, so Airflow's own metrics are missing here, and the alert says so."""
WEEK = 7 * 24 * 3600


@pytest.fixture(scope="module")
def drift_run(airflow, seed):
    """A run about the present."""
    seed("--rows", "200", "--days", "30", "--labels-only", "--seed", "1", "--bias", "0")
    run_id = airflow.trigger(DAG, {"threshold": 3})  # up to now: the score of a past day is not pushed
    airflow.wait(DAG, run_id, 300)
    return run_id


@contextmanager
def port_forward(service, port):
    """A port of this machine that leads to a Service of `wakee`."""
    command = ["kubectl", "port-forward", "-n", "wakee", f"service/{service}", f":{port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.fixture(scope="module")
def gateway():
    with port_forward("pushgateway", 9091) as address:
        yield address


@pytest.fixture(scope="module")
def pushed(drift_run, gateway):
    """What the gateway holds, as (name, labels, value)."""
    text = httpx.get(f"http://{gateway}/metrics").raise_for_status().text
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


@pytest.fixture(scope="module")
def prometheus(gateway, tmp_path_factory):
    """A Prometheus with our rules and our scrape settings, but for the gateway's address; a function to ask it."""
    install_packages("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    (job,) = [j for j in _scrape_configs() if j["job_name"] == "wakee-stages"]
    assert job["static_configs"] == [{"targets": ["pushgateway.wakee:9091"]}]
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(MONITORING / "alerts.yaml")],
        "scrape_configs": [job | {"static_configs": [{"targets": [gateway]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    with _started(folder) as ask:
        yield ask


def _scrape_configs():
    return yaml.safe_load((MONITORING / "scrape.yaml").read_text())["scrape_configs"]


@contextmanager
def _started(folder):
    command = [
        shutil.which("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stderr=log)
    try:
        address = wait_for(
            lambda: re.search(r'Listening on" address=(\S+)', (folder / "log").read_text()), 30, "Prometheus"
        )[1]

        def ask(path, **parameters):
            return httpx.get(f"http://{address}/api/v1/{path}", params=parameters).raise_for_status().json()["data"]

        yield ask
    finally:
        process.terminate()
        process.wait(20)


def values(pushed, name, label="emotion"):
    """The values of a metric of drift detection, by one of its labels."""
    return {labels.get(label): value for found, labels, value in pushed if found == name and labels["dag_id"] == DAG}


def test_the_gateway_holds_what_the_report_says(pushed, drift_run, query):
    (report,) = query("SELECT * FROM drift_reports WHERE run_id = %s", drift_run)
    assert values(pushed, "wakee_drift_score") == {None: pytest.approx(report["drift_score"])}
    assert values(pushed, "wakee_drift_mae") == {e: pytest.approx(report[f"mae_{e}"]) for e in EMOTIONS}


def test_every_stage_says_how_long_it_took_and_when(pushed, drift_run, airflow):
    stages = set(airflow.tasks(DAG, drift_run)) - {"decide", "trigger_retrain"}
    ended = values(pushed, "wakee_stage_last_success_timestamp_seconds", "task_id")
    assert set(ended) == stages
    assert all(0 < time.time() - timestamp < WEEK for timestamp in ended.values())
    assert set(values(pushed, "wakee_stage_duration_seconds", "task_id")) == stages


def test_prometheus_shows_the_drift_score(prometheus, pushed):
    def asked():
        return prometheus("query", query=f'wakee_drift_score{{dag_id="{DAG}"}}')["result"]

    (found,) = wait_for(asked, 30, "a scraped drift score")
    assert float(found["value"][1]) == values(pushed, "wakee_drift_score")[None]
    # What was pushed says whose it is; Prometheus's own labels would hide that.
    assert (found["metric"]["job"], found["metric"]["task_id"]) == ("wakee", "calculate_drift")


def expected_alerts(pushed):
    """Those that the gateway's values are a reason for, worked out without PromQL."""
    by_name = {}
    for name, labels, value in pushed:
        by_name.setdefault(name, []).append((labels, value))
    now = time.time()
    latest = max(
        value for labels, value in by_name["wakee_stage_last_success_timestamp_seconds"] if labels["dag_id"] == DAG
    )
    reasons = {
        NO_STATSD: True,
        "WakeeDagLate": now - latest > 26 * 3600,
        "WakeeHealthRed": any(value == 0 for _, value in by_name.get("wakee_health_check", [])),
        "WakeeDriftPersists": by_name["wakee_drift_score"][0][1] > by_name["wakee_drift_threshold"][0][1],
        "WakeeNoAnnotations": max(value for _, value in by_name["wakee_annotation_age_days"]) > 7,
    }
    return {name for name, reason in reasons.items() if reason}


def test_no_alert_without_a_reason(prometheus, pushed):
    def evaluated():
        rules = [rule for group in prometheus("rules")["groups"] for rule in group["rules"]]
        return len(rules) == 10 and {rule["health"] for rule in rules} == {"ok"}

    def scraped():
        return prometheus("query", query="count_over_time(wakee_drift_score[1m]) > 3")["result"]

    wait_for(scraped, 30, "some scrapes")
    wait_for(evaluated, 30, "all rules evaluated")
    alerts = prometheus("alerts")["alerts"]
    print("\n".join(f"{alert['labels']['alertname']}: {alert['state']}" for alert in alerts))
    assert {alert["labels"]["alertname"] for alert in alerts} == expected_alerts(pushed)


def test_logs_outlive_pods(airflow, kubernetes, store, drift_run):
    def pods():
        """Those of the run; what failed is kept."""
        found = kubernetes.list_namespaced_pod("wakee", label_selector=f"wakee.io/dag-id={DAG}").items
        variables = [
            v for pod in found if pod.status.phase != "Failed" for c in pod.spec.containers for v in c.env or []
        ]
        return [v for v in variables if (v.name, v.value) == ("WAKEE_RUN_ID", drift_run)]

    wait_for(lambda: not pods(), 60, "the end of the run's pods")
    attempt = airflow.tasks(DAG, drift_run)["calculate_drift"]["try_number"]
    path = f"airflow-logs/dag_id={DAG}/run_id={drift_run}/task_id=calculate_drift/attempt={attempt}.log"
    shown = airflow.log(DAG, drift_run, "calculate_drift", attempt)

    assert f"s3://{store.bucket}/{path}" in shown
    assert f"calculate_drift starts: dag={DAG} run={drift_run}" in shown
    assert "calculate_drift ends: success" in shown
    assert b"calculate_drift ends: success" in store.get_bytes(store.uri(path))
