"""Alert rules and dashboards, as Prometheus's own checker sees them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from wakee_tools.packages import install_packages

REPO = Path(__file__).parents[2]
HERE = Path(__file__).parent
MONITORING = REPO / "k8s/components/monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in (MONITORING / "dashboards").glob("*.json")}
# What stages push, and what the statsd exporter makes of Airflow's metrics; helm/values.yaml adds the first two.
METRICS = {
    "airflow_task_finished", "airflow_task_queued_duration",
    "airflow_dagrun_failed_count", "airflow_scheduler_heartbeat",
    "airflow_executor_queued_tasks", "airflow_executor_running_tasks", "airflow_dagrun_schedule_delay",
    "wakee_stage_duration_seconds", "wakee_stage_rows", "wakee_stage_last_success_timestamp_seconds",
    "wakee_drift_score", "wakee_drift_threshold", "wakee_drift_score_timestamp_seconds",
    "wakee_drift_mae", "wakee_model_mae", "wakee_training_images_per_second",
    "wakee_annotation_age_days", "wakee_health_check",
}  # fmt: skip


def promtool(*arguments):
    """Prometheus's own checker of rules, from Debian's package."""
    install_packages("prometheus")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions():
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    panels = [panel for dashboard in DASHBOARDS.values() for panel in dashboard["panels"]]
    return rules + [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_rules_are_valid():
    assert "10 rules found" in promtool("check", "rules", MONITORING / "alerts.yaml")


def test_alerts_fire_when_they_should_and_only_then():
    assert "SUCCESS" in promtool("test", "rules", HERE / "prometheus/alerts_test.yaml")


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_firing_and_silent(alert):
    tests = yaml.safe_load((HERE / "prometheus/alerts_test.yaml").read_text())["tests"]
    outcomes = {
        bool(case["exp_alerts"])
        for test in tests
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == alert
    }
    assert outcomes == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_runbook(alert):
    rule = ALERTS[alert]
    page = REPO / rule["annotations"]["runbook_url"]
    assert page.is_file()
    assert page.read_text().startswith(f"# {alert}\n")
    assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_runbook_has_an_alert():
    pages = {path.name for path in (REPO / "docs/runbooks").glob("*.md")} - {"README.md"}
    assert pages == {Path(rule["annotations"]["runbook_url"]).name for rule in ALERTS.values()}


def test_alert_and_dashboard_use_the_threshold_that_the_run_pushed():
    assert "max(wakee_drift_score) > max(wakee_drift_threshold)\n" in ALERTS["WakeeDriftPersists"]["expr"]
    assert "max(wakee_drift_threshold)" in expressions()


def test_only_known_metrics_are_asked_for():
    used = {name for text in expressions() for name in re.findall(r"\b(?:wakee|airflow)_\w+", text)}
    assert used <= METRICS


def test_the_panels_are_valid_promql(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", tmp_path / "panels.yaml")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_are_complete(name):
    dashboard = DASHBOARDS[name]
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers) > 0
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}
    assert all(panel["title"] and panel["targets"] for panel in dashboard["panels"])


def test_the_exporter_maps_how_tasks_ended():
    mappings = yaml.safe_load((REPO / "helm/values.yaml").read_text())["statsd"]["extraMappings"]
    assert {mapping["name"] for mapping in mappings} <= METRICS
    assert mappings[0]["match"] == "airflow.ti.finish.*.*.*"


def test_the_rules_wrap_into_a_prometheus_rule():
    """As docs/production.md does for the Prometheus Operator."""
    indented = "".join(f"  {line}\n" for line in (MONITORING / "alerts.yaml").read_text().splitlines())
    assert yaml.safe_load(f"kind: PrometheusRule\nspec:\n{indented}")["spec"] == RULES
