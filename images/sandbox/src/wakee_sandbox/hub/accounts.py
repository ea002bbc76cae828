"""Accounts by token, and their permissions, as on the Hub."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from wakee_sandbox.hub.errors import forbidden
from wakee_sandbox.hub.repository import Repository


class Account(BaseModel):
    """The account of a token.

    Attributes:
        user: Name of the user.
        role: Role of the token.
        everywhere: Whether the user is a member of every namespace, not only of their own.
        sees_private: False for a fine-grained token without private repositories in its scope.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str
    role: Literal["read", "write"] = "write"
    everywhere: bool = False
    sees_private: bool = True

    def is_member(self, namespace: str) -> bool:
        """Whether the user belongs to a namespace."""
        return self.everywhere or namespace == self.user

    def sees(self, repository: Repository) -> bool:
        """Whether a repository is visible to the token."""
        mine = self.is_member(repository.namespace) and self.sees_private
        return mine or not repository.settings["private"]

    def may_write(self, repository: Repository) -> bool:
        """Whether the token may change a repository."""
        return self.role == "write" and self.is_member(repository.namespace) and self.sees(repository)

    def may_download(self, repository: Repository) -> bool:
        """Whether the token may download the files of a repository that it sees."""
        return not repository.gated or self.is_member(repository.namespace)


def need_role(account: Account) -> None:
    """Require a token with write permission.

    Raises:
        HubError: the token may only read.
    """
    if account.role != "write":
        raise forbidden("You don't have the required permissions to perform this action: use a write token")


def need_membership(account: Account, namespace: str) -> None:
    """Require a token that may create repositories in a namespace.

    Raises:
        HubError: the token may not.
    """
    need_role(account)
    if not account.is_member(namespace):
        raise forbidden(f"You don't have the rights to create a model under the namespace {namespace!r}")
