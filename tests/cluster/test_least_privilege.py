"""What Airflow may do in the cluster, and how a stage pod is locked in."""

import json
import subprocess

import pytest
from kubernetes import client

from support.faults import out_of_order
from support.pods import running_pod
from support.waiting import wait_for

AIRFLOW = "system:serviceaccount:airflow:airflow"
STAGE = "system:serviceaccount:wakee:wakee-stage"
ALLOWED = {
    ("create", "pods"),
    ("get", "pods"),
    ("list", "pods"),
    ("watch", "pods"),
    ("patch", "pods"),
    ("delete", "pods"),
    ("get", "pods/log"),
    ("get", "pods/exec"),
    ("create", "pods/exec"),
    ("get", "events"),
    ("list", "events"),
    ("watch", "events"),
}
"""In `wakee`; elsewhere nothing."""
VERBS = ("create", "get", "list", "watch", "patch", "update", "delete", "deletecollection")
RESOURCES = (
    "pods",
    "pods/log",
    "pods/exec",
    "pods/eviction",
    "pods/ephemeralcontainers",
    "events",
    "secrets",
    "configmaps",
    "services",
    "serviceaccounts",
    "serviceaccounts/token",
    "deployments.apps",
    "jobs.batch",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "networkpolicies.networking.k8s.io",
    "persistentvolumeclaims",
)


def _may(account: str, namespace: str, verb: str, resource: str) -> bool:
    """What `kubectl auth can-i` asks."""
    kind, _, group = resource.partition(".")
    kind, _, subresource = kind.partition("/")
    asked = client.V1ResourceAttributes(
        namespace=namespace, verb=verb, group=group, resource=kind, subresource=subresource
    )
    review = client.V1SubjectAccessReview(
        spec=client.V1SubjectAccessReviewSpec(user=account, groups=_groups(account), resource_attributes=asked)
    )
    return bool(client.AuthorizationV1Api().create_subject_access_review(review).status.allowed)


def _groups(account: str) -> list[str]:
    return ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{account.split(':')[2]}"]


def _matrix(account: str, namespace: str) -> set[tuple[str, str]]:
    return {(verb, resource) for resource in RESOURCES for verb in VERBS if _may(account, namespace, verb, resource)}


def _print(title: str, allowed: set[tuple[str, str]]) -> None:
    print(f"\n{title}\n{'':44s}{''.join(f'{verb:>17s}' for verb in VERBS)}")
    for resource in RESOURCES:
        marks = "".join(f"{'yes' if (verb, resource) in allowed else '-':>17s}" for verb in VERBS)
        print(f"{resource:44s}{marks}")


@pytest.mark.usefixtures("kubernetes")
def test_airflow_manages_pods_in_wakee_and_nothing_else():
    allowed = _matrix(AIRFLOW, "wakee")
    _print("airflow in wakee", allowed)
    assert allowed == ALLOWED


@pytest.mark.parametrize(
    ("account", "namespace"),
    [
        (AIRFLOW, "airflow"),
        (AIRFLOW, "kube-system"),
        (STAGE, "wakee"),
        (STAGE, "airflow"),
        ("system:serviceaccount:wakee:default", "wakee"),
    ],
)
@pytest.mark.usefixtures("kubernetes")
def test_nobody_may_do_anything_elsewhere(account, namespace):
    assert _matrix(account, namespace) == set()


@pytest.fixture
def running_stage(airflow, kubernetes):
    """A stage pod that waits for an answer of the API."""
    with out_of_order(kubernetes, "api", "silent"):
        run_id = airflow.trigger("health_check_weekly")
        pod = wait_for(lambda: running_pod(kubernetes, run_id, "test_api"), 240, "a running stage pod")
        yield pod.metadata.name
    airflow.wait("health_check_weekly", run_id, 300)


def _run_in(pod, code):
    command = ["kubectl", "exec", "-n", "wakee", pod, "-c", "airflow-stage", "--", "/opt/venv/bin/python3", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.usefixtures("model_in_production")
def test_a_stage_pod_is_locked_in(running_stage):
    code = """
import json, os
def writable(path):
    try:
        open(path + '/probe', 'w').close()
        return True
    except OSError:
        return False
paths = ['/', '/opt/wakee', '/opt/venv', '/etc', '/usr/bin', '/tmp']
status = open('/proc/self/status').read()
print(json.dumps({
    'uid': os.getuid(),
    'writable': [path for path in paths if writable(path)],
    'token': os.path.exists('/var/run/secrets/kubernetes.io'),
    'capabilities': status.split('CapEff:')[1].split()[0],
    'no_new_privileges': status.split('NoNewPrivs:')[1].split()[0],
    'seccomp': status.split('Seccomp:')[1].split()[0],
}))
"""
    assert json.loads(_run_in(running_stage, code)) == {
        "uid": 10001,
        "writable": ["/tmp"],  # noqa: S108
        "token": False,
        "capabilities": "0000000000000000",
        "no_new_privileges": "1",
        "seccomp": "2",
    }
