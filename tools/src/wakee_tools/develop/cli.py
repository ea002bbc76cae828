"""What developers and CI run: `wakee test`, `lint`, `lock`, `sbom`, `audit`, `bench`, `configuration`."""

from pathlib import Path
from typing import Annotated

import typer

from wakee_tools.paths import REPO, program
from wakee_tools.shell import ToolError, call

SUITE_NAMES = "lint, unit, dags, manifests, cluster, chart, debian, cuda-image, failures"


def test(suites: Annotated[list[str], typer.Argument(metavar="SUITE...", help=f"Of: {SUITE_NAMES}.")]) -> None:
    """Run suites to the end, then say what passed and what failed.

    lint, unit, dags and manifests need no cluster. cluster, chart and failures make one if it is not there. debian
    removes the kind cluster first, and needs root on Debian 12. cuda-image builds an image, which downloads some 3 GB.
    JUnit files are in reports/.
    """
    from wakee_tools.develop.suites import SUITES, run_suites

    if unknown := set(suites) - SUITES.keys():
        raise ToolError(f"no suite is called {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    run_suites(suites)


def lint() -> None:
    """Check formatting, types, shell, Dockerfiles and YAML; end with 1 when there is a finding."""
    from wakee_tools.develop.lint import lint as check

    raise typer.Exit(0 if check() else 1)


def lock() -> None:
    """Resolve the requirements of every image and of the development tools again, into files with hashes."""
    from wakee_tools.develop.lock import lock as resolve

    resolve()


def sbom(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = REPO / "reports" / "sbom",
    names: Annotated[list[str] | None, typer.Argument(help="Of images; by default all. train-cpu is one more.")] = None,
) -> None:
    """Write what is in each image, as CycloneDX: NAME.json for each, without building it."""
    from wakee_tools.develop.sbom import LOCKS, write_bills

    write_bills(folder, names or list(LOCKS))


def audit() -> None:
    """Print the known vulnerabilities of everything that the lock files pin.

    Ends with 0 when none is known, with 1 when some are, with 3 when the vulnerability service does not answer. SERVICE
    is pip-audit's: pypi or osv.
    """
    from wakee_tools.develop.audit import audit as ask

    raise typer.Exit(int(ask()))


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, in five minutes; prints only.")] = False,
) -> None:
    """Run every benchmark against what people would otherwise run.

    Whole, it takes two hours and writes docs/benchmarks.md and its plots. --quick needs no cluster and builds nothing.
    BEFORE is a checkout of the older code that competes, where a benchmark knows how; without it, that of before
    anything was measured. Each can be run alone: `.venvs/drift/bin/python benchmarks/annotations.py --help`.
    """
    from wakee_tools.develop.bench import bench as measure

    measure(quick=quick)


def configuration() -> None:
    """Write docs/configuration.md anew, from the settings classes and the DAGs."""
    from wakee_tools.develop.environments import make_environments

    make_environments("drift")
    call(program("drift", "python"), str(Path(__file__).with_name("configuration_reference.py")))
