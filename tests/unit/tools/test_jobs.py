"""Jobs side by side: all succeed, or all end, with everything that they started."""

import signal
import subprocess
import sys
import time

import pytest

from support.waiting import wait_for
from wakee_tools.jobs import run_together
from wakee_tools.shell import ToolError

FOREVER = "while :; do sleep 1; done"


def shell(script):
    return ["sh", "-c", script]


def runs(pid):
    """Whether there is such a process, other than one that ended and waits to be collected."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(listed.strip()) and not listed.startswith("Z")


def test_both_run_to_their_ends(tmp_path):
    run_together(shell(f"touch {tmp_path}/one"), shell(f"sleep 0.3; touch {tmp_path}/two"))
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}


def test_they_run_at_the_same_time(tmp_path):
    meet = "touch {0}/{1}; until [ -e {0}/{2} ]; do sleep 0.05; done"
    run_together(shell(meet.format(tmp_path, "one", "two")), shell(meet.format(tmp_path, "two", "one")))


def test_when_one_fails_the_other_ends_with_its_children(tmp_path):
    child = tmp_path / "child"
    long = f"sh -c 'echo $$ >{child}.part; mv {child}.part {child}; {FOREVER}' & wait"
    start = time.monotonic()

    with pytest.raises(ToolError, match="failed with exit code 3"):
        run_together(shell(f"until [ -e {child} ]; do sleep 0.05; done; exit 3"), shell(long))

    assert time.monotonic() - start < 10
    wait_for(lambda: not runs(int(child.read_text())), 10, "the end of the other job's child")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_it_leaves_no_process(tmp_path, number):
    child = tmp_path / "child"
    long = f"echo $$ >{child}.part; mv {child}.part {child}; {FOREVER}"
    program = (
        "import signal, sys\nfrom wakee_tools.jobs import run_together\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        # Where the tests themselves run in the background of a shell, Ctrl-C is ignored, which children inherit.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"run_together(['sh', '-c', {long!r}])"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    wait_for(child.exists, 20, "the job")

    parent.send_signal(number)

    assert parent.wait(20) != 0
    wait_for(lambda: not runs(int(child.read_text())), 10, "the end of the job")
