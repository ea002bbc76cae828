"""The Hub's error responses, in the form that its client expects."""


class HubError(Exception):
    """An error response.

    Attributes:
        status: HTTP status.
        code: Value of `X-Error-Code`, by which the client selects its exception; may be empty.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def repository_not_found() -> HubError:
    """The repository does not exist, or it is private and the caller has no access."""
    return HubError(404, "Repository not found", "RepoNotFound")


def revision_not_found(revision: str) -> HubError:
    """No branch, tag or commit has this name."""
    return HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(path: str) -> HubError:
    """The revision has no such file or folder."""
    return HubError(404, f"Entry not found: {path}", "EntryNotFound")


def gated_repository(status: int) -> HubError:
    """The repository is gated: only users whose access request was approved may download its files."""
    return HubError(status, "Access to this model is restricted and you are not in the authorized list", "GatedRepo")


def forbidden(message: str) -> HubError:
    """The token is valid, but lacks the permission."""
    return HubError(403, message)


def bad_request(message: str) -> HubError:
    """The request is invalid."""
    return HubError(400, message)


def conflict(message: str) -> HubError:
    """The object to create exists already."""
    return HubError(409, message)


def wrong_token() -> HubError:
    """The token is invalid. With another message, the client would report 'repository not found'."""
    return HubError(401, "Invalid credentials in Authorization header")
