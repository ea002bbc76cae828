"""While an installation waits for pods: report which ones do not start, and why."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wakee.pending import STARTING, PendingWatch, container_statuses
from wakee_tools.airflow.pods import list_pods
from wakee_tools.shell import answer, last_lines, say

INTERVAL_SECONDS = 3
LOG_LINES = 3


@contextmanager
def reported_pods(namespace: str) -> Iterator[None]:
    """Print, while the body runs, why pods of a namespace do not start, and the last lines of those that crash."""
    done = threading.Event()
    thread = threading.Thread(target=_report, args=(PodNews(namespace), done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _report(news: "PodNews", done: threading.Event) -> None:
    while not done.wait(INTERVAL_SECONDS):
        try:
            pods = list_pods(news.namespace)
        except Exception:  # the cluster does not answer: the installation itself reports that  # noqa: S112
            continue
        for line in news.lines(pods, time.monotonic()):
            say(line)


class PodNews:
    """Decides what to print about pods, each fact once.

    Attributes:
        namespace: The namespace of the pods.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._watch = PendingWatch()
        self._crashes: set[tuple[str, int]] = set()
        self._known = False

    def lines(self, pods: list[Any], now: float) -> list[str]:
        """Return the new facts about the pods, as read at `now` (monotonic clock, in seconds)."""
        waiting = [(pod.metadata.name, self._watch.news(pod, now)) for pod in pods]
        found = [f"{name} is waiting: {reason}" for name, reason in waiting if reason and not _is_starting(reason)]
        crashes = [line for pod in pods for line in self._crashed(pod)]
        crashes, self._known = crashes if self._known else [], True  # those at the start are old
        return found + crashes

    def _crashed(self, pod: Any) -> Iterator[str]:
        for container in container_statuses(pod):
            ended = container.state and container.state.terminated
            last = ended if ended and ended.exit_code else container.last_state and container.last_state.terminated
            crash = (f"{pod.metadata.name}/{container.name}", container.restart_count + bool(ended))
            if last and last.exit_code and crash not in self._crashes:
                self._crashes.add(crash)
                previous = () if last is ended else ("--previous",)
                yield f"{crash[0]} ended with exit code {last.exit_code}: {self._log(*crash[0].split('/'), *previous)}"

    def _log(self, pod: str, container: str, *options: str) -> str:
        command = ("kubectl", "-n", self.namespace, "logs", pod, "-c", container, *options)
        return last_lines(answer(*command).stdout, LOG_LINES).strip() or "no log"


def _is_starting(reason: str) -> bool:
    """Whether it is a state that every pod goes through."""
    return reason.rpartition(": ")[2] in STARTING
