"""A KubernetesPodOperator that implements the stage contract: exit codes, results and "not enough data"."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.cncf.kubernetes.pod_generator import make_safe_label_value
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client.exceptions import ApiException

from wakee.disruptions import NO_RETRY_EXIT_CODE, OUT_OF_MEMORY, terminated
from wakee.pending import pending_reason, unscheduled_reason
from wakee.pods import StagePodManager, stage_trigger
from wakee.resources import CPU, MEMORY, MEMORY_REQUEST, SCRATCH, variable
from wakee.restarts import RestartingPodOperator

if TYPE_CHECKING:
    from airflow.sdk.bases.operatorlink import BaseOperatorLink
    from kubernetes.client import models as k8s

KEPT_FAILED = timedelta(days=7)
SKIPPING = {
    "insufficient_data": "not enough data",
    "already_done": "an earlier run did the same",
    "not_published": "a rehearsal does not publish",
}
"""Statuses after which all downstream tasks are skipped, and why."""


class StageOperator(RestartingPodOperator, SkipMixin):
    """Run one stage in a pod and return its result.

    * A disrupted pod (evicted, preempted, lost with its node, deleted) is started again in the same attempt.
    * Exit code 2 fails the task without retries. The pod's termination message is the cause.
    * A pod that succeeds without a result fails the task, so that no downstream task runs without input.
    * A result whose status is in `SKIPPING` skips all downstream tasks. The run still succeeds.
    * A failed pod is kept for a week. After that the task's next attempt deletes it.
    * The task's log says why a pod is pending, also while the triggerer watches the pod.
    """

    def __init__(self, *, links: Collection[BaseOperatorLink] = (), **options: Any) -> None:
        super().__init__(**options)
        self.operator_extra_links = links
        # Templates use the parameters of the DAG. Airflow would give each task a copy, and validate all copies
        # whenever it parses the file.
        self.params = ParamsDict()

    def execute(self, context: Any) -> dict[str, Any] | None:
        """Run the pod to its end, or defer to the triggerer if deferrable."""
        self._taken_over: dict[str, Any] | None = None
        result = super().execute(context)
        # If the pod of an earlier attempt has already ended, the provider resumes immediately and drops the result.
        return self._taken_over or self._checked(result, context)

    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Resume after the triggerer, when the pod has ended or did not start in time."""
        self._taken_over = self._checked(super().trigger_reentry(context, event), context)
        return self._taken_over

    @cached_property
    def pod_manager(self) -> StagePodManager:
        """A pod manager that logs why the pod is pending."""
        return StagePodManager(kube_client=self.client, callbacks=self.callbacks)

    def defer(self, *, trigger: Any, **options: Any) -> NoReturn:
        """Defer to the triggerer, with a trigger that logs why the pod is pending."""
        super().defer(trigger=stage_trigger(trigger), **options)

    def build_pod_request_obj(self, context: Any = None, *, dry_run: bool = False) -> k8s.V1Pod:
        """Return the pod, with labels for `kubectl get pods -l wakee.io/run-id=...`."""
        pod = super().build_pod_request_obj(context, dry_run=dry_run)
        if context:
            pod.metadata.labels |= _task_labels(context) | {"wakee.io/run-id": make_safe_label_value(context["run_id"])}
        return pod

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Any) -> k8s.V1Pod:
        """Return the pod of this attempt, after deleting old failed pods."""
        try:
            self._delete_old_failures(context)
        except Exception as error:  # no error here may stop the new pod
            self.log.warning("Cannot delete old failed pods: %s", error)
        return super().get_or_create_pod(pod_request_obj, context)

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Any = None,
    ) -> None:
        """Delete the pod if it succeeded; otherwise fail the task, without retries if they would not help."""
        not_started = self._why_not_started(remote_pod)
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowException as error:
            if self._exit_code(remote_pod) == NO_RETRY_EXIT_CODE:
                raise AirflowFailException(str(error)) from error
            if not_started:  # the provider would only report a failed pod
                raise AirflowException(not_started) from error
            if ran_out := self._what_ran_out(remote_pod):
                raise AirflowException(f"{error} {ran_out}") from error
            raise

    def _delete_old_failures(self, context: Any) -> None:
        """Delete old failed pods. Kubernetes itself keeps up to 12,500 terminated pods before it deletes any."""
        selector = ",".join(f"{label}={value}" for label, value in _task_labels(context).items())
        failed = self.client.list_namespaced_pod(
            self.namespace, label_selector=selector, field_selector="status.phase=Failed"
        )
        for pod in failed.items:
            ended = terminated(pod, self.base_container_name)
            # An evicted pod may have no container state.
            since = (ended.finished_at if ended else None) or pod.metadata.creation_timestamp
            if since < datetime.now(UTC) - KEPT_FAILED:
                self.pod_manager.delete_pod(pod)

    def _checked(self, result: dict[str, Any] | None, context: Any) -> dict[str, Any]:
        if not result:
            raise AirflowException(
                f"{self.task_id} ended without a result. Look for its run record under runs/{self.dag_id}/ in R2"
            )
        if (status := str(result.get("status"))) in SKIPPING:
            self.log.warning("%s: %s. All downstream tasks are skipped", self.task_id, SKIPPING[status])
            context["ti"].xcom_push("return_value", result)
            self.skip(context["ti"], self.downstream_list)
        return result

    def _why_not_started(self, pod: k8s.V1Pod) -> str:
        """Return why a pod has not started, and the remedy; empty if it has started."""
        if not pod or not pod.status or pod.status.phase != "Pending":
            return ""
        try:  # `pod` is as the provider read it just after its creation
            present = self.hook.get_pod(pod.metadata.name, pod.metadata.namespace)
        except ApiException:
            return ""
        reason = pending_reason(present)
        if not reason:
            return ""
        remedy = self._give_it_room() if unscheduled_reason(present) else "See docs/faq.md."
        return f"Pod {pod.metadata.name} did not start: {reason.rstrip('.')}. {remedy}"

    def _give_it_room(self) -> str:
        requests = self.container_resources.requests if self.container_resources else {}
        wanted = ", ".join(f"{count} {name}" for name, count in requests.items())
        if requests.keys() - {"cpu", "memory", "ephemeral-storage"}:
            remedy = (
                "Check that the device plugin runs on a node with that many GPUs. WAKEE_GPU_COUNT=0 trains on the CPU."
            )
        else:
            lower = " or ".join(variable(setting, self.task_id) for setting in (CPU, MEMORY_REQUEST))
            remedy = f"Add a node with enough free resources, or lower {lower} of Airflow's components."
        return f"The pod requests {wanted}. {remedy}"

    def _what_ran_out(self, pod: k8s.V1Pod) -> str:
        """Return why Kubernetes terminated the stage, and the remedy; empty if the stage ended by itself."""
        limits = (self.container_resources.limits if self.container_resources else None) or {}
        ended = terminated(pod, self.base_container_name)
        if ended and ended.reason == OUT_OF_MEMORY:
            limit = limits.get("memory", "no")
            return f"It needed more memory than its limit of {limit} ({OUT_OF_MEMORY}). Raise {self._variable(MEMORY)}."
        if pod.status.reason == "Evicted":
            scratch = f"If that is its scratch space, raise {self._variable(SCRATCH)}."
            return f"Kubernetes evicted it: {pod.status.message} {scratch}"
        return ""

    def _variable(self, setting: str) -> str:
        """Return the variable that sets a limit of this stage, for messages."""
        return f"{variable(setting, self.task_id)} of Airflow's components"


def _task_labels(context: Any) -> dict[str, str]:
    """Return the labels of all pods of a task, in any run."""
    names = {"dag-id": context["ti"].dag_id, "task-id": context["ti"].task_id}
    return {f"wakee.io/{key}": make_safe_label_value(name) for key, name in names.items()}
