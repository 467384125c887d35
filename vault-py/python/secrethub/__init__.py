"""A secrets vault to embed in Python, and a client of SecretHub and Vault servers.

    import secrethub

    with secrethub.Vault.open("sqlite:///var/lib/app/vault.db") as vault:
        keys = vault.init(shares=1, threshold=1)
        vault.unseal(*keys.shares)
        vault.token = keys.root_token
        vault.kv().put("app", password="correct horse")
        vault.kv().get("app")["password"].reveal()

`Client` speaks to a server in the same words; `AsyncVault` and `AsyncClient` are both with `await`.
"""

from . import errors
from ._async.audit import AsyncAudit
from ._async.client import AsyncClient
from ._async.door import AsyncDoor
from ._async.kv import AsyncKv
from ._async.policies import AsyncPolicies
from ._async.secrets import AsyncSecrets
from ._async.tokens import AsyncTokens
from ._async.vault import AsyncVault
from ._native import Reply, Secret
from ._sync.audit import Audit
from ._sync.client import Client
from ._sync.door import Door
from ._sync.kv import Kv
from ._sync.policies import Policies
from ._sync.secrets import Secrets
from ._sync.tokens import Tokens
from ._sync.vault import Vault
from .errors import (
    Broken,
    Closed,
    Conflict,
    Credentials,
    Denied,
    Error,
    Foreign,
    Forked,
    Internal,
    InUse,
    Invalid,
    MediaType,
    NotFound,
    RateLimited,
    Sealed,
    TimedOut,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Uninitialized,
    Unreachable,
    Unsupported,
)
from .seals import MasterKey, Passphrase, Seal, Shares
from .shapes import AuditPage, InitKeys, Metadata, SealStatus, Token, TokenInfo, Values, Version

__all__ = [
    "AsyncAudit",
    "AsyncClient",
    "AsyncDoor",
    "AsyncKv",
    "AsyncPolicies",
    "AsyncSecrets",
    "AsyncTokens",
    "AsyncVault",
    "Audit",
    "AuditPage",
    "Broken",
    "Client",
    "Closed",
    "Conflict",
    "Credentials",
    "Denied",
    "Door",
    "Error",
    "Foreign",
    "Forked",
    "InUse",
    "InitKeys",
    "Internal",
    "Invalid",
    "Kv",
    "MasterKey",
    "MediaType",
    "Metadata",
    "NotFound",
    "Passphrase",
    "Policies",
    "RateLimited",
    "Reply",
    "Seal",
    "SealStatus",
    "Sealed",
    "Secret",
    "Secrets",
    "Shares",
    "TimedOut",
    "Token",
    "TokenInfo",
    "Tokens",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Uninitialized",
    "Unreachable",
    "Unsupported",
    "Values",
    "Vault",
    "Version",
    "errors",
]
