"""A thin client of Airflow's REST API (v2)."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from wakee_tools.shell import ToolError

FINAL_STATES = {"success", "failed"}
DEFAULT_URL = os.environ.get("AIRFLOW_URL", "http://localhost:8080")
USERNAME, PASSWORD = (os.environ.get(f"AIRFLOW_{name}", "airflow") for name in ("USER", "PASSWORD"))


class AirflowError(ToolError):
    """Airflow returned an error (`status` is the HTTP status), or a run did not end in time."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Airflow:
    """One Airflow installation, by default that of AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORD, else the local one.

    The first call logs in.
    """

    url: str = DEFAULT_URL
    username: str = USERNAME
    password: str = field(default=PASSWORD, repr=False)
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))
    _token: str = ""

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send a request below /api/v2 and return the JSON response.

        Raises:
            AirflowError: the response is an error (the message quotes it), or there is no response.
        """
        try:
            return self._call(method, path, **options)
        except httpx.TransportError as error:
            raise AirflowError(
                f"Cannot reach Airflow at {self.url}: {error}. Run 'make up', or set AIRFLOW_URL."
            ) from error

    def _call(self, method: str, path: str, **options: Any) -> Any:
        if not self._token:
            body = {"username": self.username, "password": self.password}
            self._token = self._checked(self._send("POST", f"{self.url}/auth/token", json=body))["access_token"]
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        return self._checked(self._send(method, f"{self.url}/api/v2/{path}", headers=headers, **options))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def dags(self) -> dict[str, Any]:
        """List all DAGs, by DAG id."""
        return {dag["dag_id"]: dag for dag in self.call("GET", "dags")["dags"]}

    def wait_for_dags(self, expected: set[str], seconds: float) -> set[str]:
        """Wait until Airflow has parsed the DAG files.

        Raises:
            AirflowError: a file cannot be imported, or a DAG is missing after the timeout.
        """
        missing = expected
        for _ in _poll(seconds):
            errors = self.call("GET", "importErrors")["import_errors"]
            if errors:
                raise AirflowError(f"{errors[0]['filename']}: {errors[0]['stack_trace']}")
            missing = expected - self.dags().keys()
            if not missing:
                return expected
        raise AirflowError(f"Airflow has not parsed {', '.join(sorted(missing))} within {seconds:g} s")

    def unpause(self, dag_id: str) -> None:
        """Unpause a DAG."""
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, run_id: str | None = None) -> str:
        """Trigger a run and return its id. The id is generated here, so that a repeated request starts only one run."""
        run_id = run_id or f"manual__{datetime.now(UTC).isoformat()}"
        body = {"logical_date": None, "conf": conf or {}, "dag_run_id": run_id}
        try:
            self.call("POST", f"dags/{dag_id}/dagRuns", json=body)
        except AirflowError as error:
            if error.status != httpx.codes.CONFLICT:
                raise
        return run_id

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one DAG run."""
        return dict(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """List the runs of a DAG, newest first."""
        return list(self.call("GET", f"dags/{dag_id}/dagRuns", params={"order_by": "-run_after"})["dag_runs"])

    def wait_for_a_run(self, dag_id: str, seconds: float) -> None:
        """Wait until the scheduler has created the missed run of a DAG that was just unpaused for the first time.

        Raises:
            AirflowError: the scheduler has not created one in time.
        """
        for _ in _poll(seconds):
            if self.runs(dag_id):
                return
        raise AirflowError(f"{dag_id} has no run {seconds:g} s after it was unpaused. Check that the scheduler runs")

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run, by task id."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of every task of a run, by task id."""
        return {name: task["state"] for name, task in self.tasks(dag_id, run_id).items()}

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Return the result of a task (its XCom)."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.call("GET", path, params={"deserialize": "true"})["value"]

    def links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str]:
        """Return the URLs of a task's extra links, by name."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        return dict(self.call("GET", path)["extra_links"])

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return the log of one attempt of a task, one line per entry."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        content = self.call("GET", path, params={"full_content": "true"})["content"]
        return "\n".join(_text(line) for line in content)

    def wait(
        self,
        dag_id: str,
        run_id: str,
        seconds: float = 600,
        on_change: Callable[[str, str | None], None] = lambda task, state: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> dict[str, str | None]:
        """Wait until a run has ended. Returns the state of each task.

        Args:
            dag_id: The DAG.
            run_id: The run.
            seconds: Timeout.
            on_change: Called with task id and state whenever a task's state changes.
            on_poll: Called about once a second during the run.

        Raises:
            AirflowError: it did not end in time.
        """
        seen: dict[str, str | None] = {}
        for _ in _poll(seconds):
            ended = self.run(dag_id, run_id)["state"] in FINAL_STATES
            states = self.states(dag_id, run_id)
            for task_id, state in states.items():
                if seen.get(task_id) != state:
                    on_change(task_id, state)
            seen = states
            if ended:
                return states
            on_poll()
        raise AirflowError(f"{dag_id} {run_id} did not finish within {seconds:g} s: {seen}")

    @retry(
        retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(lambda answer: answer.is_server_error),
        wait=wait_fixed(2),
        stop=stop_after_delay(60),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request, and retry without a response or after a 5xx status. All requests can be repeated safely."""
        return self._client.request(method, url, **options)

    @staticmethod
    def _checked(response: httpx.Response) -> Any:
        if response.is_error:
            request = f"{response.request.method} {response.request.url.path}"
            raise AirflowError(f"{request}: {response.text[:500]}", response.status_code)
        return response.json() if response.content else None


def _text(line: Any) -> str:
    """Format a log entry with the causes of its exception, the first cause last."""
    if not isinstance(line, dict):
        return str(line)
    causes = [f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []]
    return "\n".join([str(line["event"]), *causes])


def _poll(seconds: float, interval: float = 1.0) -> Iterator[None]:
    """Yield every `interval` seconds until the timeout."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(interval)
