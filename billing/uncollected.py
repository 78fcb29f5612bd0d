"""Work that makes hundreds of thousands of values, of which none refers back to another."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cycles from looking at what is made meanwhile.

    What nobody refers to any more goes all the same. To look for cycles among what stays, again and
    again, takes a tenth of a run.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
