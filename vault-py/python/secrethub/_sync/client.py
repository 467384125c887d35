"""A client of a server: SecretHub's, or any that speaks Vault's API."""
# Made by twins.py from _async; change that.

from __future__ import annotations

import os
from typing import Any, Self

from .. import _exit
from .._native import Remote, Secret
from ..shapes import Token
from .door import Door


class Client(Door):
    """A client of a server.

    A request is sent again only when nothing can have happened: the connection was refused, or the server said when to
    come again (429 or 503 with `Retry-After`, up to 5 s). What only reads is sent again also when the connection broke.
    `attempts` bounds it, the first time included.
    """

    _native: Remote

    def __init__(
        self,
        address: str = "http://127.0.0.1:8200",
        *,
        token: str | Secret | None = None,
        namespace: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        verify: bool = True,
        timeout: float = 60.0,
        attempts: int = 3,
    ) -> None:
        """Sets the client up; nothing is sent yet. Without `verify` whoever sits on the wire reads every secret."""
        super().__init__(Remote(address, namespace, ca_file, verify, timeout, attempts), token)
        _exit.close_at_exit(self._native)

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """A client as the command line sets itself up: `SECRETHUB_ADDR`, `SECRETHUB_TOKEN`, `SECRETHUB_CACERT`,
        `SECRETHUB_NAMESPACE`, or Vault's names for them. What is given here comes first.
        """
        names = {"address": "ADDR", "token": "TOKEN", "ca_file": "CACERT", "namespace": "NAMESPACE"}
        for name, end in names.items():
            found = os.environ.get(f"SECRETHUB_{end}") or os.environ.get(f"VAULT_{end}")
            if found:
                settings.setdefault(name, found)
        return cls(**settings)

    def login(self, path: str, /, **fields: Any) -> Token:
        """Logs in at any path, such as `auth/userpass/login/me`, and goes on with the token that comes of it."""
        reply = self._native.call("update", path, fields, None)
        made = Token._of(reply)
        self._adopt(made)
        return made

    def login_approle(self, role_id: str, secret_id: str | Secret, *, mount: str = "approle") -> Token:
        """Logs in as a role, with the secret that was given out for it."""
        return self.login(f"auth/{mount.strip('/')}/login", role_id=role_id, secret_id=secret_id)

    def login_userpass(self, username: str, password: str | Secret, *, mount: str = "userpass") -> Token:
        """Logs in as a person with a password."""
        return self.login(f"auth/{mount.strip('/')}/login/{username}", password=password)

    def close(self) -> None:
        """Ends the connections. The token stays good: `tokens.revoke()` ends it."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
