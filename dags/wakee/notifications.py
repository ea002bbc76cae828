"""Notifications about the outcome of a run, by e-mail and webhook. At most one message per run.

The callbacks are set on the DAG, not on its tasks, so several failed tasks give one message. Airflow's DAG processor
runs them after the run has ended. Nothing is sent if nothing is configured:

* `WAKEE_ALERT_EMAILS`: recipients, separated by commas. E-mails are sent through the connection `smtp_default`, whose
  extra `from_email` is the sender.
* `WAKEE_ALERT_WEBHOOK`: a Slack-compatible incoming webhook.

The first success of a DAG after a failure is reported as a recovery. It may be the same run after it was cleared, or a
manual run without a logical date. Airflow gives a callback only earlier runs with a logical date, so the failure is
stored in the Airflow variable `wakee_failed_<dag_id>`.
"""

from __future__ import annotations

import contextlib
import html
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk import Variable, conf

logger = logging.getLogger(__name__)

CONNECTION = "smtp_default"
WEBHOOK_SECONDS = 10
WEBHOOK_ATTEMPTS, LONGEST_PAUSE_SECONDS = 3, 5.0
"""Limits of the retries, because Airflow terminates a callback that takes too long."""
TRANSIENT = {429, 500, 502, 503, 504}
LONGEST_LINE = 600


class WebhookError(Exception):
    """The webhook did not accept the message. The error text does not contain its address, which is a secret."""


@dataclass(frozen=True)
class Message:
    """A message: a subject, lines and a link to the run."""

    subject: str
    lines: tuple[str, ...]
    link: str

    def text(self) -> str:
        """Return the message in Slack's markup, for a webhook."""
        escaped = [html.escape(line, quote=False) for line in (f"*{self.subject}*", *self.lines)]
        return "\n".join([*escaped, f"<{self.link}|Open the run>"])

    def html(self) -> str:
        """Return the message as HTML, for an e-mail."""
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in self.lines)
        link = html.escape(self.link)
        return f'<h3>{html.escape(self.subject)}</h3><ul>{lines}</ul><p><a href="{link}">{link}</a></p>'


@dataclass(frozen=True)
class Channels:
    """Recipients of the messages; none by default."""

    emails: tuple[str, ...] = field(
        default_factory=lambda: tuple(
            word.strip() for word in os.environ.get("WAKEE_ALERT_EMAILS", "").split(",") if word.strip()
        )
    )
    webhook: str = field(default_factory=lambda: os.environ.get("WAKEE_ALERT_WEBHOOK", "").strip())

    @property
    def configured(self) -> bool:
        """Whether any recipient is configured."""
        return bool(self.emails or self.webhook)

    def send(self, message: Message) -> None:
        """Send the message by each channel. An error of one channel does not stop the other."""
        if self.emails:
            _attempt("e-mail", lambda: _mail(message, self.emails))
        if self.webhook:
            _attempt("webhook", lambda: _post(message, self.webhook))


def on_failure(context: Any) -> None:
    """Report a failed run: the failed tasks, the causes, and what the run did before, e.g. promote a model."""
    if not (channels := Channels()).configured:
        return
    run = _Run(context)
    failures = [f"{task}: {run.cause(task)}" for task in run.failed_tasks()]
    lines = failures or [str(context.get("reason") or "unknown cause")]
    channels.send(run.message(f"{run.dag_id} failed", lines + _news(run, _drift, _verdict) + _gate(run)))
    run.remember_failure()


def on_success(context: Any) -> None:
    """Report a successful run, only if there is news."""
    if not (channels := Channels()).configured:
        return
    run = _Run(context)
    news = _news(run, _recovery, _drift, _verdict, _rehearsal, _rollback, _health)
    if news:
        channels.send(run.message(news[0], news[1:] + _gate(run)))


ALERTS: dict[str, Any] = {"on_failure_callback": on_failure, "on_success_callback": on_success}
"""Arguments for `DAG(..., **ALERTS)`."""


def message(dag_id: str, run_id: str, subject: str, lines: list[str]) -> Message:
    """Create a message about a run."""
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    link = f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"
    body = tuple(_one_line(line) for line in (f"run {run_id}", *lines))
    return Message(f"[Wakee] {_one_line(subject)}", body, link)


class _Run:
    """A run, from the callback's context. Without a task instance only its name is available."""

    def __init__(self, context: Any) -> None:
        self._instance = context.get("ti")
        self.dag_id, self.run_id = str(context["dag"].dag_id), str(context["run_id"])
        self._failure = f"wakee_failed_{self.dag_id}"

    def failed_tasks(self) -> list[str]:
        if self._instance is None:
            return []
        states = self._instance.get_task_states(dag_id=self.dag_id, run_ids=[self.run_id])
        return sorted(task for task, state in states.get(self.run_id, {}).items() if state == "failed")

    def result(self, task_id: str) -> dict[str, Any]:
        """Return the result of a task, which may have failed; empty if there is none."""
        found = self._instance.xcom_pull(task_ids=task_id) if self._instance is not None else None
        return found if isinstance(found, dict) else {}

    def cause(self, task_id: str) -> str:
        return str(self.result(task_id).get("cause") or "see its log")

    def remember_failure(self) -> None:
        with _only_logged("cannot store that the run failed"):
            Variable.set(self._failure, self.run_id, description="No run has succeeded since.")

    def recovered(self) -> bool:
        """Return whether a failure is stored, and delete it."""
        with _only_logged("cannot read whether an earlier run failed"):
            if Variable.get(self._failure, default=None):
                Variable.delete(self._failure)
                return True
        return False

    def message(self, subject: str, lines: list[str]) -> Message:
        return message(self.dag_id, self.run_id, subject, lines)


def _news(run: _Run, *tellers: Callable[[_Run], str | None]) -> list[str]:
    return [line for tell in tellers if (line := tell(run))]


def _recovery(run: _Run) -> str | None:
    return f"{run.dag_id} works again" if run.recovered() else None


def _drift(run: _Run) -> str | None:
    report = run.result("save_report")
    if not (report.get("drift_detected") or report.get("retrain")):
        return None
    found = "drift detected" if report["drift_detected"] else "no drift"
    found += f": score {report['drift_score']:.3f}, threshold {report['threshold']:.3f}"
    return f"{found}. {'Retraining' if report['retrain'] else 'No retraining'}: {'; '.join(report['reasons'])}"


def _verdict(run: _Run) -> str | None:
    published = run.result("upload_to_hub")
    if "promoted" not in published:
        return None
    if published["promoted"]:
        return f"model {published['version']} was promoted to production"
    return f"model {published['version']} was not promoted, it is published as {published['branch']}"


def _rehearsal(run: _Run) -> str | None:
    if run.result("export_onnx").get("status") != "not_published":
        return None
    judged = run.result("evaluate")
    outcome = "would be promoted" if judged.get("promote") else "would not be promoted"
    return f"rehearsal: model {judged.get('version')} {outcome}"


def _gate(run: _Run) -> list[str]:
    """Return the gate's verdict with its reasons, and what it measured on each part."""
    judged = run.result("evaluate")
    if not judged.get("verdict"):
        return []
    size = f"{judged['test_samples']:,} test pictures of {judged['test_people']:,} people"
    verdict = f"gate: {judged['verdict']}, on {size}: {'; '.join(judged['reasons'])}"
    return [verdict, *judged["parts"], *judged["notes"]]


def _rollback(run: _Run) -> str | None:
    done = run.result("rollback")
    if not done.get("replaced"):
        return None
    warning = f"; {done['warning']}" if done.get("warning") else ""
    # Not always an earlier version: a version that was rolled back may be requested again.
    return f"production moved from {done['replaced']} to {done['version']}{warning}"


def _health(run: _Run) -> str | None:
    """Return the checks that failed without failing the run."""
    summary = run.result("generate_summary")
    if not summary.get("failed"):
        return None
    causes = "; ".join(f"{task}: {run.cause(task)}" for task in run.failed_tasks())
    return f"{summary['failed']} health check(s) failed that are not critical: {causes}"


def _mail(message: Message, recipients: tuple[str, ...]) -> None:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    # Not used as a callback, because Airflow would then render the causes as templates, with text from other services.
    SmtpNotifier(
        to=list(recipients), subject=message.subject, html_content=message.html(), smtp_conn_id=CONNECTION
    ).notify({})


def _post(message: Message, webhook: str) -> None:
    """Send a message, with retries while the response is a transient error.

    Raises:
        WebhookError: the webhook did not accept the message. A redirect counts as an error: requests
            would follow it with GET.
    """
    import requests

    for attempt in range(1, WEBHOOK_ATTEMPTS + 1):
        answer = requests.post(webhook, json={"text": message.text()}, timeout=WEBHOOK_SECONDS, allow_redirects=False)
        if answer.ok and not answer.is_redirect:
            return
        if answer.status_code not in TRANSIENT or attempt == WEBHOOK_ATTEMPTS:
            raise WebhookError(_refusal(answer.status_code, answer.headers.get("location", ""), attempt))
        time.sleep(_pause(answer.headers.get("retry-after", ""), attempt))


def _refusal(status: int, location: str, attempts: int) -> str:
    if location:
        host = urlsplit(location).netloc or "the same host"
        return f"it answered {status} with a redirect to {host}. Set WAKEE_ALERT_WEBHOOK to the new address"
    return f"it answered {status}, {attempts} time{'s' if attempts > 1 else ''}"


def _pause(retry_after: str, attempt: int) -> float:
    """Return the seconds before the next attempt: the server's Retry-After, or one second more each time."""
    return min(float(retry_after) if retry_after.isdecimal() else float(attempt), LONGEST_PAUSE_SECONDS)


def _attempt(channel: str, send: Callable[[], None]) -> None:
    with _only_logged(f"cannot send the alert by {channel}"):
        send()
        logger.info("alert sent by %s", channel)


@contextlib.contextmanager
def _only_logged(trouble: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the run has ended, and the next step may still succeed
        # The text of other errors may contain the webhook's address, which is a secret.
        logger.warning("%s: %s", trouble, error if isinstance(error, WebhookError) else type(error).__name__)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST_LINE]
