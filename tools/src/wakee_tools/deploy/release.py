"""The Helm release of Airflow: its revisions, rollback, and recovery from an interrupted helm."""

import json
import os
from typing import Any

from wakee_tools.deploy.progress import reported_pods
from wakee_tools.shell import ToolError, answer, call, last_lines, output, print_lines, say

NAME = "airflow"
GOOD = {"deployed", "superseded"}


def namespace() -> str:
    """The namespace of Airflow: AIRFLOW_NAMESPACE, by default "airflow"."""
    return os.environ.get("AIRFLOW_NAMESPACE") or "airflow"


def in_namespace() -> tuple[str, str]:
    """Helm's option for that namespace."""
    return ("--namespace", namespace())


def kubectl() -> tuple[str, ...]:
    """The command kubectl in that namespace."""
    return ("kubectl", "-n", namespace())


def timeout() -> str:
    """The timeout for the pods: HELM_TIMEOUT, in helm's notation."""
    return os.environ.get("HELM_TIMEOUT") or "10m"


def last_good() -> str:
    """The newest revision that was deployed successfully; empty if there is none."""
    asked = answer("helm", "history", NAME, *in_namespace(), "-o", "json")
    return newest_good(json.loads(asked.stdout)) if asked.returncode == 0 else ""


def newest_good(history: list[dict[str, Any]]) -> str:
    """The newest of these revisions that was deployed successfully; empty if there is none."""
    return str(max((entry["revision"] for entry in history if entry["status"] in GOOD), default=""))


def delete_finished_migration() -> None:
    """Delete the finished migration Job of the last upgrade, because a Job is immutable."""
    output(*kubectl(), "delete", "job", f"{NAME}-run-airflow-migrations", "--ignore-not-found")


def rollback_to(revision: str) -> None:
    """Roll back to a revision; 0 is the previous one.

    Raises:
        ToolError: its pods did not become ready.
    """
    delete_finished_migration()
    with reported_pods(namespace()):
        done = answer("helm", "rollback", NAME, revision, *in_namespace(), "--wait", "--timeout", timeout())
    if done.returncode:
        print_lines(last_lines(done.stdout + done.stderr, 5))
        raise ToolError(f"Cannot roll back to revision {revision}. See the lines above for the cause.")
    say(f"rolled back {NAME} to revision {revision}")


def recover() -> None:
    """Roll back a release that an interrupted helm left pending, because helm rejects an upgrade of it."""
    if '"status":"pending-' not in answer("helm", "status", NAME, *in_namespace(), "-o", "json").stdout:
        return
    say("an earlier helm was interrupted")
    if good := last_good():
        rollback_to(good)
    else:
        uninstall()


def uninstall() -> None:
    """Uninstall the release."""
    call("helm", "uninstall", NAME, *in_namespace(), "--wait")


def upgrade(arguments: list[str]) -> None:
    """Install or upgrade the release. A failed upgrade is rolled back, and its cause is printed.

    Args:
        arguments: Chart, values and options, for `helm upgrade`.

    Raises:
        ToolError: the new pods did not become ready.
    """
    recover()
    good = last_good()
    delete_finished_migration()
    wait = ("--wait", "--timeout", timeout())
    with reported_pods(namespace()):
        done = answer("helm", "upgrade", "--install", NAME, *arguments, *wait)
    if done.returncode == 0:
        return
    print_lines(last_lines(done.stdout + done.stderr, 5))
    _print_pods()
    if good:
        rollback_to(good)
    raise ToolError(
        f"helm upgrade of {NAME} failed. Correct the cause, shown in the lines above, and run the same command again."
    )


def _print_pods() -> None:
    warnings = ("--field-selector", "type=Warning", "--sort-by=.lastTimestamp")
    print_lines(answer(*kubectl(), "get", "pods").stdout)
    events = answer(*kubectl(), "get", "events", *warnings)
    print_lines(last_lines(events.stdout + events.stderr, 8))
