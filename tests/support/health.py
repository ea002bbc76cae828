"""`health_check_weekly` with one failed service: the right task fails, with its cause, and an alert is sent."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
from kubernetes import client

from support.faults import out_of_order
from support.waiting import wait_for
from wakee_tools.airflow.client import Airflow

DAG = "health_check_weekly"
SUITE = "run_pytest_suite"
PROBES = {"test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub"}
MAIL = "http://localhost:8025"


@dataclass(frozen=True)
class HealthCase:
    """The expected effect of a fault on the health check, as seen by operators."""

    service: str
    mode: str
    red: set[str]
    cause: str
    """Part of the message of the first failed probe."""
    run: str = "failed"

    @property
    def fault(self) -> str:
        """The fault's name in the table of failure modes."""
        return f"{self.service} {self.mode}"

    @property
    def hit(self) -> str:
        """The first probe that fails."""
        return sorted(self.red)[0]

    def __str__(self) -> str:
        return f"{self.service}-{self.mode}"

    def check(self, airflow: Airflow, kubernetes: client.CoreV1Api, query: Callable) -> str:
        """Inject the fault, run the health check, and check everything that operators see. Returns the run's id."""
        httpx.delete(f"{MAIL}/messages").raise_for_status()
        with out_of_order(kubernetes, self.service, self.mode):
            run_id = airflow.trigger(DAG)
            states = airflow.wait(DAG, run_id, 600)

        assert {task for task in PROBES if states[task] == "failed"} == self.red
        assert airflow.run(DAG, run_id)["state"] == self.run
        assert self.cause in airflow.result(DAG, run_id, self.hit)["cause"]
        rows = query("SELECT check_name FROM health_reports WHERE run_id = %s AND status = 'failed'", run_id)
        red = {row["check_name"] for row in rows if row["check_name"] != "overall"}
        assert red - {SUITE} == self.red
        (mail,) = wait_for(lambda: mails_about(run_id), 60, "mail")
        assert {name for name in (*PROBES, SUITE) if f"{name}: " in mail["body"]} == red
        return run_id


def mails_about(run_id: str) -> list[dict[str, str]]:
    """Return the mails that name a run, from the sandbox's mail server."""
    return [mail for mail in httpx.get(f"{MAIL}/messages").raise_for_status().json() if run_id in mail["body"]]
