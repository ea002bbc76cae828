"""Checks of formatting, lint, types, shell scripts, Dockerfiles, YAML and workflows."""

import os

from wakee_tools.develop.environments import make_environments
from wakee_tools.paths import REPO, program
from wakee_tools.shell import output, say, status

CONTRACT = "images/contract/src"
COMMON = f"{CONTRACT}:images/common/src"
TOOLS = "tools/src"
TYPES = (
    # Environment, search path, checked packages. Each package is checked with the libraries of its own environment.
    ("drift", CONTRACT, (f"{CONTRACT}/wakee_contract",)),
    ("drift", COMMON, ("images/common/src/wakee_common",)),
    ("drift", f"{COMMON}:images/drift/src", ("images/drift/src/wakee_drift",)),
    ("sandbox", f"{COMMON}:images/sandbox/src", ("images/sandbox/src/wakee_sandbox",)),
    ("health", f"{COMMON}:images/health/src", ("images/health/src/wakee_health",)),
    ("train", f"{COMMON}:images/train/src", ("images/train/src/wakee_train",)),
    ("airflow", f"{CONTRACT}:dags", ("dags",)),
    ("dev", f"{TOOLS}:dags:{COMMON}", (f"{TOOLS}/wakee_tools",)),
    ("dev", "tools", ("tools/bootstrap.py",)),
)
SHELL_PROGRAMS = ("images/airflow/entrypoint", "images/airflow/clean-logs")
"""Shell scripts without a file extension."""


def lint() -> bool:
    """Run all checks and print the findings. Returns whether there are none."""
    make_environments("airflow", "drift", "health", "sandbox", "train")
    return all([_format_and_lint(), _types(), _others()])


def _format_and_lint() -> bool:
    return all([_check("ruff", "format", "--check", "-q", "."), _check("ruff", "check", "-q", ".")])


def _types() -> bool:
    checked = [types(*row) for row in TYPES]  # a list, so that all are checked even after a finding
    return all(checked)


def types(environment: str, search_path: str, checked: tuple[str, ...]) -> bool:
    """Check the types of packages with the libraries of an environment. Returns whether there are no findings."""
    python = program(environment, "python")
    command = ("mypy", "--no-error-summary", "--python-executable", python, *checked)
    return _check(*command, MYPYPATH=search_path)


def _others() -> bool:
    scripts, dockerfiles = _files("*.sh"), _files("*Dockerfile")
    return all(
        [
            _check("shellcheck", "-x", "-P", "SCRIPTDIR", "-e", "SC1091", *scripts, *SHELL_PROGRAMS),
            _check("hadolint", *dockerfiles),
            _check("yamllint", "-s", "."),
            *_github(),
        ]
    )


def _github() -> list[bool]:
    """Check the files of GitHub: schemas, and the security of workflows."""
    workflows = _files(".github/workflows/*.yaml")
    schemas = {"vendor.github-workflows": workflows, "vendor.dependabot": _files(".github/dependabot.yml")}
    checked = [_check("check-jsonschema", "-q", "--builtin-schema", name, *files) for name, files in schemas.items()]
    return [*checked, _check("zizmor", "--offline", "--quiet", *workflows)]


def _files(pattern: str) -> list[str]:
    return output("git", "ls-files", pattern, cwd=REPO).splitlines()


def _check(name: str, *arguments: str, **variables: str) -> bool:
    code = status(program("dev", name), *arguments, cwd=REPO, env=os.environ | variables)
    if code:
        say(f"failed: {' '.join([name, *arguments])}")
    return code == 0
