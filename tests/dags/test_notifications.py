"""The alerts: Airflow's own code calls the DAGs' callbacks; a real mail server and a real webhook receive them.

In the place of Airflow's API stands what it would have answered: XComs, task states, variables.
"""

import html
import json
import os
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests
import structlog
from airflow.callbacks.callback_requests import DagCallbackRequest
from airflow.dag_processing.processor import _execute_dag_callbacks
from airflow.sdk import Variable
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, OKResponse, VariableResult

from support.answers import RUN, Airflow, dag_run, instance
from support.ports import free_port
from support.waiting import wait_for

REPO = Path(__file__).parents[2]
SANDBOX = REPO / ".venvs" / "sandbox" / "bin" / "wakee-sandbox"
LINK = "http://airflow.example/dags/{}/runs/scheduled__2026-04-05T03%3A00%3A00%2B00%3A00"


class Inbox:
    """The sandbox's mail server and webhook."""

    def __init__(self, url):
        self.url = url

    def messages(self):
        return requests.get(f"{self.url}/messages", timeout=5).json()

    def posts(self):
        return requests.get(f"{self.url}/webhook", timeout=5).json()

    def forget(self):
        for path in ("/messages", "/webhook"):
            requests.delete(f"{self.url}{path}", timeout=5).raise_for_status()

    def is_live(self):
        try:
            return requests.get(f"{self.url}/_live", timeout=5).text == "ok"
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="session")
def mail(tmp_path_factory):
    """A mail server that insists on TLS, with a certificate of its own; and its port."""
    folder = tmp_path_factory.mktemp("mail")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port, smtp_port = free_port(), free_port()
    command = [SANDBOX, "mail", f"--port={port}", f"--smtp-port={smtp_port}"]
    assert SANDBOX.exists(), "tools/bootstrap.py sandbox makes the environment that these tests need"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--certificate={certificate}", f"--key={key}"],
            stdout=log, stderr=log, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
    inbox = Inbox(f"http://127.0.0.1:{port}")
    try:
        wait_for(inbox.is_live, 30, f"the mailbox answers; its log is {folder / 'log'}")
        yield inbox, smtp_port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def inbox(mail, monkeypatch):
    """Both channels configured; nothing in them."""
    inbox, smtp_port = mail
    inbox.forget()
    extra = {"from_email": "airflow@wakee.example", "disable_ssl": True, "ssl_context": "none"}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": smtp_port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("WAKEE_ALERT_EMAILS", "mlops@wakee.example, oncall@wakee.example")
    monkeypatch.setenv("WAKEE_ALERT_WEBHOOK", f"{inbox.url}/webhook")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example")
    return inbox


class AirflowWithVariables(Airflow):
    """What Airflow's API would answer, also about variables."""

    def __init__(self, results, states, variables):
        super().__init__(results, states)
        self.variables = variables

    def send(self, msg):
        if msg.type == "PutVariable":
            self.variables[msg.key] = msg.value
            return None
        if msg.type == "DeleteVariable":
            return OKResponse(ok=self.variables.pop(msg.key, None) is not None)
        if msg.type == "GetVariable":
            missing = ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
            return VariableResult(key=msg.key, value=self.variables[msg.key]) if msg.key in self.variables else missing
        return super().send(msg)


@pytest.fixture
def ended(dag_bag, monkeypatch):
    """Lets a run end, as the DAG processor hears of it."""
    variables = {}

    def end(dag_id, state, results=None, states=None, last="generate_summary", with_ti=True, dated=True):
        airflow = AirflowWithVariables(results or {}, states or {}, variables)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", airflow, raising=False)
        run = dag_run(dag_id, state) | ({} if dated else {"logical_date": None})
        context = {"dag_run": run, "last_ti": instance(dag_id, last) if with_ti else None}
        request = DagCallbackRequest(
            filepath="x.py",
            bundle_name="dags-folder",
            bundle_version=None,
            msg="task_failure",
            dag_id=dag_id,
            run_id=RUN,
            is_failure_callback=state == "failed",
            context_from_server=context,
        )
        _execute_dag_callbacks(dag_bag, request, structlog.get_logger())

    return end


HEALTH = {
    "test_api": {"status": "failed", "cause": "the API: GET /health answers 503: <b>'{{ 7 * 7 }}'</b>"},
    "generate_summary": {"status": "failed", "cause": "1 critical check failed: test_api: ..."},
}
HEALTH_STATES = {"test_api": "failed", "test_database": "success", "generate_summary": "failed"}


def test_a_failed_run_is_one_message_per_channel(inbox, ended):
    ended("health_check_weekly", "failed", HEALTH, HEALTH_STATES)
    (message,), (post,) = inbox.messages(), inbox.posts()
    assert message["to"] == ["mlops@wakee.example", "oncall@wakee.example"]
    assert message["from"] == "airflow@wakee.example"
    assert message["subject"] == "[Wakee] health_check_weekly failed"
    assert message["tls"] is True
    assert LINK.format("health_check_weekly") in message["body"]
    assert "generate_summary: 1 critical check failed: test_api: ..." in message["body"]
    assert post["text"].splitlines()[0] == "*[Wakee] health_check_weekly failed*"
    assert f"<{LINK.format('health_check_weekly')}|Open the run>" in post["text"]


def test_causes_are_text_and_no_markup_or_template(inbox, ended):
    ended("health_check_weekly", "failed", HEALTH, HEALTH_STATES)
    escaped = "test_api: the API: GET /health answers 503: &lt;b&gt;"
    assert escaped in inbox.messages()[0]["body"]
    assert "{{ 7 * 7 }}" in inbox.messages()[0]["body"]
    assert escaped in inbox.posts()[0]["text"]


def test_a_run_without_task_instances_is_told_with_its_reason(inbox, ended):
    ended("model_retrain", "failed", with_ti=False)
    (message,) = inbox.messages()
    assert message["subject"] == "[Wakee] model_retrain failed"
    assert "task_failure" in message["body"]


DRIFT = {
    "drift_detected": True, "drift_score": 0.2512, "threshold": 0.15,
    "retrain": False, "reasons": ["19 annotations since the last retraining (20 needed)"],
}  # fmt: skip
PROMOTED = {"promoted": True, "version": "v20260405-1a2b3c4d", "branch": "main"}
REFUSED = {"promoted": False, "version": "v20260405-1a2b3c4d", "branch": "candidate/v20260405-1a2b3c4d"}
RED = {"failed": 1}
JUDGED = {
    "version": "v20260405-1a2b3c4d", "promote": False, "verdict": "keep champion", "test_samples": 1200,
    "test_people": 8, "reasons": ["MAE 0.4000 -> 0.4100 (+0.0100)"], "notes": ["no test picture of level 3"],
    "parts": ["all: 1200 pictures of 8 people, MAE 0.400 -> 0.410 (-0.010 to +0.030)"],
}  # fmt: skip
GATE_LINES = [
    "gate: keep champion, on 1,200 test pictures of 8 people: MAE 0.4000 -> 0.4100 (+0.0100)",
    *JUDGED["parts"],
    *JUDGED["notes"],
]


@pytest.mark.parametrize(
    ("dag_id", "last", "results", "subject"),
    [
        pytest.param(
            "drift_detection_daily", "save_report", {"save_report": DRIFT},
            "[Wakee] drift detected: score 0.251, threshold 0.150. No retraining: "
            "19 annotations since the last retraining (20 needed)", id="drift",
        ),
        pytest.param(
            "model_retrain", "update_model_versions", {"upload_to_hub": PROMOTED},
            "[Wakee] model v20260405-1a2b3c4d was promoted to production", id="promotion",
        ),
        pytest.param(
            "model_retrain", "update_model_versions", {"upload_to_hub": REFUSED},
            "[Wakee] model v20260405-1a2b3c4d was not promoted, it is published as candidate/v20260405-1a2b3c4d",
            id="not-promoted",
        ),
        pytest.param(
            "model_retrain", "export_onnx", {"export_onnx": {"status": "not_published"}, "evaluate": JUDGED},
            "[Wakee] rehearsal: model v20260405-1a2b3c4d would not be promoted", id="rehearsal",
        ),
        pytest.param(
            "model_rollback", "rollback", {"rollback": {"version": "v1", "replaced": "v2"}},
            "[Wakee] production moved from v2 to v1", id="rollback",
        ),
        pytest.param(
            "model_rollback", "rollback", {"rollback": {"version": "old", "replaced": "v2", "warning": "no alias"}},
            "[Wakee] production moved from v2 to old; no alias", id="rollback-with-a-warning",
        ),
        pytest.param(
            "health_check_weekly", "generate_summary", {"generate_summary": RED},
            "[Wakee] 1 health check(s) failed that are not critical: ", id="not-critical",
        ),
    ],
)  # fmt: skip
def test_news_of_a_run_that_succeeded(inbox, ended, dag_id, last, results, subject):
    ended(dag_id, "success", results, last=last)
    (message,) = inbox.messages()
    assert message["subject"] == subject.strip()
    assert len(inbox.posts()) == 1


@pytest.mark.parametrize("dated", [True, False], ids=["dated", "started-by-hand"])
def test_the_first_success_after_a_failure_is_told(inbox, ended, dated):
    ended("health_check_weekly", "failed", HEALTH, HEALTH_STATES, dated=dated)
    ended("model_rollback", "success", last="rollback")
    inbox.forget()
    ended("health_check_weekly", "success", dated=dated)
    ended("health_check_weekly", "success", dated=dated)
    (message,) = inbox.messages()
    assert message["subject"] == "[Wakee] health_check_weekly works again"
    assert len(inbox.posts()) == 1


def test_an_airflow_that_remembers_nothing_stops_no_alert(inbox, ended, monkeypatch):
    monkeypatch.setattr(Variable, "set", Mock(side_effect=ConnectionError))
    monkeypatch.setattr(Variable, "get", Mock(side_effect=ConnectionError))
    ended("drift_detection_daily", "failed", last="save_report")
    ended("drift_detection_daily", "success", {"save_report": DRIFT}, last="save_report")
    assert len(inbox.messages()) == 2


def test_several_news_are_one_message(inbox, ended):
    ended("drift_detection_daily", "failed", last="save_report")
    inbox.forget()
    ended("drift_detection_daily", "success", {"save_report": DRIFT}, last="save_report")
    (message,) = inbox.messages()
    assert message["subject"] == "[Wakee] drift_detection_daily works again"
    assert "drift detected: score 0.251, threshold 0.150" in message["body"]


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_retraining_is_told_with_the_numbers_of_the_gate(inbox, ended, state):
    ended("model_retrain", state, {"upload_to_hub": REFUSED, "evaluate": JUDGED}, last="update_model_versions")
    (message,), (post,) = inbox.messages(), inbox.posts()
    assert [line for line in GATE_LINES if html.escape(line) not in message["body"]] == []
    assert [line for line in GATE_LINES if html.escape(line, quote=False) not in post["text"]] == []


def test_what_a_failed_run_did_all_the_same_is_told(inbox, ended):
    cause = {"log_to_mlflow": {"status": "failed", "cause": "MLflow: no answer"}}
    ended("model_retrain", "failed", {"upload_to_hub": PROMOTED} | cause, {"log_to_mlflow": "failed"}, last="fine_tune")
    (message,) = inbox.messages()
    assert message["subject"] == "[Wakee] model_retrain failed"
    assert "log_to_mlflow: MLflow: no answer" in message["body"]
    assert "model v20260405-1a2b3c4d was promoted to production" in message["body"]


@pytest.mark.parametrize("dag_id", ["drift_detection_daily", "health_check_weekly", "model_retrain"])
def test_an_ordinary_success_is_not_told(inbox, ended, dag_bag, dag_id):
    ended(dag_id, "success", {"save_report": {"drift_detected": False}}, last=dag_bag.dags[dag_id].task_ids[0])
    assert (inbox.messages(), inbox.posts()) == ([], [])


def test_nothing_is_sent_where_nothing_is_configured(inbox, ended, monkeypatch):
    monkeypatch.setenv("WAKEE_ALERT_EMAILS", " ")
    monkeypatch.delenv("WAKEE_ALERT_WEBHOOK")
    ended("health_check_weekly", "failed", HEALTH, HEALTH_STATES)
    ended("health_check_weekly", "success")
    assert (inbox.messages(), inbox.posts()) == ([], [])


def test_a_dead_mail_server_does_not_stop_the_webhook(inbox, ended, monkeypatch):
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": free_port(), "extra": {"from_email": "a@b.example"}}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    ended("health_check_weekly", "failed", HEALTH, HEALTH_STATES)
    assert inbox.messages() == []
    assert len(inbox.posts()) == 1


def test_a_broken_webhook_stays_secret(inbox, ended, monkeypatch, caplog):
    monkeypatch.setenv("WAKEE_ALERT_WEBHOOK", f"http://127.0.0.1:{free_port()}/services/T0/B0/s3cret")
    ended("health_check_weekly", "failed", HEALTH, HEALTH_STATES)
    assert len(inbox.messages()) == 1
    assert "cannot send the alert by webhook: ConnectionError" in caplog.text
    assert "s3cret" not in caplog.text
