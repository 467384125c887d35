"""What can go wrong, as exceptions: one for each kind of the vault's own errors, and those of the way there.

Catch what you can do something about; `Error` is all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._native import Reply


class Error(Exception):
    """A request that was not served, or a vault that was not opened."""

    #: What the vault says, often one line, sometimes none.
    messages: Sequence[str]
    #: The request's id in the audit log.
    request_id: str | None
    #: The HTTP status, where a server answered.
    status: int | None
    #: Seconds to wait, where the vault says so.
    retry_after: float | None
    #: What was answered all the same: KV shows what is known of a deleted version.
    reply: Reply | None

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.messages = (message,) if message else ()
        self.request_id = None
        self.status = None
        self.retry_after = None
        self.reply = None


class Invalid(Error):
    """Change the request: it can never succeed as it stands."""


class Credentials(Invalid):
    """Come with other credentials: those are not good. From a server it is `Invalid`, as Vault answers 400 to both."""


class Denied(Error):
    """Ask for the right: the policy says no."""


class Unauthenticated(Denied):
    """Come with a token that is valid. From a server it is `Denied`: Vault answers 403 to both."""


class NotFound(Error):
    """It is not there."""


class Unsupported(Error):
    """The path exists, the operation on it does not."""


class TooLarge(Error):
    """Send less."""


class MediaType(Error):
    """Send it in another media type."""


class RateLimited(Error):
    """Wait, then send it again."""


class Sealed(Error):
    """Unseal the vault first."""


class Uninitialized(Error):
    """Initialise the vault first."""


class Conflict(Error):
    """Somebody changed it meanwhile; nothing was done."""


class Unavailable(Error):
    """Nothing was changed, or the outcome will be known later; try again."""


class Internal(Error):
    """A bug or a broken invariant; the cause stands in the server's log, and of an embedded vault in the notes."""


class Unreachable(Unavailable):
    """The server, or the database of the store, does not answer: nothing was done."""


class TimedOut(Unavailable):
    """No answer in time; a change may or may not have happened."""


class Broken(Unavailable):
    """The connection broke; a change may or may not have happened."""


class Foreign(Error):
    """What answers there is no vault."""


class InUse(Error):
    """Another process holds the store's file, such as a server: talk to it with `secrethub.Client`."""


class Forked(Error):
    """It was opened before this process was forked: open it again in the child."""


class Closed(Error):
    """It is closed: open it again."""


def _make(
    name: str,
    messages: list[str],
    request_id: str | None,
    status: int | None,
    retry_after: float | None,
    reply: Reply | None,
    note: str | None,
) -> Error:
    """The exception of a kind. A kind that this release does not know is `Internal`."""
    found = globals().get(name)
    kind = found if isinstance(found, type) and issubclass(found, Error) else Internal
    words = (kind.__doc__ or name).partition(":")[0].rstrip(".")
    error = kind("; ".join(messages) or words)
    error.messages, error.request_id = tuple(messages), request_id
    error.status, error.retry_after, error.reply = status, retry_after, reply
    if note is not None:
        error.add_note(note)
    return error


def _fulfil(promise: asyncio.Future[Any], value: object, error: BaseException | None) -> None:
    """Settles a promise, on its loop, unless whoever waited has left."""
    if promise.done():
        return
    if error is None:
        promise.set_result(value)
    else:
        promise.set_exception(error)
