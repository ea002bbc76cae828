"""The pod that writes into the sandbox."""

from support.restricted import violations
from wakee_tools.airflow.seed import pod


def test_the_pod_is_restricted_and_gets_the_flags():
    made = pod("seed-1", "localhost/wakee/sandbox:1", ["seed", "--drift-bias", "confusion=0.5"])
    assert violations(made["spec"]) == []
    assert made["spec"]["containers"][0]["args"] == ["seed", "--drift-bias", "confusion=0.5"]
