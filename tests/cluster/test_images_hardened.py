"""The images work for any user, with a read-only root and without a shell; and they tell what is in them."""

import json
import re
import uuid
from pathlib import Path

import pytest

from support.images import image_of
from support.restricted import loose_ends, violations
from support.waiting import wait_for
from wakee_tools.images.build import torch_variant

REPO = Path(__file__).parents[2]
IMAGES = ("airflow", "drift", "health", "sandbox", "train")
ANY_USER = 1_000_650_000
"""As OpenShift chooses them: no user of the image's, and of no group of the image's."""
SHELLS = ("/usr/bin/dash", "/usr/bin/bash")
DAY = "2019-03-30"
SECONDS = 300
PROBE = """
import glob, importlib.metadata, json, os, pathlib, subprocess

def runs(program):
    try:
        return subprocess.run([program, "-c", "true"]).returncode == 0
    except OSError:
        return False

def installs(path):
    return path.name in {"pip", "pip3", "ensurepip"} or path.match("pip-*")

files = [path for top in ("/usr", "/opt") for path in pathlib.Path(top).rglob("*")]
packages = importlib.metadata.distributions(path=glob.glob("/opt/venv/lib/python3*/site-packages"))
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "shells": [program for program in ("sh", "bash", "dash", "/bin/sh", "/bin/bash") if runs(program)],
    "writable": [path for path in ("/", "/opt/wakee", "/opt/airflow", "/var/tmp", "/tmp") if os.access(path, os.W_OK)],
    "installers": [str(path) for path in files if installs(path)],
    "installed": [[package.name, package.version] for package in packages],
    "bill": json.loads(pathlib.Path("/usr/share/doc/wakee/sbom.cdx.json").read_text()),
}))
"""


def spec(image: str, memory: str, container: dict[str, object]) -> dict[str, object]:
    """A pod's specification; every shell of the image is hidden by a file that nobody may execute."""
    restricted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    shells = [{"name": "no-shell", "mountPath": path, "subPath": "file"} for path in SHELLS]
    no_shell = [{"path": "file", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 0o444}]
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "priorityClassName": "wakee-stage",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": ANY_USER,
            "runAsGroup": ANY_USER,
            "fsGroup": ANY_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "base",
                "image": image_of(image),
                "imagePullPolicy": "IfNotPresent",
                "securityContext": restricted,
                "resources": {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": memory}},
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *shells],  # noqa: S108
                **container,
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "no-shell", "downwardAPI": {"items": no_shell}}],
    }


@pytest.fixture(scope="module")
def run(kubernetes):
    """A function: run a container of an image to its end; returns its exit code and what it printed."""

    def run_pod(image, memory="1Gi", **container):
        name = f"hardened-{uuid.uuid4().hex[:8]}"
        metadata = {"name": name, "labels": {"app.kubernetes.io/name": f"wakee-{image}"}}
        kubernetes.create_namespaced_pod("wakee", {"metadata": metadata, "spec": spec(image, memory, container)})
        try:
            wait_for(lambda: _phase(kubernetes, name) in {"Succeeded", "Failed"}, SECONDS + 30, f"the end of {name}", 1)
            status = kubernetes.read_namespaced_pod(name, "wakee").status
            ended = [c.state.terminated for c in status.container_statuses or [] if c.state.terminated]
            assert ended, f"{name}: {status.reason}, {status.message}"
            # Preloaded, the client would take a JSON line for an object.
            log = kubernetes.read_namespaced_pod_log(name, "wakee", _preload_content=False).data.decode()
            return ended[0].exit_code, log
        finally:
            kubernetes.delete_namespaced_pod(name, "wakee", grace_period_seconds=0)

    return run_pod


def _phase(kubernetes, name):
    return kubernetes.read_namespaced_pod(name, "wakee").status.phase


@pytest.fixture
def stage(run, store):
    """A function: run a stage of an image, as the DAGs would; returns its record in R2."""
    run_id = f"hardened-{uuid.uuid4().hex[:8]}"

    def run_stage(image, task_id, *flags, exit_code=0, memory="1Gi"):
        context = {"WAKEE_DAG_ID": "hardened", "WAKEE_RUN_ID": run_id, "WAKEE_TASK_ID": task_id}
        # Its measurements would mix with those of the real runs.
        variables = context | {"WAKEE_LOG_FORMAT": "json", "PUSHGATEWAY_URL": ""}
        sources = [{"configMapRef": {"name": "wakee-config"}}, {"secretRef": {"name": "wakee-secrets"}}]
        code, log = run(
            image,
            memory,
            args=[task_id.replace("_", "-"), *flags],
            envFrom=sources,
            env=[{"name": name, "value": value} for name, value in variables.items()],
        )
        assert code == exit_code, log
        last = json.loads(log.splitlines()[-1])
        assert (last["run_id"], last["message"].split(":")[0]) == (run_id, f"{task_id} ends")
        return json.loads(store.get_bytes(store.uri(f"runs/hardened/{run_id}/{task_id}/result.json")))

    return run_stage


@pytest.fixture(scope="module")
def probed(run):
    """A function: what a pod of an image finds out about itself; each image is asked once."""
    known = {}

    def probe(image):
        if image not in known:
            code, printed = run(image, command=["/opt/venv/bin/python3", "-c", PROBE])
            assert code == 0, printed
            known[image] = json.loads(printed.splitlines()[-1])
        return known[image]

    return probe


def packages(pairs):
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pairs}


def test_the_pods_are_restricted():
    found = spec("drift", "1Gi", {})
    assert violations(found) + loose_ends(found) == []


@pytest.mark.parametrize("image", IMAGES)
def test_any_user_no_shell_read_only_root(probed, image):
    found = probed(image)
    assert found["user"] == [ANY_USER, ANY_USER]
    assert found["shells"] == []
    assert found["writable"] == ["/tmp"]  # noqa: S108


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_can_be_installed(probed, image):
    assert probed(image)["installers"] == []


def lock_of(image: str) -> str:
    cuda = image == "train" and torch_variant() == "cuda"
    return "requirements-cuda.lock" if cuda else "requirements.lock"


@pytest.mark.parametrize("image", IMAGES)
def test_the_bill_of_materials_is_the_lock_and_what_is_installed(probed, image):
    found = probed(image)
    lock = (REPO / "images" / image / lock_of(image)).read_text()
    pinned = packages(re.findall(r"^([\w.-]+)==([^ \\;]+)", lock, re.MULTILINE))
    assert packages((part["name"], part["version"]) for part in found["bill"]["components"]) == pinned
    assert packages(found["installed"]) == pinned


def test_drift_detection(stage, seed):
    seed("--rows", "100", "--days", "30", "--until", "2019-03-31T00:00:00", "--labels-only", "--seed", "1")

    fetched = stage("drift", "fetch_annotations", f"--until={DAY}")
    windows = [f"--annotations={fetched['annotations_uri']}", f"--reference={fetched['reference_uri']}"]
    loaded = stage("drift", "load_predictions", *windows)
    pairs = [f"--pairs={loaded['pairs_uri']}", f"--reference-pairs={loaded['reference_pairs_uri']}"]
    metrics = f"--metrics={stage('drift', 'calculate_drift', *pairs)['metrics_uri']}"
    report = stage("drift", "generate_report", metrics, *pairs, memory="2Gi")
    saved = stage("drift", "save_report", metrics, f"--report={report['html_uri']}")

    assert saved["report_date"] == DAY


@pytest.mark.usefixtures("model_in_production")
def test_retraining(stage):
    assert stage("train", "check_targets")["finished"] is None
    small = ["--backbone=test_efficientnet", "--image-size=112", "--start=random"]
    assert stage("train", "try_backbone", *small, memory="4Gi")["pictures"] == 2
    manifest = stage("train", "fetch_training_data", memory="2Gi")["manifest_uri"]
    splits = stage("train", "split_dataset", f"--manifest={manifest}")["splits_uri"]
    training = stage("train", "fine_tune", f"--splits={splits}", *small, "--epochs=1", memory="4Gi")["training_uri"]
    # Nothing gets better by more than 3, so production stays as it is.
    evaluation = stage("train", "evaluate", f"--training={training}", "--min-improvement=3", memory="4Gi")
    export = stage("train", "export_onnx", f"--evaluation={evaluation['evaluation_uri']}", memory="4Gi")
    verdict = [f"--evaluation={evaluation['evaluation_uri']}", f"--export={export['export_uri']}"]
    publication = stage("train", "upload_to_hub", *verdict, memory="2Gi")
    logged = stage("train", "log_to_mlflow", f"--publication={publication['publication_uri']}", memory="2Gi")
    recorded = stage("train", "update_model_versions", f"--tracking={logged['tracking_uri']}")

    assert publication["promoted"] is False
    assert recorded["status"] == "success"


@pytest.mark.usefixtures("model_in_production")
@pytest.mark.parametrize(
    "arguments",
    [
        ["test_api"],
        ["test_database"],
        ["test_storage", "--orphan-sample=0"],  # other tests leave annotations without pictures
        ["test_app_sourcing"],
        ["test_model_hub"],
        ["run_pytest_suite"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_health_check(stage, arguments):
    assert stage("health", *arguments)["status"] == "success"


def test_a_stage_that_fails_says_so(stage):
    record = stage("drift", "calculate_drift", "--pairs=r2://x/none", "--reference-pairs=r2://x/none", exit_code=2)
    assert record["status"] == "failed"
