"""What reaches a training stage as a flag is refused for good where it makes no sense or leads out of the bucket."""

import pytest
from typer.testing import CliRunner
from wakee_train.cli import app

ADDRESSES = {
    "split-dataset": ["manifest"],
    "fine-tune": ["splits"],
    "evaluate": ["training"],
    "export-onnx": ["evaluation"],
    "upload-to-hub": ["evaluation", "export"],
    "log-to-mlflow": ["publication"],
    "update-model-versions": ["tracking"],
}
OUTSIDE = ["r2://other-bucket/key", "../key", "file:///etc/passwd", "r2://{bucket}/../other-bucket/key"]


@pytest.mark.parametrize("stage", ADDRESSES)
@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_of_the_bucket(environment, stage, address):
    address = address.format(bucket=environment.store.bucket)

    cause = environment.stage(stage, exit_code=2, **dict.fromkeys(ADDRESSES[stage], address))["cause"]

    assert address in cause


@pytest.mark.parametrize("version", ["--help", "v1' OR '1'='1", "v1\n", "$(reboot)", "../v1", "😀", ""])
def test_a_version_that_is_none(environment, version):
    cause = environment.stage("rollback", exit_code=2, version=version)["cause"]

    assert "there is no version" in cause


@pytest.mark.parametrize(
    "flag",
    [
        "epochs=-1",
        "epochs=1; reboot",
        "epochs=1e3",
        "learning-rate=nan",
        "weight-decay=inf",
        "start=../x",
        "seed=-1",
        "loss=huber",
    ],
)
def test_a_flag_out_of_its_range(environment, flag):
    arguments = ["fine-tune", f"--splits=r2://{environment.store.bucket}/absent", f"--{flag}"]

    refused = CliRunner().invoke(app, arguments, env=environment.stage_variables("fine-tune"))

    assert refused.exit_code == 2
    assert flag.partition("=")[0].replace("-", "_") in refused.output.replace("-", "_")
    assert "absent" not in refused.output
