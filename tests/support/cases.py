"""Failure modes as rows of a table: the fault, the task during which it is injected, and its duration."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from kubernetes import client

from support import faults
from support.pods import running_pod
from support.waiting import wait_for
from wakee_tools.airflow.client import Airflow

Happening = Callable[[client.CoreV1Api, str], AbstractContextManager[None]]
"""Creates a fault from the cluster's client and the name of the running pod."""


@dataclass(frozen=True)
class Case:
    """A fault that is injected while the task `during` runs, and its duration."""

    fault: str
    during: str
    happen: Happening
    seconds: float = 0
    until: str = ""
    """The task that must be running before the duration starts."""
    tries: int | None = None
    """Number of attempts that the task needs, if it is deterministic."""
    passable: bool = False
    """Whether the task may succeed before the fault ends."""

    @property
    def hit(self) -> str:
        """The task that the fault affects."""
        return self.until or self.during

    def strike(self, kubernetes: client.CoreV1Api, airflow: Airflow, dag_id: str, run_id: str) -> None:
        """Wait for the task's pod, inject the fault, and check that the task was affected."""
        pod = _pod(kubernetes, run_id, self.during)
        with self.happen(kubernetes, pod.metadata.name):
            if self.until:
                _pod(kubernetes, run_id, self.until)
            time.sleep(self.seconds)  # the duration of the fault
            if self.seconds and not self.passable:
                assert airflow.states(dag_id, run_id)[self.hit] != "success", f"{self.hit} did not meet the fault"


def _pod(kubernetes: client.CoreV1Api, run_id: str, task_id: str) -> client.V1Pod:
    return wait_for(lambda: running_pod(kubernetes, run_id, task_id), 300, f"a running {task_id} pod")


def service(name: str, mode: str) -> Happening:
    """Make a service of the sandbox fail."""
    return lambda kubernetes, _pod: faults.out_of_order(kubernetes, name, mode)


def component(name: str) -> Happening:
    """Kill a component of Airflow."""
    return lambda kubernetes, _pod: faults.component_killed(kubernetes, name)


def stopped(workload: str) -> Happening:
    """Scale a workload to zero: `namespace/kind/name`."""
    return lambda _kubernetes, _pod: faults.scaled_to_nothing(*workload.split("/", 1))


def process(name: str) -> Happening:
    """Kill a process of Kubernetes."""
    return lambda _kubernetes, _pod: faults.process_restarted(name)
