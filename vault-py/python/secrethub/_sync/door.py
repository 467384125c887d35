"""What an embedded vault and a client have in common: requests, and helpers that make them."""
# Made by twins.py from _async; change that.

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from .._native import Embedded, Remote, Reply, Secret
from ..errors import Error
from ..shapes import InitKeys, SealStatus, Token
from .audit import Audit
from .kv import Kv
from .policies import Policies
from .secrets import Secrets
from .tokens import Tokens

#: A token is renewed when so much of its life is left.
_RENEW_AT = 1 / 3


class Door:
    """Requests to a vault, with the token that they carry."""

    def __init__(self, native: Embedded | Remote, token: str | Secret | None) -> None:
        self._native = native
        self._renew_after: float | None = None
        self.token = token

    @property
    def token(self) -> Secret | None:
        """The token that requests carry."""
        return self._token

    @token.setter
    def token(self, token: str | Secret | None) -> None:
        self._token = None if token is None else Secret(token)
        self._renew_after = None

    def with_token(self, token: str | Secret | None) -> Self:
        """The same vault, asked with another token. Closing either closes both."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.token = token
        return other

    def _call(self, operation: str, path: str, fields: Mapping[str, Any] | None, seed: bool = False) -> Reply:
        if self._renew_after is not None:
            self.renew_if_needed()
        return self._native.call(operation, path, None if fields is None else dict(fields), self._token, seed)

    def read(self, path: str, /, **fields: Any) -> Reply:
        """Reads a path; the fields are Vault's query parameters."""
        return self._call("read", path, fields)

    def list(self, path: str, /, **fields: Any) -> Sequence[str]:
        """The names below a path; `NotFound` where nothing is there."""
        return (self._call("list", path, fields)).keys

    def write(self, path: str, data: Mapping[str, Any] | None = None, /, **fields: Any) -> Reply:
        """Writes to a path; fields whose names are no Python names come in `data`."""
        return self._call("update", path, {**(data or {}), **fields})

    def patch(self, path: str, data: Mapping[str, Any] | None = None, /, **fields: Any) -> Reply:
        """Merges into a path (RFC 7396: `None` removes a field)."""
        return self._call("patch", path, {**(data or {}), **fields})

    def delete(self, path: str, /, **fields: Any) -> Reply:
        """Removes a path."""
        return self._call("delete", path, fields)

    def kv(self, mount: str = "secret") -> Kv:
        """The versioned secrets of a KV version 2 mount."""
        return Kv(self, mount)

    @property
    def secrets(self) -> Secrets:
        """The first seed's interface: a value in, an id out."""
        return Secrets(self)

    @property
    def tokens(self) -> Tokens:
        """Tokens: make, look up, renew, revoke."""
        return Tokens(self)

    @property
    def policies(self) -> Policies:
        """Policies: who may do what."""
        return Policies(self)

    @property
    def audit(self) -> Audit:
        """The audit log: search and verify."""
        return Audit(self)

    def init(self, *, shares: int = 5, threshold: int | None = None, passphrase: str | Secret | None = None) -> InitKeys:
        """Makes the vault. The answer is the only copy of its keys; the root token is not taken up by itself."""
        fields: dict[str, Any] = {"secret_shares": shares, "secret_threshold": min(3, shares) if threshold is None else threshold}
        if passphrase is not None:
            fields = {"passphrase": passphrase}
        return InitKeys._of(self.write("sys/init", fields))

    def unseal(self, *shares: str | Secret) -> SealStatus:
        """Gives shares, or the passphrase, until the vault is unsealed."""
        status = self.seal_status()
        for share in shares:
            if not status.sealed:
                break
            status = SealStatus._of(self.write("sys/unseal", key=share))
        return status

    def seal(self) -> None:
        """Seals: the vault forgets its keys until it is unsealed again."""
        self.write("sys/seal")

    def seal_status(self) -> SealStatus:
        """How the seal stands; answers in every state."""
        return SealStatus._of(self._native.call("read", "sys/seal-status", None, None))

    def renew_if_needed(self) -> bool:
        """Renews the token when less than a third of its life is left; true if it did.

        A client that logged in asks this by itself before each request, so nothing runs in the background. A token that
        was not renewed in time, or that may not live longer, ends; log in again then.
        """
        due, self._renew_after = self._renew_after, None
        if due is None:
            return False
        if time.monotonic() < due:
            self._renew_after = due
            return False
        try:
            self._adopt(self.tokens.renew_self())
        except Error:
            # The token is still good for a while: the request itself will tell.
            self._renew_after = time.monotonic() + 1
            return False
        return True

    def _adopt(self, made: Token) -> None:
        self.token = made.token
        if made.renewable and made.lives > 0:
            self._renew_after = time.monotonic() + made.lives * (1 - _RENEW_AT)
