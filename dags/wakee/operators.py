"""KubernetesPodOperator, taught the stage contract: exit codes, results and "not enough data"."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import make_safe_label_value
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client.exceptions import ApiException
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from wakee.pending import pending_reason, unscheduled_reason
from wakee.pods import StagePodManager, stage_trigger
from wakee.resources import CPU, MEMORY, MEMORY_REQUEST, SCRATCH, variable

if TYPE_CHECKING:
    from airflow.sdk.bases.operatorlink import BaseOperatorLink
    from kubernetes.client import models as k8s

NO_RETRY_EXIT_CODE = 2
KEPT_FAILED = timedelta(days=7)
BEYOND_GRACE_SECONDS = 30
SKIPPING = {
    "insufficient_data": "not enough data",
    "already_done": "an earlier run has done the same",
    "not_published": "a rehearsal, which publishes nothing",
}
"""Results after which nothing downstream has anything to do."""


class StageOperator(KubernetesPodOperator, SkipMixin):
    """Runs one stage in a pod and returns its result.

    * Exit code 2 fails the task without retries; the pod's termination message is the cause.
    * A pod that ends well without a result fails the task, so that no consumer works on nothing.
    * A result whose status is in `SKIPPING` skips everything downstream; the run still succeeds.
    * A pod that failed stays for a week; after that the task's next try deletes it.
    * Why a pod is pending is in the task's log, also while the triggerer watches it.
    """

    def __init__(self, *, links: Collection[BaseOperatorLink] = (), **options: Any) -> None:
        super().__init__(**options)
        self.operator_extra_links = links
        # Templates find the DAG's parameters in the DAG. Airflow gives each task a copy of them, and checks all of
        # those at every reading of the file.
        self.params = ParamsDict()

    def execute(self, context: Any) -> dict[str, Any] | None:
        """Run the pod to its end, or hand it to the triggerer when deferrable."""
        self._taken_over: dict[str, Any] | None = None
        result = super().execute(context)
        # The pod of an earlier try may have ended by now: the provider then takes over at once, and forgets the result.
        return self._taken_over or self._checked(result, context)

    def trigger_reentry(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Take over from the triggerer when the pod has ended, or did not start in time."""
        self._taken_over = self._checked(super().trigger_reentry(context, event), context)
        return self._taken_over

    @cached_property
    def pod_manager(self) -> StagePodManager:
        """The one that logs why the pod is pending."""
        return StagePodManager(kube_client=self.client, callbacks=self.callbacks)

    def defer(self, *, trigger: Any, **options: Any) -> NoReturn:
        """Hand the pod to the triggerer, whose log says why it is pending."""
        super().defer(trigger=stage_trigger(trigger), **options)

    def build_pod_request_obj(self, context: Any = None, *, dry_run: bool = False) -> k8s.V1Pod:
        """The pod, labelled so that `kubectl get pods -l wakee.io/run-id=...` finds it."""
        pod = super().build_pod_request_obj(context, dry_run=dry_run)
        if context:
            pod.metadata.labels |= _task_labels(context) | {"wakee.io/run-id": make_safe_label_value(context["run_id"])}
        return pod

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Any) -> k8s.V1Pod:
        """The pod of this try, once those are gone that failed long ago."""
        try:
            self._delete_old_failures(context)
        except Exception as error:  # whatever it is, the new pod matters more
            self.log.warning("Pods that failed long ago may be left: %s", error)
        return super().get_or_create_pod(pod_request_obj, context)

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Any = None,
    ) -> None:
        """Delete the pod if it succeeded; fail the task, for good when a retry would not help."""
        not_started = self._why_not_started(remote_pod)
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowException as error:
            if self._exit_code(remote_pod) == NO_RETRY_EXIT_CODE:
                raise AirflowFailException(str(error)) from error
            if not_started:  # the provider would say that it returned a failure
                raise AirflowException(not_started) from error
            if ran_out := self._what_ran_out(remote_pod):
                raise AirflowException(f"{error} {ran_out}") from error
            raise

    def process_pod_deletion(self, pod: k8s.V1Pod, *, reraise: bool = True) -> bool:
        """Keep what failed, but not what has not ended: it would start, or go on, beside the next try.

        It may go on for its grace period, to save a checkpoint; that end is waited for.
        """
        if pod is None or pod.status.phase not in {"Pending", "Running"} or self._exit_code(pod) is not None:
            return bool(super().process_pod_deletion(pod, reraise=reraise))
        self.log.warning("Deleting pod %s, which has not ended", pod.metadata.name)
        with contextlib.nullcontext() if reraise else contextlib.suppress(Exception):
            self.pod_manager.delete_pod(pod)
            self._await_end(pod)
        return True

    def _await_end(self, pod: k8s.V1Pod) -> None:
        Retrying(
            retry=retry_if_result(bool),
            wait=wait_fixed(1),
            stop=stop_after_delay((self.termination_grace_period or 0) + BEYOND_GRACE_SECONDS),
            retry_error_callback=lambda _: self.log.warning("Pod %s has not ended yet", pod.metadata.name),
        )(self._still_runs, pod)

    def _still_runs(self, pod: k8s.V1Pod) -> bool:
        try:
            return self._exit_code(self.hook.get_pod(pod.metadata.name, pod.metadata.namespace)) is None
        except ApiException as error:
            return bool(error.status != HTTPStatus.NOT_FOUND)

    def _delete_old_failures(self, context: Any) -> None:
        """Kubernetes itself would keep 12,500 pods that have ended before it deletes the first."""
        selector = ",".join(f"{label}={value}" for label, value in _task_labels(context).items())
        failed = self.client.list_namespaced_pod(
            self.namespace, label_selector=selector, field_selector="status.phase=Failed"
        )
        for pod in failed.items:
            ended = self._ended(pod)
            # One that was evicted may have no state of its container.
            since = (ended.finished_at if ended else None) or pod.metadata.creation_timestamp
            if since < datetime.now(UTC) - KEPT_FAILED:
                self.pod_manager.delete_pod(pod)

    def _checked(self, result: dict[str, Any] | None, context: Any) -> dict[str, Any]:
        if not result:
            raise AirflowException(
                f"{self.task_id} ended without a result; its record, if any, is under runs/{self.dag_id}/ in R2"
            )
        if (status := str(result.get("status"))) in SKIPPING:
            self.log.warning("%s: %s; everything downstream is skipped", self.task_id, SKIPPING[status])
            context["ti"].xcom_push("return_value", result)
            self.skip(context["ti"], self.downstream_list)
        return result

    def _why_not_started(self, pod: k8s.V1Pod) -> str:
        """Why a pod that is to be deleted is still pending, and what to do about it; empty when it has started."""
        if not pod or not pod.status or pod.status.phase != "Pending":
            return ""
        try:  # the provider keeps what it read just after the pod was created
            present = self.hook.get_pod(pod.metadata.name, pod.metadata.namespace)
        except ApiException:
            return ""
        reason = pending_reason(present)
        if not reason:
            return ""
        remedy = self._give_it_room() if unscheduled_reason(present) else "The remedies are in docs/faq.md."
        return f"Pod {pod.metadata.name} did not start: {reason.rstrip('.')}. {remedy}"

    def _give_it_room(self) -> str:
        requests = self.container_resources.requests if self.container_resources else {}
        wanted = ", ".join(f"{count} {name}" for name, count in requests.items())
        if requests.keys() - {"cpu", "memory", "ephemeral-storage"}:
            remedy = "Does the device plugin run on a node with as many GPUs? WAKEE_GPU_COUNT=0 trains on the CPU."
        else:
            lower = " or ".join(variable(setting, self.task_id) for setting in (CPU, MEMORY_REQUEST))
            remedy = f"Add a node with that much room, or lower {lower} of Airflow's components."
        return f"The pod requests {wanted}. {remedy}"

    def _what_ran_out(self, pod: k8s.V1Pod) -> str:
        """What Kubernetes ended the stage for, and what to do about it; empty when the stage ended by itself."""
        limits = (self.container_resources.limits if self.container_resources else None) or {}
        ended = self._ended(pod)
        if ended and ended.reason == "OOMKilled":
            limit = limits.get("memory", "no")
            return f"It needed more memory than its limit of {limit} (OOMKilled). Raise {self._variable(MEMORY)}."
        if pod.status.reason == "Evicted":
            scratch = f"If that is its scratch space, raise {self._variable(SCRATCH)}."
            return f"Kubernetes evicted it: {pod.status.message} {scratch}"
        return ""

    def _variable(self, setting: str) -> str:
        """What raises a limit of this stage, for people who read the log."""
        return f"{variable(setting, self.task_id)} of Airflow's components"

    def _exit_code(self, pod: k8s.V1Pod) -> int | None:
        ended = self._ended(pod)
        return ended.exit_code if ended else None

    def _ended(self, pod: k8s.V1Pod) -> k8s.V1ContainerStateTerminated | None:
        """How the stage's own container ended, if it has."""
        statuses = (pod.status.container_statuses if pod and pod.status else None) or []
        ended = [s.state.terminated for s in statuses if s.name == self.base_container_name and s.state.terminated]
        return ended[0] if ended else None


def _task_labels(context: Any) -> dict[str, str]:
    """The labels that all pods of a task have, of whichever run."""
    names = {"dag-id": context["ti"].dag_id, "task-id": context["ti"].task_id}
    return {f"wakee.io/{key}": make_safe_label_value(name) for key, name in names.items()}
