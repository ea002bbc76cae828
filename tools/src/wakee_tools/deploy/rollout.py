"""Apply objects in waves, and wait for them."""

from wakee_tools.deploy.kustomization import FOLDER
from wakee_tools.shell import ToolError, answer, last_lines, output, print_lines, succeeds

SECONDS = 180


def apply(selector: str) -> None:
    """Apply the objects of one wave, and print those that changed."""
    applied = output("kubectl", "apply", "-k", str(FOLDER), "--selector", selector)
    print_lines("\n".join(line for line in applied.splitlines() if "unchanged" not in line))


def wait_for(namespace: str, *names: str) -> None:
    """Wait until objects (`kind/name`) are ready.

    Raises:
        ToolError: an object is not ready in time. Its state and logs have been printed.
    """
    for name in names:
        if not succeeds("kubectl", "-n", namespace, *_waiting(name), f"--timeout={SECONDS}s"):
            _print_state(namespace, name)
            raise ToolError(f"{name} in namespace {namespace} did not become ready within {SECONDS} s")


def _waiting(name: str) -> tuple[str, ...]:
    return ("wait", "--for=condition=complete", name) if name.startswith("job/") else ("rollout", "status", name)


def _print_state(namespace: str, name: str) -> None:
    kubectl = ("kubectl", "-n", namespace)
    print_lines(answer(*kubectl, "get", "pods").stdout)
    print_lines(last_lines(answer(*kubectl, "describe", name).stdout, 15))
    logs = answer(*kubectl, "logs", name, "--all-containers", "--tail=20")
    print_lines(logs.stdout + logs.stderr)


def replace_changed_jobs(selector: str, *jobs: str) -> None:
    """Delete jobs (`namespace/name`) if an object of their wave has changed, because a job is immutable.

    Without a change, a finished job need not run again.
    """
    for job in jobs:
        if not succeeds("kubectl", "diff", "-k", str(FOLDER), "--selector", selector):
            namespace, _, name = job.partition("/")
            output("kubectl", "-n", namespace, "delete", "job", name, "--ignore-not-found")
