"""A vault in this process."""
# Made by twins.py from _async; change that.

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Self

from .. import _exit
from .._native import Embedded, Secret
from ..seals import Seal, Shares, _parts
from .door import Door


class Vault(Door):
    """A vault in this process, on a store of its own; its background work runs while it is open.

    It belongs to the process that opened it: after a fork, open another in the child.
    """

    _native: Embedded

    @classmethod
    def open(
        cls,
        url: str,
        *,
        seal: Seal = Shares(),
        token: str | Secret | None = None,
        mounts: Sequence[str] = ("secret",),
        audit_ttl_days: int = 0,
        connections: int | None = None,
        secret_manager: str = "token",
    ) -> Self:
        """Opens the vault that the store holds; one that is new waits for `init`, unless its seal works alone.

        `url` is `sqlite:///path/to/file`, `postgres://…`, `mongodb://…` or `memory:`. `mounts` are the KV mounts that a
        new vault begins with. `audit_ttl_days` is how long audit records are kept; 0 = for ever. `secret_manager` says
        who may use `vault.secrets`: who has a `"token"` with the right, who holds this object (`"open"`), or nobody
        (`"off"`).
        """
        kind, key = _parts(seal)
        native = Embedded.open(url, kind, key, list(mounts), audit_ttl_days, connections, secret_manager)
        vault = cls(native, token)
        _exit.close_at_exit(native)
        return vault

    def generate_root(self, *shares: str | Secret) -> Secret:
        """A new root token, made with the shares, the recovery shares, the master key or the passphrase."""
        begun = (self.write("sys/generate-root/attempt")).body
        try:
            token = self._give(shares, begun["nonce"])
        except BaseException:
            self.delete("sys/generate-root/attempt")
            raise
        otp = begun["otp"].encode()
        hidden = base64.b64decode(token + "=" * (-len(token) % 4))
        return Secret(bytes(a ^ b for a, b in zip(hidden, otp, strict=True)).decode())

    def _give(self, shares: Sequence[str | Secret], nonce: str) -> str:
        told: dict[str, Any] = {}
        for share in shares:
            told = (self.write("sys/generate-root/update", key=share, nonce=nonce)).body
            if told.get("complete"):
                return str(told["encoded_token"])
        raise ValueError(f"more shares are needed: {told.get('progress', 0)} of {told.get('required', '?')} were given")

    def close(self) -> None:
        """Seals the vault, flushes the audit log, and gives the store back. A second time it does nothing."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
