"""KV version 2: secrets whose versions are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import NotFound
from ..shapes import Metadata, Values, Version

if TYPE_CHECKING:
    from .door import AsyncDoor


class AsyncKv:
    """The secrets of one mount."""

    def __init__(self, door: AsyncDoor, mount: str) -> None:
        self._door, self._mount = door, mount.strip("/")

    def _at(self, kind: str, path: str) -> str:
        return f"{self._mount}/{kind}/{path.lstrip('/')}"

    async def put(self, path: str, data: Mapping[str, Any] | None = None, /, *, cas: int | None = None, **fields: Any) -> Version:
        """A new version with these fields. With `cas` only if the newest version is that number; 0 = must not exist."""
        return Version._of((await self._door.write(self._at("data", path), _versioned(data, cas, fields))).value("data"))

    async def get(self, path: str, *, version: int | None = None) -> Values:
        """The values of the newest version, or of another one. A deleted one is `NotFound`."""
        fields = {} if version is None else {"version": version}
        return Values._of(await self._door.read(self._at("data", path), **fields))

    async def patch(self, path: str, data: Mapping[str, Any] | None = None, /, *, cas: int | None = None, **fields: Any) -> Version:
        """A new version made of the newest and these fields; `None` removes one."""
        return Version._of((await self._door.patch(self._at("data", path), _versioned(data, cas, fields))).value("data"))

    async def delete(self, path: str, *versions: int) -> None:
        """Deletes versions, the newest where none is named, so that `undelete` brings them back."""
        if versions:
            await self._door.write(self._at("delete", path), versions=versions)
        else:
            await self._door.delete(self._at("data", path))

    async def undelete(self, path: str, *versions: int) -> None:
        """Brings deleted versions back."""
        await self._door.write(self._at("undelete", path), versions=versions)

    async def destroy(self, path: str, *versions: int) -> None:
        """Destroys the values of versions for good."""
        await self._door.write(self._at("destroy", path), versions=versions)

    async def list(self, path: str = "") -> Sequence[str]:
        """The names below a path; those that end with a slash have more below. Nothing there is an empty list."""
        try:
            return await self._door.list(self._at("metadata", path))
        except NotFound:
            return []

    async def metadata(self, path: str) -> Metadata:
        """What is known of a secret and all its versions."""
        return Metadata._of(await self._door.read(self._at("metadata", path)))

    async def put_metadata(self, path: str, /, **fields: Any) -> None:
        """Sets `max_versions`, `cas_required`, `delete_version_after`, `custom_metadata`."""
        await self._door.write(self._at("metadata", path), fields)

    async def delete_all(self, path: str) -> None:
        """Removes a secret with all its versions and what is known of it."""
        await self._door.delete(self._at("metadata", path))


def _versioned(data: Mapping[str, Any] | None, cas: int | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"data": {**(data or {}), **fields}}
    return body if cas is None else {**body, "options": {"cas": cas}}
