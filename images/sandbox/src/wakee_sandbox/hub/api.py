"""The routes under `/api`: repositories, revisions, listings, commits, branches and tags."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wakee_contract.model import MAIN

from wakee_sandbox.hub import cards, listing
from wakee_sandbox.hub.accounts import need_membership
from wakee_sandbox.hub.changes import checked_path, read_changes
from wakee_sandbox.hub.errors import bad_request
from wakee_sandbox.hub.files import is_large
from wakee_sandbox.hub.repository import RefKind
from wakee_sandbox.hub.requests import (
    account_of,
    base_url,
    hub_of,
    need_account,
    need_download,
    part,
    repository_of,
    truth,
    visible,
)


async def whoami(request: Request) -> Response:
    """Return the user of the token."""
    account = need_account(request)
    token = {"accessToken": {"displayName": "sandbox", "role": account.role}, "type": "access_token"}
    return JSONResponse({"type": "user", "id": "1", "name": account.user, "orgs": [], "auth": token})


async def validate_yaml(request: Request) -> Response:
    """Check whether the metadata of a model card is YAML with valid fields."""
    errors = cards.problems(str((await _json(request)).get("content", "")))
    answer = {"errors": [{"message": message} for message in errors], "warnings": []}
    return JSONResponse(answer, 400 if errors else 200)


async def create_repository(request: Request) -> Response:
    """Create a repository. 409 with its URL if it exists."""
    account, wanted = need_account(request), await _json(request)
    identifier = _identifier(account.user, wanted)
    need_membership(account, identifier.partition("/")[0])
    private = bool(_private(wanted))
    url = {"url": f"{base_url(request)}/{identifier}", "name": identifier}
    if identifier in hub_of(request).identifiers():
        return JSONResponse(url | {"error": "You already created this model repo"}, 409)
    await run_in_threadpool(hub_of(request).create, identifier, private, account.user)
    return JSONResponse(url)


async def delete_repository(request: Request) -> Response:
    """Delete a repository."""
    account = need_account(request)
    identifier = _identifier(account.user, await _json(request))
    need_membership(account, identifier.partition("/")[0])
    await run_in_threadpool(hub_of(request).delete, identifier)
    return Response()


async def models(request: Request) -> Response:
    """List the repositories that the caller may see."""
    account, hub = account_of(request), hub_of(request)
    found = [hub.repository(identifier) for identifier in hub.identifiers()]
    seen = [repository for repository in found if visible(repository, account)]
    return JSONResponse([listing.model_info(repository, repository.resolve(MAIN), False) for repository in seen])


async def model(request: Request) -> Response:
    """Return the metadata of a revision."""
    repository = repository_of(request)
    commit = repository.resolve(part(request, "revision") or MAIN)
    return JSONResponse(listing.model_info(repository, commit, truth(request.query_params.get("blobs"))))


async def auth_check(request: Request) -> Response:
    """Check whether the caller may read or write a repository's files."""
    writing = request.url.path.endswith("/write")
    need_download(request, repository_of(request, writing=writing))
    return JSONResponse({})


async def configure(request: Request) -> Response:
    """Change whether a repository is private or gated."""
    repository, wanted = repository_of(request, writing=True), await _json(request)
    changes = {"private": _private(wanted), "gated": wanted.get("gated")}
    repository.configure(**{name: value for name, value in changes.items() if value is not None})
    return JSONResponse({"private": repository.settings["private"], "gated": repository.gated})


async def refs(request: Request) -> Response:
    """List branches and tags."""
    repository = repository_of(request)
    kinds: tuple[tuple[RefKind, str], ...] = (("branches", "refs/heads"), ("tags", "refs/tags"))
    answer: dict[str, Any] = {"converts": [], "pullRequests": []}
    for kind, prefix in kinds:
        named = repository.refs(kind).items()
        answer[kind] = [{"name": name, "ref": f"{prefix}/{name}", "targetCommit": oid} for name, oid in named]
    return JSONResponse(answer)


async def tree(request: Request) -> Response:
    """List files and folders of a revision."""
    repository, query = repository_of(request), request.query_params
    commit = repository.resolve(part(request, "revision"))
    flags = truth(query.get("recursive")), truth(query.get("expand"))
    return JSONResponse(await run_in_threadpool(listing.tree, repository, commit, part(request, "path"), *flags))


async def paths_info(request: Request) -> Response:
    """Describe those of the requested paths that exist."""
    repository, form = repository_of(request), await request.form()
    commit = repository.resolve(part(request, "revision"))
    paths, expand = [str(path) for path in form.getlist("paths")], truth(str(form.get("expand")))
    return JSONResponse(await run_in_threadpool(listing.paths_info, repository, commit, paths, expand))


async def commits(request: Request) -> Response:
    """List a revision's commits, newest first."""
    repository = repository_of(request)
    history = await run_in_threadpool(lambda: list(repository.history(part(request, "revision"))))
    return JSONResponse(
        [
            {"id": c.oid, "title": c.title, "message": c.message, "date": c.date, "authors": [{"user": c.author}]}
            for c in history
        ]
    )


async def preupload(request: Request) -> Response:
    """Return which files must be uploaded by LFS, and which of them the branch has already."""
    repository = repository_of(request, writing=True)
    present = repository.resolve(part(request, "revision")).tree
    files = []
    for file in (await _json(request)).get("files", []):
        path, size = checked_path(file["path"]), int(file["size"])
        old, mode = present.get(path), "lfs" if is_large(path, size) else "regular"
        oid = old.etag if old and old.large == (mode == "lfs") else None
        files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return JSONResponse({"files": files})


async def commit(request: Request) -> Response:
    """Add a commit to a branch."""
    repository, branch = repository_of(request, writing=True), part(request, "revision")
    changes = await read_changes(request.stream(), hub_of(request).contents)
    if errors := [error for text in changes.cards(repository) for error in cards.problems(text)]:
        raise bad_request(f"Invalid metadata in README.md: {'; '.join(errors)}")
    made = await run_in_threadpool(
        repository.commit,
        branch.removeprefix("refs/heads/"),
        changes.title,
        changes.message,
        need_account(request).user,
        changes.apply,
        changes.parent,
    )
    url = f"{base_url(request)}/{repository.identifier}/commit/{made.oid}"
    return JSONResponse({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


async def branch(request: Request) -> Response:
    """Create or delete a branch."""
    repository, name = repository_of(request, writing=True), part(request, "revision")
    if request.method == "DELETE":
        repository.delete_ref("branches", name)
    else:
        repository.add_ref("branches", name, (await _json(request)).get("startingPoint") or MAIN)
    return Response()


async def tag(request: Request) -> Response:
    """Create a tag for the revision in the path, or delete the tag in the path."""
    repository, name = repository_of(request, writing=True), part(request, "revision")
    if request.method == "DELETE":
        repository.delete_ref("tags", name)
    else:
        repository.add_ref("tags", str((await _json(request)).get("tag", "")), name)
    return Response()


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise bad_request(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise bad_request("not a JSON object")
    return body


def _private(wanted: dict[str, Any]) -> bool | None:
    """Whether the new repository is private, as older and newer clients send it; None if they do not send it."""
    if (visibility := wanted.get("visibility")) is not None:
        return bool(visibility == "private")
    return wanted.get("private")


def _identifier(user: str, wanted: dict[str, Any]) -> str:
    if wanted.get("type", "model") not in ("model", None):
        raise bad_request("this stand-in supports model repositories only")
    return f"{wanted.get('organization') or user}/{wanted.get('name')}"


MODEL = "/api/models/{namespace}/{name}"
REVISION = "{revision}"
ROUTES = [
    Route("/api/whoami-v2", whoami),
    Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
    Route("/api/repos/create", create_repository, methods=["POST"]),
    Route("/api/repos/delete", delete_repository, methods=["DELETE"]),
    Route("/api/models", models),
    Route(MODEL, model),
    Route(f"{MODEL}/revision/{REVISION}", model),
    Route(f"{MODEL}/auth-check", auth_check),
    Route(f"{MODEL}/auth-check/write", auth_check),
    Route(f"{MODEL}/settings", configure, methods=["PUT"]),
    Route(f"{MODEL}/refs", refs),
    Route(f"{MODEL}/tree/{REVISION}", tree),
    Route(f"{MODEL}/tree/{REVISION}/{{path:path}}", tree),
    Route(f"{MODEL}/paths-info/{REVISION}", paths_info, methods=["POST"]),
    Route(f"{MODEL}/commits/{REVISION}", commits),
    Route(f"{MODEL}/preupload/{REVISION}", preupload, methods=["POST"]),
    Route(f"{MODEL}/commit/{REVISION}", commit, methods=["POST"]),
    Route(f"{MODEL}/branch/{REVISION}", branch, methods=["POST", "DELETE"]),
    Route(f"{MODEL}/tag/{REVISION}", tag, methods=["POST", "DELETE"]),
]
