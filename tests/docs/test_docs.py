"""Links lead somewhere, commands exist, and the configuration reference is the code's."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
PAGES = sorted(
    REPO / name
    for name in subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=REPO, check=True, capture_output=True, text=True
    ).stdout.split()
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def name(page):
    return str(page.relative_to(REPO))


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets():
    return set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page):
    commands = " ".join(CODE.findall(page.read_text()))
    named = re.findall(r"\bmake ((?:[a-z-]+[ `\n])+)", f"{commands} ")
    used = {word for words in named for word in words.replace("`", " ").split()}
    assert used <= targets()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_named_in_code_exist(page):
    """Paths of this repository in back quotes, e.g. `tools/bootstrap.py`."""
    folders = "|".join(path.name for path in REPO.iterdir() if path.is_dir() and not path.name.startswith("."))
    text = FENCE.sub("", page.read_text())
    paths = re.findall(rf"`((?:{folders})/[\w./-]+)`", text)
    assert [path for path in paths if not (REPO / path).exists() and path not in {"reports/sbom"}] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_fences_are_closed(page):
    assert page.read_text().count("```") % 2 == 0


def test_the_configuration_reference_is_in_step():
    subprocess.run([sys.executable, REPO / "tools/bootstrap.py", "drift"], check=True, capture_output=True)
    made = subprocess.run(
        [REPO / ".venvs/drift/bin/python", REPO / "tools/src/wakee_tools/develop/configuration_reference.py", "-"],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout == (REPO / "docs/configuration.md").read_text(), "run 'make configuration'"


def test_the_docs_name_every_variable_of_the_kind_overlay():
    reference = (REPO / "docs/configuration.md").read_text()
    lines = (REPO / "k8s/overlays/kind/config.env").read_text().splitlines()
    names = {line.split("=")[0] for line in lines if line and not line.startswith("#")} - {"HF_HUB_DISABLE_XET"}
    assert {variable for variable in names if f"`{variable}`" not in reference} == set()


def failure_modes():
    """How the row of each case in the tables of tests/failure_modes begins; with its state where that is success."""
    for path in sorted((REPO / "tests" / "failure_modes").glob("test_*.py")):
        module = importlib.import_module(f"failure_modes.{path.stem}")
        lasting = getattr(module, "CASES", []) if hasattr(module, "IN_THE_MIDDLE") else []
        passing = getattr(module, "IN_THE_MIDDLE", getattr(module, "CASES", []))
        yield from (f"| `{module.DAG}` | {case.fault} | `{case.hit}` |" for case in lasting)
        yield from (f"| `{module.DAG}` | {case.fault} | `{case.hit}` | success |" for case in passing)


def test_every_failure_mode_is_in_the_table():
    cases = set(failure_modes())
    page = (REPO / "docs" / "failure-modes.md").read_text()
    assert len(cases) > 30
    assert {case for case in cases if case not in page} == set()
