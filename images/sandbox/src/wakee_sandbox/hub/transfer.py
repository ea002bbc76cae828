"""Upload (LFS) and download (resolve) of files."""

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from wakee_sandbox.hub.errors import HubError, bad_request, entry_not_found
from wakee_sandbox.hub.repository import entry_at
from wakee_sandbox.hub.requests import base_url, hub_of, need_download, part, repository_of

LFS_TYPE = "application/vnd.git-lfs+json"


async def lfs_batch(request: Request) -> Response:
    """Return the upload URL of each object; none for objects that are stored already."""
    repository_of(request, writing=True)
    wanted = await request.json()
    if wanted.get("operation") != "upload":
        raise bad_request("only uploads use LFS. Download with resolve")
    objects = [_instructions(request, str(item["oid"]), int(item["size"])) for item in wanted["objects"]]
    return JSONResponse({"transfer": "basic", "objects": objects}, media_type=LFS_TYPE)


async def lfs_verify(request: Request) -> Response:
    """Check that an object was uploaded."""
    repository_of(request, writing=True)
    wanted = await request.json()
    path = hub_of(request).contents.path(str(wanted["oid"]))
    if not path.exists() or path.stat().st_size != wanted["size"]:
        raise HubError(404, "LFS object is missing or has another size")
    return JSONResponse({}, media_type=LFS_TYPE)


async def lfs_upload(request: Request) -> Response:
    """Receive an object. `lfs_batch` signed the URL, because the client sends no token here."""
    oid = part(request, "oid")
    if not hmac.compare_digest(request.query_params.get("signature", ""), _signature(request, oid)):
        raise HubError(403, "the upload's address is not signed by this server")
    await hub_of(request).contents.receive(oid, request.stream())
    return Response()


async def resolve(request: Request) -> Response:
    """Send a file of a revision, or a range of it. The client first requests the headers, by HEAD."""
    repository = repository_of(request)
    need_download(request, repository)
    commit = repository.resolve(part(request, "revision"))
    headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
    path = part(request, "path")
    if path not in commit.tree:
        error = entry_not_found(path)
        told = headers | {"X-Error-Code": error.code, "X-Error-Message": "Entry not found"}
        return JSONResponse({"error": str(error)}, error.status, told)
    entry = entry_at(commit, path)
    headers["ETag"] = f'"{entry.etag}"'
    if entry.large:
        headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(entry.size)}
    return FileResponse(hub_of(request).contents.path(entry.sha256), headers=headers, filename=path.split("/")[-1])


def _instructions(request: Request, oid: str, size: int) -> dict[str, object]:
    found = {"oid": oid, "size": size}
    if hub_of(request).contents.has(oid):
        return found
    lfs = str(request.url.path).removesuffix("/batch")
    upload = {"href": f"{base_url(request)}/_lfs/{oid}?signature={_signature(request, oid)}"}
    return found | {"actions": {"upload": upload, "verify": {"href": f"{base_url(request)}{lfs}/verify"}}}


def _signature(request: Request, oid: str) -> str:
    return hmac.new(request.app.state.token.encode(), oid.encode(), hashlib.sha256).hexdigest()


LFS = "/{namespace}/{name}.git/info/lfs/objects"
ROUTES = [
    Route(f"{LFS}/batch", lfs_batch, methods=["POST"]),
    Route(f"{LFS}/verify", lfs_verify, methods=["POST"]),
    Route("/_lfs/{oid}", lfs_upload, methods=["PUT"]),
    Route("/{namespace}/{name}/resolve/{revision}/{path:path}", resolve, methods=["GET", "HEAD"]),
]
