"""A failure mode as a line of a table: what happens, while which task runs, for how long."""

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
"""A fault, made of the cluster's client and the name of the pod that runs."""


@dataclass(frozen=True)
class Case:
    """Something that happens while `during` runs, and how long it lasts."""

    fault: str
    during: str
    happen: Happening
    seconds: float = 0
    until: str = ""
    """The task that must be running before the seconds count."""
    tries: int | None = None
    """How many the task needs, where that is certain."""
    passable: bool = False
    """Whether the task may end well before the fault does."""

    @property
    def hit(self) -> str:
        """The task that the fault hurts."""
        return self.until or self.during

    def strike(self, kubernetes: client.CoreV1Api, airflow: Airflow, dag_id: str, run_id: str) -> None:
        """Wait for the task's pod, let it happen, and make sure that the task met it."""
        pod = _pod(kubernetes, run_id, self.during)
        with self.happen(kubernetes, pod.metadata.name):
            if self.until:
                _pod(kubernetes, run_id, self.until)
            time.sleep(self.seconds)  # how long the fault lasts
            if self.seconds and not self.passable:
                assert airflow.states(dag_id, run_id)[self.hit] != "success", f"{self.hit} did not meet the fault"


def _pod(kubernetes: client.CoreV1Api, run_id: str, task_id: str) -> client.V1Pod:
    return wait_for(lambda: running_pod(kubernetes, run_id, task_id), 300, f"a running {task_id} pod")


def service(name: str, mode: str) -> Happening:
    """A service of the sandbox is out of order."""
    return lambda kubernetes, _pod: faults.out_of_order(kubernetes, name, mode)


def component(name: str) -> Happening:
    """A component of Airflow is killed."""
    return lambda kubernetes, _pod: faults.component_killed(kubernetes, name)


def stopped(workload: str) -> Happening:
    """A workload has no pod: `namespace/kind/name`."""
    return lambda _kubernetes, _pod: faults.scaled_to_nothing(*workload.split("/", 1))


def process(name: str) -> Happening:
    """A process of Kubernetes is killed."""
    return lambda _kubernetes, _pod: faults.process_restarted(name)
