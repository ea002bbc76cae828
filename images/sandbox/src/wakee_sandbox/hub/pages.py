"""Simple HTML pages, so that links to a repository or a commit work."""

from html import escape
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from wakee_contract.model import MAIN

from wakee_sandbox.hub.repository import Commit, Repository
from wakee_sandbox.hub.requests import hub_of, part, repository_of

STYLE = "body{font:15px sans-serif;max-width:60em;margin:2em auto}td{padding:.2em 1em .2em 0}code{color:#555}"


async def index(request: Request) -> Response:
    """List all public repositories."""
    found = [hub_of(request).repository(identifier) for identifier in hub_of(request).identifiers()]
    rows = [_row(_link(f"/{r.identifier}", r.identifier)) for r in found if not r.settings["private"]]
    return _page("Sandbox Hub", "<p>A stand-in for the Hugging Face Hub.</p>" + _table(rows))


async def revision(request: Request) -> Response:
    """Show files, branches, tags and commits of a revision."""
    repository = repository_of(request)
    name = part(request, "revision") or MAIN
    commit = repository.resolve(name)
    files = [_file_row(repository, commit, path) for path in sorted(commit.tree)]
    title = f"{repository.identifier} at {name}"
    sections = {"Files": files, "Branches and tags": _refs(repository), "Commits": _commits(repository, commit.oid)}
    return _page(title, "".join(f"<h2>{heading}</h2>{_table(rows)}" for heading, rows in sections.items()))


async def blob(request: Request) -> Response:
    """Redirect a file's page to the file."""
    place = (part(request, name) for name in ("namespace", "name"))
    where = f"{quote(part(request, 'revision'), safe='')}/{quote(part(request, 'path'))}"
    return RedirectResponse(f"/{'/'.join(place)}/resolve/{where}")


def _file_row(repository: Repository, commit: Commit, path: str) -> str:
    entry = commit.tree[path]
    url = f"/{repository.identifier}/resolve/{commit.oid}/{quote(path)}"
    return _row(_link(url, path), f"{entry.size:,} bytes", f"<code>{entry.sha256[:12]}</code>")


def _refs(repository: Repository) -> list[str]:
    named = [*repository.refs("branches").items(), *repository.refs("tags").items()]
    return [_row(_link(_tree_url(repository, name), name), f"<code>{oid[:12]}</code>") for name, oid in named]


def _commits(repository: Repository, oid: str) -> list[str]:
    return [
        _row(_link(_tree_url(repository, c.oid), c.oid[:12]), escape(c.title), escape(c.author), escape(c.date))
        for c in repository.history(oid)
    ]


def _tree_url(repository: Repository, name: str) -> str:
    return f"/{repository.identifier}/tree/{quote(name, safe='')}"


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}">{escape(text)}</a>'


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _table(rows: list[str]) -> str:
    return f"<table>{''.join(rows)}</table>"


def _page(title: str, body: str) -> Response:
    head = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    return HTMLResponse(f"{head}<h1>{escape(title)}</h1>{body}")


REPOSITORY = "/{namespace}/{name}"
ROUTES = [
    Route("/", index),
    Route(REPOSITORY, revision),
    *(Route(f"{REPOSITORY}/{kind}/{{revision}}", revision) for kind in ("tree", "commit", "commits")),
    Route(f"{REPOSITORY}/blob/{{revision}}/{{path:path}}", blob),
]
