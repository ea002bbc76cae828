"""The routes under `/api`: repositories, revisions, listings, commits, branches and tags."""

import json
from typing import Any

import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wakee_contract.model import MAIN

from wakee_sandbox.hub import listing
from wakee_sandbox.hub.changes import checked_path, read_changes
from wakee_sandbox.hub.errors import bad_request
from wakee_sandbox.hub.files import is_large
from wakee_sandbox.hub.repository import RefKind
from wakee_sandbox.hub.requests import base_url, has_token, hub_of, need_token, owner_of, part, repository_of, truth


async def whoami(request: Request) -> Response:
    """The user of the token."""
    need_token(request)
    token = {"accessToken": {"displayName": "sandbox", "role": "write"}, "type": "access_token"}
    return JSONResponse({"type": "user", "id": "1", "name": owner_of(request), "orgs": [], "auth": token})


async def validate_yaml(request: Request) -> Response:
    """Whether the metadata of a model card is YAML."""
    content = str((await _json(request)).get("content", "")).replace("\r\n", "\n")
    errors = []
    if content.startswith("---\n"):
        try:
            metadata = yaml.safe_load(content[4:].split("\n---", 1)[0])
            errors = [] if isinstance(metadata, dict | None) else ["the metadata is not a mapping"]
        except yaml.YAMLError as error:
            errors = [str(error)]
    answer = {"errors": [{"message": message} for message in errors], "warnings": []}
    return JSONResponse(answer, 400 if errors else 200)


async def create_repository(request: Request) -> Response:
    """Make a repository; 409 when it is there, with its address."""
    need_token(request)
    wanted = await _json(request)
    identifier = _identifier(request, wanted)
    private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
    url = {"url": f"{base_url(request)}/{identifier}", "name": identifier}
    if identifier in hub_of(request).identifiers():
        return JSONResponse(url | {"error": "You already created this model repo"}, 409)
    await run_in_threadpool(hub_of(request).create, identifier, private, owner_of(request))
    return JSONResponse(url)


async def delete_repository(request: Request) -> Response:
    """Remove a repository."""
    need_token(request)
    await run_in_threadpool(hub_of(request).delete, _identifier(request, await _json(request)))
    return Response()


async def models(request: Request) -> Response:
    """All public repositories, all of them with the token."""
    known, hub = has_token(request), hub_of(request)
    found = [hub.repository(identifier) for identifier in hub.identifiers()]
    seen = [repository for repository in found if known or not repository.settings["private"]]
    return JSONResponse([listing.model_info(repository, repository.resolve(MAIN), False) for repository in seen])


async def model(request: Request) -> Response:
    """What there is to know of a revision."""
    repository = repository_of(request)
    commit = repository.resolve(part(request, "revision") or MAIN)
    return JSONResponse(listing.model_info(repository, commit, truth(request.query_params.get("blobs"))))


async def refs(request: Request) -> Response:
    """Branches and tags."""
    repository = repository_of(request)
    kinds: tuple[tuple[RefKind, str], ...] = (("branches", "refs/heads"), ("tags", "refs/tags"))
    answer: dict[str, Any] = {"converts": [], "pullRequests": []}
    for kind, prefix in kinds:
        named = repository.refs(kind).items()
        answer[kind] = [{"name": name, "ref": f"{prefix}/{name}", "targetCommit": oid} for name, oid in named]
    return JSONResponse(answer)


async def tree(request: Request) -> Response:
    """Files and folders of a revision."""
    repository, query = repository_of(request), request.query_params
    commit = repository.resolve(part(request, "revision"))
    flags = truth(query.get("recursive")), truth(query.get("expand"))
    return JSONResponse(await run_in_threadpool(listing.tree, repository, commit, part(request, "path"), *flags))


async def paths_info(request: Request) -> Response:
    """The files and folders among those asked for."""
    repository, form = repository_of(request), await request.form()
    commit = repository.resolve(part(request, "revision"))
    paths, expand = [str(path) for path in form.getlist("paths")], truth(str(form.get("expand")))
    return JSONResponse(await run_in_threadpool(listing.paths_info, repository, commit, paths, expand))


async def commits(request: Request) -> Response:
    """A revision's history, newest first."""
    repository = repository_of(request)
    history = await run_in_threadpool(lambda: list(repository.history(part(request, "revision"))))
    return JSONResponse(
        [
            {"id": c.oid, "title": c.title, "message": c.message, "date": c.date, "authors": [{"user": c.author}]}
            for c in history
        ]
    )


async def preupload(request: Request) -> Response:
    """Which files go by LFS, and what the branch holds of them already."""
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
    """Put a commit on a branch."""
    repository, branch = repository_of(request, writing=True), part(request, "revision")
    changes = await read_changes(request.stream(), hub_of(request).contents)
    made = await run_in_threadpool(
        repository.commit,
        branch.removeprefix("refs/heads/"),
        changes.title,
        changes.message,
        owner_of(request),
        changes.apply,
        changes.parent,
    )
    url = f"{base_url(request)}/{repository.identifier}/commit/{made.oid}"
    return JSONResponse({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


async def branch(request: Request) -> Response:
    """Make or remove a branch."""
    repository, name = repository_of(request, writing=True), part(request, "revision")
    if request.method == "DELETE":
        repository.delete_ref("branches", name)
    else:
        repository.add_ref("branches", name, (await _json(request)).get("startingPoint") or MAIN)
    return Response()


async def tag(request: Request) -> Response:
    """Make a tag on the revision of the path, or remove the tag of the path."""
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


def _identifier(request: Request, wanted: dict[str, Any]) -> str:
    if wanted.get("type", "model") not in ("model", None):
        raise bad_request("this double holds model repositories only")
    return f"{wanted.get('organization') or owner_of(request)}/{wanted.get('name')}"


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
