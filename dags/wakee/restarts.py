"""A KubernetesPodOperator that starts a disrupted pod again within the same attempt of the task.

Two pods of a task never run side by side, because both would write the same results. So the new pod starts only when
the disrupted one has ended. See docs/adr/0010-disruptions-cost-no-attempt.md for pods of lost nodes.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed
from urllib3.exceptions import HTTPError

from wakee.disruptions import DELETED, TERMINAL, disruption, has_ended, is_stuck, node_is_lost, terminated

COUNT = "disruptions"
"""Key under which the trigger returns how often this attempt was disrupted. A deferral starts another process."""
BEYOND_GRACE_SECONDS = 30
STUCK_SECONDS = 90
"""Time beyond the grace period in which a disrupted pod ends: by itself, or by force on a lost node."""
REPORTED_WITHIN_SECONDS = 10
"""The kubelet reports why it ended a pod only after the pod's last container has ended."""


class PodDisrupted(Exception):  # noqa: N818 - not an error: the task continues
    """A pod was disrupted, and its task may start another one."""

    def __init__(self, pod: k8s.V1Pod, cause: str) -> None:
        super().__init__(f"Pod {pod.metadata.name} was disrupted: {cause}")
        self.pod = pod


class RestartingPodOperator(KubernetesPodOperator):
    """Start a disrupted pod again, at most `disruption_budget` times per attempt.

    A pod is not started again after the attempt's time limit, or if the task itself was stopped (marked as failed or
    successful, cleared, timed out).
    """

    def __init__(self, *, disruption_budget: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.disruption_budget = disruption_budget
        self._disruptions = 0

    def execute(self, context: Any) -> Any:
        """Run pods until one was not disrupted, or defer to the triggerer if deferrable."""
        self._disruptions = 0
        return self._run_undisrupted(super().execute, context)

    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> Any:
        """Resume after the triggerer. If the pod was disrupted, start another one and defer again."""
        self._disruptions = event.get(COUNT, 0)
        return self._run_undisrupted(partial(self._resume, event=event), context)

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Any = None,
    ) -> None:
        """Delete the pod if it succeeded; otherwise fail the task, or report that the pod was disrupted."""
        if self._may_restart(context) and (cause := self._disruption(remote_pod or self.pod)):
            raise PodDisrupted(remote_pod or self.pod, cause)
        super().cleanup(pod, remote_pod, xcom_result, context)

    def process_pod_deletion(self, pod: k8s.V1Pod, *, reraise: bool = True) -> bool:
        """Keep failed pods, but delete a pod that has not ended, because it would run beside the next attempt.

        Waits for the pod's end: during its grace period it may still save a checkpoint.
        """
        if pod is None or pod.status.phase not in {"Pending", "Running"} or self._exit_code(pod) is not None:
            return bool(super().process_pod_deletion(pod, reraise=reraise))
        self.log.warning("Deleting pod %s, which has not ended", pod.metadata.name)
        with contextlib.nullcontext() if reraise else contextlib.suppress(Exception):
            self.pod_manager.delete_pod(pod)
            if not self._await_end(pod, BEYOND_GRACE_SECONDS):
                self.log.warning("Pod %s has not ended yet", pod.metadata.name)
        return True

    def _run_undisrupted(self, run: Callable[[Any], Any], context: Any) -> Any:
        while True:
            try:
                return run(context)
            except PodDisrupted as disrupted:
                self._prepare_restart(disrupted, context)
            run = super().execute

    def _resume(self, context: Any, event: dict[str, Any]) -> Any:
        pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name=event["name"], namespace=event["namespace"]))
        self.pod = self._read(pod) or pod
        cause = disruption(self.pod, self.base_container_name) if self.pod.status else DELETED
        if cause and self._may_restart(context):
            self._log_to_the_end(self.pod, event)
            raise PodDisrupted(self.pod, cause)
        return super().trigger_reentry(context, event)

    def _may_restart(self, context: Any) -> bool:
        """Return whether there is a pod of which another one may take the place.

        Airflow's timeouts and signals are not subclasses of `Exception`, and they end the attempt.
        """
        if not self.pod or not context or self._killed or not isinstance(sys.exception(), Exception | None):
            return False
        return not self._is_time_up(context)

    def _is_time_up(self, context: Any) -> bool:
        """Return whether the attempt's time limit is reached, as the provider computes it for its trigger."""
        if self.execution_timeout is None:
            return False
        deadline = int(context["ti"].start_date.timestamp() + self.execution_timeout.total_seconds())
        return datetime.now(UTC).timestamp() >= deadline

    def _disruption(self, pod: k8s.V1Pod) -> str | None:
        """Return why the pod was disrupted; None if it was not."""
        present = self._settled(pod)
        if present is not None:
            return disruption(present, self.base_container_name)
        return disruption(pod, self.base_container_name) if has_ended(pod, self.base_container_name) else DELETED

    def _settled(self, pod: k8s.V1Pod) -> k8s.V1Pod | None:
        """Return the pod as it is when the cause of its end is known, or after a time; None if it is gone."""
        return Retrying(
            retry=retry_if_result(self._is_unexplained),
            wait=wait_fixed(1),
            stop=stop_after_delay(REPORTED_WITHIN_SECONDS),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )(self._read, pod)

    def _is_unexplained(self, pod: k8s.V1Pod | None) -> bool:
        """Return whether the stage failed, and the pod may still get a reason for it."""
        if pod is None or not self._exit_code(pod) or pod.status.phase in TERMINAL:
            return False
        return disruption(pod, self.base_container_name) is None

    def _prepare_restart(self, disrupted: PodDisrupted, context: Any) -> None:
        """Count the disruption, and wait for the pod's end.

        Raises:
            AirflowException: the pod does not end, or the attempt has no budget or no time left.
        """
        self._disruptions += 1
        count = f"{self._disruptions} of {self.disruption_budget} disruptions of this attempt"
        if self._disruptions <= self.disruption_budget:
            self.log.warning("%s. Starting it again (%s).", disrupted, count)
        self._end(disrupted.pod)
        if self._disruptions > self.disruption_budget:
            raise AirflowException(
                f"{disrupted}. This attempt was disrupted more than {self.disruption_budget} times. If that is "
                "normal on this cluster, raise WAKEE_DISRUPTION_BUDGET of Airflow's components."
            )
        if self._is_time_up(context):
            raise AirflowException(f"{disrupted}. This attempt has reached its time limit.")
        self.trigger_kwargs = (self.trigger_kwargs or {}) | {COUNT: self._disruptions}
        self.pod = self.pod_request_obj = self.remote_pod = None

    def _end(self, pod: k8s.V1Pod) -> None:
        """Wait until the stage of a disrupted pod has ended.

        The provider's label keeps a later attempt from reattaching to the pod.
        """
        present = self._read(pod)
        if present and not present.metadata.deletion_timestamp and not has_ended(present, self.base_container_name):
            self.pod_manager.delete_pod(present)
        if not self._await_end(pod, STUCK_SECONDS):
            raise AirflowException(
                f"Pod {pod.metadata.name} was disrupted but has not ended. Another one beside it could damage its "
                "results. See 'kubectl describe pod', and delete it when its process has ended."
            )
        with contextlib.suppress(ApiException):  # it may be gone
            self.patch_already_checked(pod)

    def _await_end(self, pod: k8s.V1Pod, beyond_grace: int) -> bool:
        """Wait for the end of a pod's stage. Returns whether it has ended."""
        return not Retrying(
            retry=retry_if_result(bool),
            wait=wait_fixed(1),
            stop=stop_after_delay((self.termination_grace_period or 0) + beyond_grace),
            retry_error_callback=lambda _: True,
        )(self._still_runs, pod)

    def _still_runs(self, pod: k8s.V1Pod) -> bool:
        try:
            present = self._read(pod)
        except ApiException:
            return True
        if present is not None and is_stuck(present, datetime.now(UTC)):
            self._force_deletion(present)
            return False
        return present is not None and not has_ended(present, self.base_container_name)

    def _force_deletion(self, pod: k8s.V1Pod) -> None:
        self.log.warning("Node %s does not answer. Removing its pod %s", pod.spec.node_name, pod.metadata.name)
        self.client.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0)

    def _log_to_the_end(self, pod: k8s.V1Pod, event: dict[str, Any]) -> None:
        """Log what the stage of a disrupted pod writes until it ends, unless its node is lost.

        Then end the XCom sidecar. It ignores SIGTERM, and the kubelet reports the stage's end only with that of the
        whole pod, after the grace period.
        """
        if pod.status is None or node_is_lost(pod):
            return
        with contextlib.suppress(ApiException, HTTPError, AirflowException):
            self._write_logs(pod, follow=True, since_time=event.get("last_log_time"))
            self.pod_manager.extract_xcom_kill(pod)

    def _read(self, pod: k8s.V1Pod) -> k8s.V1Pod | None:
        """Return the pod as it is now; None if it is gone."""
        try:
            return self.hook.get_pod(pod.metadata.name, pod.metadata.namespace)
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _exit_code(self, pod: k8s.V1Pod) -> int | None:
        ended = terminated(pod, self.base_container_name)
        return ended.exit_code if ended else None
