"""Whoever is killed while delivering, at whatever step: no message is lost, and which come twice.

Over a channel whose receivers know a second message by its id a message may come twice, when the
sender died between sending it and keeping that. Over any other it comes at most once, and what
nobody knows is there to be looked at.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import told
from dying_sender import STEPS, deliver_and_die

if TYPE_CHECKING:
    from pathlib import Path

    from small_community import Books

MESSAGES = 3


@pytest.fixture
def books(sqlite_books: Books) -> Books:
    told.hook(sqlite_books.database)
    told.tell(sqlite_books.database, *(f"B-{number}" for number in range(MESSAGES)))
    sqlite_books.database.close()  # no connection goes into the copies of this process
    return sqlite_books


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("repeatable", [True, False])
def test_nothing_is_lost_whatever_is_killed(
    books: Books, tmp_path: Path, step: str, *, repeatable: bool
) -> None:
    line = tmp_path / "line"
    line.touch()
    url = books.database.url
    killed = deliver_and_die(url, step, line, repeatable=repeatable, minutes=0)
    assert killed == -signal.SIGKILL
    for minutes in (3, 10):  # the lease has ended, and then what was tried again is due
        assert deliver_and_die(url, "", line, repeatable=repeatable, minutes=minutes) == 0

    sent = line.read_text().splitlines()
    states = books.rows("SELECT state, count(*) FROM delivery GROUP BY state ORDER BY state")
    # the transaction that was open when the process died is not there
    unknown = step in {"leased", "send", "sent", "record"}
    twice = step in {"sent", "record"}
    if repeatable:
        assert states == [("sent", MESSAGES)]
        assert len(sent) == MESSAGES + twice
        assert len(set(sent)) == MESSAGES  # the second one has the id of the first
    elif unknown:
        assert states == [("sent", MESSAGES - 1), ("unsure", 1)]
        assert len(sent) == len(set(sent)) == MESSAGES - (not twice)
    else:
        assert states == [("sent", MESSAGES)]
        assert len(sent) == len(set(sent)) == MESSAGES
