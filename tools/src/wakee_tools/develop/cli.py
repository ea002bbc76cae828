"""Commands for developers and CI: `wakee test`, `lint`, `lock`, `sbom`, `audit`, `bench`, `configuration`."""

from pathlib import Path
from typing import Annotated

import typer

from wakee_tools.paths import REPO, program
from wakee_tools.shell import ToolError, call

SUITE_NAMES = "lint, unit, dags, manifests, cluster, chart, staging, nodes, debian, cuda-image, failures"


def test(suites: Annotated[list[str], typer.Argument(metavar="SUITE...", help=f"Of: {SUITE_NAMES}.")]) -> None:
    """Run test suites to the end, then print what passed and what failed.

    lint, unit, dags and manifests need no cluster. cluster, chart, staging and failures create one if there is none.
    nodes replaces it by one with three nodes. debian removes the kind cluster first, and needs root on Debian 12.
    cuda-image builds an image, which downloads about 3 GB. JUnit files are in reports/.
    """
    from wakee_tools.develop.suites import SUITES, run_suites

    if unknown := set(suites) - SUITES.keys():
        raise ToolError(f"Unknown suite {', '.join(sorted(unknown))}. Use some of {', '.join(SUITES)}.")
    run_suites(suites)


def lint() -> None:
    """Check formatting, types, shell scripts, Dockerfiles and YAML. Exits with 1 if there are findings."""
    from wakee_tools.develop.lint import lint as check

    raise typer.Exit(0 if check() else 1)


def lock() -> None:
    """Update the lock files, with hashes, of every image and of the development tools."""
    from wakee_tools.develop.lock import lock as resolve

    resolve()


def sbom(
    folder: Annotated[Path, typer.Argument(help="Folder of the files.")] = REPO / "reports" / "sbom",
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of images, train-cpu included. Default: all.")
    ] = None,
) -> None:
    """Write the software bill of materials of each image, NAME.json (CycloneDX), without building the image."""
    from wakee_tools.develop.sbom import LOCKS, write_bills

    write_bills(folder, names or list(LOCKS))


def audit() -> None:
    """Print the known vulnerabilities of all packages in the lock files.

    Exits with 0 if none is known, with 1 if some are, and with 3 if the vulnerability service does not respond. SERVICE
    is that of pip-audit: pypi or osv.
    """
    from wakee_tools.develop.audit import audit as ask

    raise typer.Exit(int(ask()))


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, in five minutes. The results are only printed.")
    ] = False,
) -> None:
    """Run every benchmark against alternative implementations.

    A full run takes two hours and writes docs/benchmarks.md and its plots. --quick needs no cluster and builds nothing.
    BEFORE is a checkout of older code, which some benchmarks compare with; by default, the commit before any
    optimization. Each can be run alone: `.venvs/drift/bin/python benchmarks/annotations.py --help`.
    """
    from wakee_tools.develop.bench import bench as measure

    measure(quick=quick)


def configuration() -> None:
    """Generate docs/configuration.md from the settings classes and the DAGs."""
    from wakee_tools.develop.environments import make_environments

    make_environments("drift")
    call(program("drift", "python"), str(Path(__file__).with_name("configuration_reference.py")))
