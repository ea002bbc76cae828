"""What the Hub refuses, in the form in which its client understands a refusal."""


class HubError(Exception):
    """A refusal.

    Attributes:
        status: HTTP status.
        code: Value of `X-Error-Code`, by which the client picks its exception; may be empty.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def repository_not_found() -> HubError:
    """There is no such repository, or it is private and the caller has no token."""
    return HubError(404, "Repository not found", "RepoNotFound")


def revision_not_found(revision: str) -> HubError:
    """No branch, tag or commit has this name."""
    return HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(path: str) -> HubError:
    """The revision holds no such file or folder."""
    return HubError(404, f"Entry not found: {path}", "EntryNotFound")


def gated_repository(status: int) -> HubError:
    """The repository exists, and its files are for those who asked and were let in."""
    return HubError(status, "Access to this model is restricted and you are not in the authorized list", "GatedRepo")


def forbidden(message: str) -> HubError:
    """The token is known, and may not do this."""
    return HubError(403, message)


def bad_request(message: str) -> HubError:
    """The request itself makes no sense."""
    return HubError(400, message)


def conflict(message: str) -> HubError:
    """What should be made is there already."""
    return HubError(409, message)


def wrong_token() -> HubError:
    """The wording keeps the client from reading this as 'repository not found'."""
    return HubError(401, "Invalid credentials in Authorization header")
