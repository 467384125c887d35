"""The audit log: what was done, by whom, and whether the record is whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from ..shapes import AuditPage

if TYPE_CHECKING:
    from .door import AsyncDoor


class AsyncAudit:
    """Records of every request."""

    def __init__(self, door: AsyncDoor) -> None:
        self._door = door

    async def page(self, *, cursor: str | None = None, limit: int = 100, **search: Any) -> AuditPage:
        """One page of records, newest first.

        `search` is any of `since`, `until` (RFC 3339), `actor`, `path` (a prefix), `operation`, `status`,
        `request_id`, `secret_id`: all that are given must match.
        """
        # `from` is no name in Python.
        names = {"since": "from", "until": "to"}
        fields = {names.get(name, name): value for name, value in search.items() if value is not None}
        fields |= {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}
        return AuditPage._of(await self._door.read("audit/records", **fields))

    async def search(self, **search: Any) -> AsyncIterator[Mapping[str, Any]]:
        """All records that match, page by page."""
        cursor: str | None = None
        while True:
            page = await self.page(cursor=cursor, **search)
            for record in page.records:
                yield record
            cursor = page.next
            if cursor is None:
                return

    async def verify(self, checkpoint: str | None = None) -> Mapping[str, Any]:
        """Verifies all chains and checkpoints, against a checkpoint that was held outside, if there is one."""
        fields = {} if checkpoint is None else {"checkpoint": checkpoint}
        found: dict[str, Any] = (await self._door.write("audit/verify", fields)).data
        return found

    async def checkpoint(self) -> str:
        """The newest checkpoint, to be held outside the store."""
        return str((await self._door.read("audit/checkpoint")).value("data", "checkpoint"))

    async def public_key(self) -> str:
        """The key that verifies checkpoints and archives with no trust in the vault."""
        return str((await self._door.read("audit/public-key")).value("data", "public_key"))
