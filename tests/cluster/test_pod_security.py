"""Pods that violate the Pod Security Standard "restricted" are refused in both namespaces."""

import pytest
from kubernetes.client.exceptions import ApiException

pytestmark = pytest.mark.usefixtures("on_kind")

SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
VIOLATIONS = {
    "privileged": ({"privileged": True}, {}, {}),
    "root": (SAFE | {"runAsUser": 0}, {}, {}),
    "escalation": ({"capabilities": {"drop": ["ALL"]}}, {}, {}),
    "capabilities": ({"allowPrivilegeEscalation": False}, {}, {}),
    "seccomp": (SAFE, {"seccompProfile": {"type": "Unconfined"}}, {}),
    "host network": (SAFE, {}, {"hostNetwork": True}),
    "host path": (SAFE, {}, {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}),
}
"""What a container, its pod's security context and the rest of its pod say."""


def body(container, context, rest):
    base = {"name": "base", "image": "localhost/wakee/none", "securityContext": container}
    limited = base | {"resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "32Mi"}}}
    return {
        "metadata": {"name": "violates"},
        "spec": {"containers": [limited], "securityContext": POD | context, **rest},
    }


@pytest.mark.parametrize("namespace", ["wakee", "airflow"])
@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda name: name.replace(" ", "-"))
def test_it_is_refused(kubernetes, namespace, violation):
    with pytest.raises(ApiException, match='violates PodSecurity \\\\"restricted') as refused:
        kubernetes.create_namespaced_pod(namespace, body(*VIOLATIONS[violation]), dry_run="All")
    assert refused.value.status == 403


@pytest.mark.parametrize("namespace", ["wakee", "airflow"])
def test_what_meets_it_is_accepted(kubernetes, namespace):
    kubernetes.create_namespaced_pod(namespace, body(SAFE, {}, {}), dry_run="All")
