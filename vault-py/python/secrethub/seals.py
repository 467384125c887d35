"""Who guards an embedded vault."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass

from ._native import Secret


@dataclass(frozen=True)
class Shares:
    """People with shares of a key: `init` makes them, `unseal` takes them."""


@dataclass(frozen=True)
class MasterKey:
    """A key of 32 bytes, in base64 or as they are: the vault initialises and unseals itself."""

    key: Secret

    def __init__(self, key: str | Secret) -> None:
        object.__setattr__(self, "key", Secret(key))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> MasterKey:
        """The key in a file, which is where it belongs."""
        return cls(pathlib.Path(path).read_text())


@dataclass(frozen=True)
class Passphrase:
    """A passphrase: given here, the vault initialises and unseals itself; without one, `init` and `unseal` take it."""

    text: Secret | None

    def __init__(self, text: str | Secret | None = None) -> None:
        object.__setattr__(self, "text", None if text is None else Secret(text))


Seal = Shares | MasterKey | Passphrase


def _parts(seal: Seal) -> tuple[str, Secret | None]:
    """The seal's kind and its key, as the native half takes them."""
    match seal:
        case MasterKey(key):
            return "static", key
        case Passphrase(text):
            return "passphrase", text
        case Shares():
            return "shamir", None
