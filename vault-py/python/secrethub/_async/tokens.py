"""Tokens: who may come to the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._native import Secret
from ..shapes import Token, TokenInfo

if TYPE_CHECKING:
    from .door import AsyncDoor


class AsyncTokens:
    """Makes tokens and ends them."""

    def __init__(self, door: AsyncDoor) -> None:
        self._door = door

    async def create(
        self,
        *,
        policies: Sequence[str] | None = None,
        ttl: str | int | None = None,
        num_uses: int | None = None,
        orphan: bool = False,
        role: str | None = None,
        meta: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Token:
        """A new token: a child of one's own, unless `orphan`. Further fields are Vault's."""
        named = {"policies": policies, "ttl": ttl, "num_uses": num_uses, "meta": meta}
        fields |= {name: value for name, value in named.items() if value is not None}
        path = f"auth/token/create/{role}" if role else "auth/token/create-orphan" if orphan else "auth/token/create"
        return Token._of(await self._door.write(path, fields))

    async def lookup(self, token: str | Secret | None = None) -> TokenInfo:
        """What is known of a token, of one's own where none is given."""
        if token is None:
            return TokenInfo._of(await self._door.read("auth/token/lookup-self"))
        return TokenInfo._of(await self._door.write("auth/token/lookup", token=token))

    async def renew_self(self, increment: str | int | None = None) -> Token:
        """Lets one's own token live longer."""
        fields = {} if increment is None else {"increment": increment}
        return Token._of(await self._door.write("auth/token/renew-self", fields))

    async def revoke(self, token: str | Secret | None = None) -> None:
        """Ends a token and all its children; one's own where none is given."""
        if token is None:
            await self._door.write("auth/token/revoke-self")
        else:
            await self._door.write("auth/token/revoke", token=token)

    async def revoke_accessor(self, accessor: str) -> None:
        """Ends the token that an accessor names, and all its children."""
        await self._door.write("auth/token/revoke-accessor", accessor=accessor)
