"""What is still open when the program ends is closed: a vault's last audit records are flushed."""

from __future__ import annotations

import atexit
import contextlib
import weakref

from ._native import Embedded, Remote, end_of_program
from .errors import Error

_open: weakref.WeakSet[Embedded | Remote] = weakref.WeakSet()


def close_at_exit(native: Embedded | Remote) -> None:
    """Remembers it, as long as anybody does."""
    _open.add(native)


@atexit.register
def _close_all() -> None:
    # In a forked child they are the parent's, and closing does nothing.
    for native in list(_open):
        with contextlib.suppress(Error):
            native.close()
    # No thread of ours is inside Python when the interpreter goes.
    end_of_program()
