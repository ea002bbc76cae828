"""Who may talk to whom, as the policies say it."""

import re
from pathlib import Path

import pytest
import yaml

from support.network_policies import Pod, allowed, policies_of

REPO = Path(__file__).parents[2]
INTERNET, PRIVATE, METADATA = "104.16.1.1", "10.96.0.1", "169.254.169.254"
EVERYBODYS = {"default-deny", "dns"}


@pytest.fixture(scope="module")
def policies(objects):
    return [o for o in objects if o["kind"] == "NetworkPolicy"]


@pytest.fixture(scope="module")
def pods(objects):
    """Every pod of the overlay by name, and one of each stage image as the DAGs label it."""
    templates = [o for o in objects if "template" in o.get("spec", {})]
    found = {
        o["metadata"]["name"]: Pod(o["metadata"]["namespace"], o["spec"]["template"]["metadata"]["labels"])
        for o in templates
    }
    return found | {image: Pod("wakee", {"app.kubernetes.io/name": f"wakee-{image}"}) for image in stage_images()}


def stage_images():
    """The images that the DAG files run stages of."""
    sources = [path.read_text() for path in (REPO / "dags").glob("*.py")]
    return sorted({image for source in sources for image in re.findall(r'stage\(\s*"(\w+)"', source)})


def test_the_dags_label_stage_pods_as_the_policies_expect():
    assert stage_images() == ["drift", "health", "train"]
    assert '"app.kubernetes.io/name": f"wakee-{image}"' in (REPO / "dags/wakee/stages.py").read_text()


@pytest.mark.parametrize("namespace", ["wakee", "airflow"])
def test_nothing_is_allowed_that_is_not_named(policies, namespace):
    stranger, other = Pod(namespace, {"app": "x"}), Pod(namespace, {"app": "y"})
    for target in (other, INTERNET, PRIVATE):
        assert not allowed(policies, stranger, target, 443)
    assert not allowed(policies, INTERNET, stranger, 8080)
    assert allowed(policies, stranger, Pod("kube-system"), 53, "UDP")


def test_every_pod_has_a_policy_of_its_own(policies, pods):
    own = {
        name: {policy["metadata"]["name"] for policy in policies_of(policies, pod)} - EVERYBODYS
        for name, pod in pods.items()
    }
    assert own
    assert [name for name, found in own.items() if not found] == []


@pytest.mark.parametrize("stage", ["drift", "train", "health"])
def test_a_stage_reaches_its_services_and_nothing_private(policies, pods, stage):
    pod = pods[stage]
    assert allowed(policies, pod, INTERNET, 443)
    assert allowed(policies, pod, INTERNET, 5432)
    assert not allowed(policies, pod, INTERNET, 25)
    for address in (PRIVATE, METADATA, "172.18.0.2", "192.168.1.1"):
        assert not allowed(policies, pod, address, 443)
    assert not allowed(policies, pod, pods["airflow-api-server"], 8080)
    assert not allowed(policies, pod, pods["airflow-database"], 5432)


@pytest.mark.parametrize("stage", ["drift", "train", "health"])
def test_nobody_connects_to_a_stage(policies, pods, stage):
    assert not any(allowed(policies, pod, pods[stage], 8080) for pod in pods.values())


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("drift", "neondb", 5432),
        ("drift", "r2", 8333),
        ("drift", "api", 8000),
        ("train", "hub", 8080),
        ("train", "mlflow", 5000),
        ("health", "sourcing", 8501),
        ("drift", "pushgateway", 9091),
        ("train", "pushgateway", 9091),
        ("health", "pushgateway", 9091),
        ("wakee-db-upgrade", "neondb", 5432),
        ("mlflow", "neondb", 5432),
        ("mlflow", "r2", 8333),
        ("api", "hub", 8080),
        ("airflow-scheduler", "airflow-database", 5432),
        ("airflow-scheduler", "airflow-api-server", 8080),
        ("airflow-scheduler", "r2", 8333),
        ("airflow-api-server", "r2", 8333),
        ("airflow-api-server", "airflow-scheduler", 8793),
        ("airflow-api-server", "airflow-triggerer", 8794),
        ("airflow-dag-processor", "mail", 1025),
        ("airflow-scheduler", "fault-server", 9001),
        ("health", "fault-server", 9001),
        ("airflow-dag-processor", "airflow-database", 5432),
        ("airflow-run-airflow-migrations", "airflow-database", 5432),
    ],
)
def test_the_sandbox_works(policies, pods, source, target, port):
    assert allowed(policies, pods[source], pods[target], port)


def test_seeding_reaches_the_sandbox(policies, pods):
    assert allowed(policies, Pod("wakee", {"app.kubernetes.io/name": "seed"}), pods["neondb"], 5432)


@pytest.mark.parametrize("name", ["neondb", "r2", "hub", "mlflow", "api", "mail", "airflow-api-server"])
def test_a_node_port_is_reached_from_outside(objects, policies, pods, name):
    service = next(o for o in objects if o["kind"] == "Service" and o["metadata"]["name"] == name)
    assert service["spec"]["type"] == "NodePort"
    published = service["spec"]["ports"][0]
    assert allowed(policies, "172.18.0.1", pods[name], published.get("targetPort", published["port"]))


@pytest.mark.parametrize("name", ["airflow-scheduler", "airflow-triggerer"])
def test_those_that_make_pods_reach_kubernetes(policies, pods, name):
    assert allowed(policies, pods[name], PRIVATE, 443)
    assert allowed(policies, pods[name], "172.18.0.2", 6443)


@pytest.mark.parametrize("name", ["airflow-api-server", "airflow-dag-processor", "airflow-run-airflow-migrations"])
def test_the_others_do_not_reach_kubernetes(policies, pods, name):
    assert not allowed(policies, pods[name], PRIVATE, 443)
    assert not allowed(policies, pods[name], "172.18.0.2", 6443)


def test_the_cloud_metadata_service_is_out_of_reach(policies, pods):
    assert not any(allowed(policies, pod, METADATA, port) for pod in pods.values() for port in (80, 443))


def test_stages_push_metrics_and_only_monitoring_reads_them(rendered):
    policies = [o for o in rendered("environments/production.yaml") if o["kind"] == "NetworkPolicy"]
    gateway = Pod("wakee", {"app.kubernetes.io/name": "pushgateway"})
    statsd = Pod("airflow", {"component": "statsd", "tier": "airflow"})
    prometheus, stranger = Pod("monitoring", {"app": "prometheus"}), Pod("default", {"app": "x"})
    for image in stage_images():
        assert allowed(policies, Pod("wakee", {"app.kubernetes.io/name": f"wakee-{image}"}), gateway, 9091)
    assert allowed(policies, Pod("airflow", {"component": "scheduler", "tier": "airflow"}), statsd, 9125, "UDP")
    for target, port in ((gateway, 9091), (statsd, 9102)):
        assert allowed(policies, prometheus, target, port)
        assert not allowed(policies, stranger, target, port)


def test_the_base_alone_knows_no_sandbox(rendered):
    policies = [o for o in rendered("base") if o["kind"] == "NetworkPolicy"]
    assert "sandbox" not in yaml.safe_dump(policies)
    assert not allowed(
        policies,
        Pod("wakee", {"app.kubernetes.io/name": "wakee-drift"}),
        Pod("wakee", {"wakee.io/sandbox": "true"}),
        443,
    )
