"""What Evidently requires and we leave out of the image is not there in the tests either, so they prove that we can."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

OVERRIDES = Path(__file__).parents[3] / "images" / "drift" / "overrides.txt"
LEFT_OUT = [line.split(";")[0] for line in OVERRIDES.read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("package", LEFT_OUT)
def test_left_out_of_the_environment(package):
    with pytest.raises(PackageNotFoundError):
        version(package)
