"""The CUDA variant of the training image, run without a GPU: every command that builds a model.

`make test-cuda-image` builds the image (some 4 GB more than the CPU variant) and runs this file; the other unit tests
leave it out. The image runs by `docker run --network host` against the servers of these tests, never in the cluster.
"""

import json
import os
import subprocess
from typing import Any

import pytest

from support.stages import options

from .environment import FEW_PICTURES, Environment

IMAGE = os.environ.get("WAKEE_CUDA_IMAGE", "")
PROBE = "import torch; print(torch.version.cuda, torch.cuda.is_available())"


class ContainerEnvironment(Environment):
    """An environment whose stages run in containers of the image, with a read-only root as in pods."""

    def stage(self, name: str, run_id: str = "run-1", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        xcom = self.folder / "xcom"
        xcom.mkdir(exist_ok=True)
        xcom.chmod(0o777)
        variables = [word for item in self.stage_variables(name, run_id).items() for word in ("-e", "=".join(item))]
        hardened = ["--read-only", "--tmpfs", "/tmp:exec,mode=1777", "--cap-drop", "ALL", "--network", "host"]  # noqa: S108
        command = ["docker", "run", "--rm", *hardened, "-v", f"{xcom}:/airflow/xcom", *variables, IMAGE, name]
        done = subprocess.run([*command, *options(flags)], capture_output=True, text=True, timeout=600)
        assert done.returncode == exit_code, done.stdout + done.stderr
        return dict(json.loads((xcom / "return.json").read_text()))


@pytest.fixture
def image_environment(environment: Environment) -> ContainerEnvironment:
    assert IMAGE, "WAKEE_CUDA_IMAGE names no image: run 'make test-cuda-image'"
    return ContainerEnvironment(environment.variables, environment.store, environment.folder)


def test_it_is_the_cuda_variant_and_sees_no_gpu():
    command = ["docker", "run", "--rm", "--entrypoint", "/opt/venv/bin/python3", IMAGE, "-c", PROBE]
    version, available = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert version.startswith("13.")
    assert available == "False"


def test_retraining_without_a_gpu(image_environment):
    image_environment.add_faces(range(60))

    image_environment.stage("check-targets")  # creates the Hub repository
    split = image_environment.prepare()
    tuned = image_environment.train(splits=split["splits_uri"])
    evaluated = image_environment.stage("evaluate", training=tuned["training_uri"], **FEW_PICTURES)
    exported = image_environment.stage("export-onnx", evaluation=evaluated["evaluation_uri"], parity_samples=16)

    assert tuned["device"].startswith("CPU")
    assert evaluated["promote"] is True
    assert image_environment.read(exported["onnx_uri"])[:1] == b"\x08"  # a protocol buffer's first field
