"""What the vault answers, as types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._native import Reply, Secret


@dataclass(frozen=True)
class InitKeys:
    """What init hands out, once and never again: it is the only copy."""

    shares: Sequence[Secret]
    root_token: Secret

    @classmethod
    def _of(cls, reply: Reply) -> InitKeys:
        shares = [reply.secret("keys_base64", place) for place in range(len(reply.value("keys_base64") or ()))]
        return cls(shares, reply.secret("root_token"))


@dataclass(frozen=True)
class SealStatus:
    """How the seal stands."""

    #: `shamir`, `static` or `passphrase`.
    type: str
    initialized: bool
    sealed: bool
    #: Shares that unseal, shares there are, shares given so far.
    threshold: int
    shares: int
    progress: int
    version: str
    #: `sqlite`, `memory`, `postgresql`, `mongodb`.
    storage_type: str
    #: Of an unsealed vault; the same on every node.
    cluster_id: str | None

    @classmethod
    def _of(cls, reply: Reply) -> SealStatus:
        body: dict[str, Any] = reply.body
        return cls(
            type=body["type"],
            initialized=body["initialized"],
            sealed=body["sealed"],
            threshold=body["t"],
            shares=body["n"],
            progress=body["progress"],
            version=body["version"],
            storage_type=body["storage_type"],
            cluster_id=body.get("cluster_id") or None,
        )


@dataclass(frozen=True)
class Version:
    """A version of a secret, and what is known of it; its values are elsewhere."""

    number: int
    created: str
    #: When it was or will be deleted.
    deleted: str | None
    destroyed: bool
    custom_metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def _of(cls, known: Mapping[str, Any], number: int | None = None) -> Version:
        return cls(
            number=known["version"] if number is None else number,
            created=known["created_time"],
            deleted=known["deletion_time"] or None,
            destroyed=known["destroyed"],
            custom_metadata=known.get("custom_metadata") or {},
        )


class Values(Mapping[str, Secret]):
    """The values of one version of a secret, each hidden: `found["password"].reveal()`."""

    #: What is known of the version.
    version: Version

    def __init__(self, hidden: Mapping[str, Secret], version: Version) -> None:
        self._hidden, self.version = hidden, version

    @classmethod
    def _of(cls, reply: Reply) -> Values:
        return cls(reply.secrets("data", "data"), Version._of(reply.value("data", "metadata")))

    def __getitem__(self, name: str) -> Secret:
        return self._hidden[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hidden)

    def __len__(self) -> int:
        return len(self._hidden)

    def __repr__(self) -> str:
        return f"<Values of version {self.version.number}: {', '.join(self._hidden)}>"

    def reveal(self) -> dict[str, Any]:
        """All of them in the clear."""
        return {name: value.reveal_json() for name, value in self._hidden.items()}


@dataclass(frozen=True)
class Metadata:
    """What is known of a secret and all its versions."""

    current: int
    oldest: int
    created: str
    updated: str
    max_versions: int
    cas_required: bool
    custom: Mapping[str, str]
    versions: Mapping[int, Version]

    @classmethod
    def _of(cls, reply: Reply) -> Metadata:
        known: dict[str, Any] = reply.data
        versions = {int(number): Version._of(version, int(number)) for number, version in known["versions"].items()}
        return cls(
            current=known["current_version"],
            oldest=known["oldest_version"],
            created=known["created_time"],
            updated=known["updated_time"],
            max_versions=known["max_versions"],
            cas_required=known["cas_required"],
            custom=known["custom_metadata"] or {},
            versions=versions,
        )


@dataclass(frozen=True)
class Token:
    """A token that was handed out."""

    token: Secret
    #: Names the token without giving its right.
    accessor: str
    policies: Sequence[str]
    #: Seconds it lives; 0 = for ever.
    lives: int
    renewable: bool

    @classmethod
    def _of(cls, reply: Reply) -> Token:
        return cls(
            token=reply.secret("auth", "client_token"),
            accessor=reply.value("auth", "accessor") or "",
            policies=reply.value("auth", "policies") or [],
            lives=reply.value("auth", "lease_duration") or 0,
            renewable=bool(reply.value("auth", "renewable")),
        )


@dataclass(frozen=True)
class TokenInfo:
    """What is known of a token."""

    accessor: str
    policies: Sequence[str]
    #: Seconds left; 0 = for ever.
    ttl: int
    renewable: bool
    #: All that is known, by Vault's names. The token's own text is not among it.
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def _of(cls, reply: Reply) -> TokenInfo:
        known: dict[str, Any] = reply.data
        known.pop("id", None)
        return cls(known["accessor"], known["policies"] or [], known["ttl"], bool(known.get("renewable")), known)


@dataclass(frozen=True)
class AuditPage:
    """A page of audit records, newest first."""

    records: Sequence[Mapping[str, Any]]
    #: Where the next page begins; `None` at the end.
    next: str | None

    @classmethod
    def _of(cls, reply: Reply) -> AuditPage:
        return cls(reply.value("data", "records") or [], reply.value("data", "next"))
