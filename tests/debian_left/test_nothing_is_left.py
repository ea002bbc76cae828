"""After `make cluster-down` nothing of the cluster built from Debian's packages is on this machine."""

import subprocess
from pathlib import Path

STATE = Path.home() / ".local/state/wakee-airflow/cluster"
NAMES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "etcd")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_no_process():
    commands = [
        path.read_bytes().decode().split("\0") for path in Path("/proc").glob("[0-9]*/cmdline") if _readable(path)
    ]
    ours = [command for command in commands if any("wakee-airflow" in word for word in command)]
    assert [command[0] for command in ours if Path(command[0]).name in {*NAMES, "containerd", "dnsmasq", "socat"}] == []


def _readable(path):
    try:
        return bool(path.read_bytes())
    except OSError:
        return False  # it ended meanwhile


def test_no_mount_and_no_state():
    mounts = Path("/proc/mounts").read_text()
    assert "/run/wakee-airflow" not in mounts
    assert str(STATE) not in mounts
    assert not STATE.exists()


def test_no_network_link_and_no_rule():
    assert "wakee-br0" not in output("ip", "-o", "link")
    rules = output("iptables-save")
    assert [line for line in rules.splitlines() if "KUBE-" in line or "CNI-" in line] == []
