"""The first seed's interface: store a value, get an id; give the id, get the value."""
# Made by twins.py from _async; change that.

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from .._native import Secret

if TYPE_CHECKING:
    from .door import Door


class Secrets:
    """Values under ids that the vault makes."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def create(self, value: str | bytes | Secret) -> str:
        """Stores a value, at most 1 MiB, and gives its id."""
        secret = Secret(value)
        text = base64.b64encode(secret.reveal_bytes()).decode()
        reply = self._door._call("update", "secret-manager/create", {"secret": text}, seed=True)
        return str(reply.value("data", "secret_id"))

    def fetch(self, secret_id: str) -> Secret:
        """The value of an id, as bytes: `.reveal_bytes()`."""
        reply = self._door._call("update", "secret-manager/fetch", {"secret_id": secret_id}, seed=True)
        return Secret(base64.b64decode(reply.value("data", "secret")))
