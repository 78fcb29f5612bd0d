"""Which lines of a batch a server refuses, told apart from a server that refuses everything.

What a server answers to a whole batch says little: one bad line may have kept out all others, or
none. Halves are sent again until lines fail alone; to send a line twice does no harm. A line is bad
only if it fails alone while another one is taken. Where none is taken, the server is out of order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Post = Callable[[Sequence[str]], str | None]

_ALONE_IN_VAIN = 16
"""So many lines that fail alone, and none that is taken, are enough to call it an outage."""


class EveryLineRefusedError(RuntimeError):
    """The server takes no line at all; its own words are the message."""


def refused_lines(lines: Sequence[str], post: Post, *, proven: str | None) -> dict[int, str]:
    """Send `lines` with `post`; return position → why for those that the server refuses.

    `post` returns None where all is stored, else the server's words. `proven` is a line that the
    server has taken before. Raises `EveryLineRefusedError`; then send all lines again later.
    """
    why = post(lines)
    if why is None:
        return {}
    if proven is not None and post([proven]) is not None:
        raise EveryLineRefusedError(why)
    bad: dict[int, str] = {}
    taken = proven is not None
    waiting = [(0, len(lines), why)]
    while waiting:
        first, after, why = waiting.pop()
        if after - first == 1:
            bad[first] = why
            if not taken and len(bad) >= _ALONE_IN_VAIN:
                raise EveryLineRefusedError(why)
            continue
        middle = (first + after) // 2
        for half in ((middle, after), (first, middle)):
            why = post(lines[slice(*half)])
            if why is None:
                taken = True
            else:
                waiting.append((*half, why))
    if not taken:
        raise EveryLineRefusedError(why)
    return bad
