"""Policies: who may do what. Each is a text in Vault's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .door import AsyncDoor


class AsyncPolicies:
    """Written policies, by name."""

    def __init__(self, door: AsyncDoor) -> None:
        self._door = door

    async def put(self, name: str, policy: str) -> None:
        """Writes a policy; the next request of every token that has it sees it."""
        await self._door.write(f"sys/policies/acl/{name}", policy=policy)

    async def get(self, name: str) -> str:
        """The text of a policy."""
        return str((await self._door.read(f"sys/policies/acl/{name}")).value("data", "policy"))

    async def list(self) -> Sequence[str]:
        """The names of all policies."""
        return await self._door.list("sys/policies/acl")

    async def delete(self, name: str) -> None:
        """Removes a policy."""
        await self._door.delete(f"sys/policies/acl/{name}")
