"""Packages are installed by one at a time: the command, a thread of it, or the cluster's scripts."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from wakee_tools import locks, packages
from wakee_tools.paths import REPO
from wakee_tools.shell import ToolError

DPKG_QUERY = """#!/bin/sh
for name; do :; done
test ! -e {installed}/"$name" || echo "install ok installed"
"""
APT_GET = """#!/bin/sh
case "$*" in *update*) exit 0 ;; esac
mkdir {busy} || {{ echo "Could not get lock" >&2; exit 100; }}
sleep 0.2
for name; do :; done
touch {installed}/"$name"
echo "$name" >>{calls}
rmdir {busy}
"""
SCRIPT = f". {REPO}/tools/debian-cluster/lib.sh; install_packages alpha"


@pytest.fixture
def installs(tmp_path, monkeypatch):
    """A function: which packages were installed, in order, on a machine whose apt-get bears one caller at a time."""
    programs, installed, calls = tmp_path / "bin", tmp_path / "installed", tmp_path / "calls"
    programs.mkdir()
    installed.mkdir()
    places = {"installed": installed, "calls": calls, "busy": tmp_path / "busy"}
    for name, text in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET), ("dpkg", "#!/bin/sh\n")):
        (programs / name).write_text(text.format(**places))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(locks, "CACHE", tmp_path / "wakee-airflow")
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    return lambda: calls.read_text().split() if calls.exists() else []


def test_threads_install_a_package_once(installs):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(packages.install_packages, ["alpha"] * 3))
    assert installs() == ["alpha"]


@pytest.mark.skipif(packages.os.geteuid() != 0, reason="the cluster's scripts install as root only")
def test_scripts_and_command_wait_for_each_other(installs):
    scripts = [subprocess.Popen(["bash", "-c", SCRIPT]) for _ in range(2)]
    packages.install_packages("beta")
    assert [script.wait() for script in scripts] == [0, 0]
    assert sorted(installs()) == ["alpha", "beta"]


def test_what_cannot_be_installed_is_named(installs, monkeypatch):
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    with pytest.raises(ToolError, match=r"Packages are missing: alpha\. Install them, or run as root"):
        packages.install_packages("alpha")
    assert installs() == []
