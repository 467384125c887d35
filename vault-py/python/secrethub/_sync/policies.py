"""Policies: who may do what. Each is a text in Vault's language."""
# Made by twins.py from _async; change that.

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .door import Door


class Policies:
    """Written policies, by name."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def put(self, name: str, policy: str) -> None:
        """Writes a policy; the next request of every token that has it sees it."""
        self._door.write(f"sys/policies/acl/{name}", policy=policy)

    def get(self, name: str) -> str:
        """The text of a policy."""
        return str((self._door.read(f"sys/policies/acl/{name}")).value("data", "policy"))

    def list(self) -> Sequence[str]:
        """The names of all policies."""
        return self._door.list("sys/policies/acl")

    def delete(self, name: str) -> None:
        """Removes a policy."""
        self._door.delete(f"sys/policies/acl/{name}")
