"""One gateway process a spool: an advisory lock beside the file, gone with the process."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Self

from gateway.spool_file import SpoolError

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 1.0
"""How long a lock is waited for: `is_locked` holds it for an instant to see whether it is free."""


class SpoolLockedError(SpoolError):
    """Another gateway process uses the spool."""


class SpoolLock:
    """The exclusive right to use the spool at `path`, held until `release` or the process' end.

    Raises `SpoolLockedError` where another process holds it.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(_beside(path), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SpoolError(
                f"the spool {path} cannot be used: {error.strerror}; "
                "its folder must exist and be writable"
            ) from error
        deadline = time.monotonic() + PATIENCE_S
        while not self._take():
            if time.monotonic() > deadline:
                holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
                os.close(self._descriptor)
                raise SpoolLockedError(
                    f"the spool {path} is in use by the gateway process {holder}; stop that "
                    "process, or give this gateway a spool of its own"
                )
            time.sleep(0.02)
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_locked(path: Path) -> bool:
    """Return whether a gateway process uses the spool at `path` now."""
    try:
        with _beside(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".lock")
