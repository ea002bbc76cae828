"""Apply objects in waves, and wait for them."""

from wakee_tools.deploy.kustomization import FOLDER
from wakee_tools.shell import ToolError, answer, last_lines, output, print_lines, succeeds

SECONDS = 180


def wave(selector: str) -> tuple[str, ...]:
    """Kubectl's options for the objects of one wave of the local kustomization."""
    return ("-k", str(FOLDER), "--selector", selector)


def apply(*source: str) -> None:
    """Apply objects, and print those that changed.

    Args:
        source: kubectl's options for the objects, such as `-f FILE`.
    """
    applied = output("kubectl", "apply", *source)
    print_lines("\n".join(line for line in applied.splitlines() if "unchanged" not in line))


def wait_for(namespace: str, *names: str, seconds: int = SECONDS) -> None:
    """Wait until objects (`kind/name`) are ready, for at most so many seconds each.

    Raises:
        ToolError: an object is not ready in time. Its state and logs have been printed.
    """
    for name in names:
        if not succeeds("kubectl", "-n", namespace, *_waiting(name), f"--timeout={seconds}s"):
            _print_state(namespace, name)
            raise ToolError(f"{name} in namespace {namespace} did not become ready within {seconds} s")


def _waiting(name: str) -> tuple[str, ...]:
    return ("wait", "--for=condition=complete", name) if name.startswith("job/") else ("rollout", "status", name)


def _print_state(namespace: str, name: str) -> None:
    kubectl = ("kubectl", "-n", namespace)
    print_lines(answer(*kubectl, "get", "pods").stdout)
    print_lines(last_lines(answer(*kubectl, "describe", name).stdout, 15))
    logs = answer(*kubectl, "logs", name, "--all-containers", "--tail=20")
    print_lines(logs.stdout + logs.stderr)


def replace_changed_jobs(source: tuple[str, ...], *jobs: str) -> None:
    """Delete jobs (`namespace/name`) if an object that is applied with them has changed, because a job is immutable.

    Without a change, a finished job need not run again.

    Args:
        source: kubectl's options for the objects.
        jobs: The jobs among them.
    """
    for job in jobs:
        if not succeeds("kubectl", "diff", *source):
            namespace, _, name = job.partition("/")
            output("kubectl", "-n", namespace, "delete", "job", name, "--ignore-not-found")
