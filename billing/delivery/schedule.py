"""When a delivery is tried again, when it is given up, and when an endpoint is switched off.

The steps are those that the Standard Webhooks specification recommends: each is a multiple of the
one before, and all of them take three days. A jitter of up to a fifth, which follows from the
delivery and the try, keeps what failed together from coming back together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

STEPS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long to wait after the first try, the second and so on; 75 hours and a half together."""

JITTER_PERCENT = 20
SWITCHED_OFF_AFTER = timedelta(days=3)
"""An endpoint that has failed for so long without one success is switched off."""


class Said(StrEnum):
    """What became of a try."""

    SENT = "sent"
    FAILED = "failed"
    """It did not arrive, and may if it is tried again."""
    REFUSED = "refused"
    """It did not arrive, and will not: an address that does not exist."""
    UNSURE = "unsure"
    """It may have arrived, and whoever took it does not drop a second one."""
    GONE = "gone"
    """The endpoint says that it is to be told nothing any more (410)."""


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Next:
    """What a delivery comes to after a try; `at` is when it is tried again while it waits."""

    state: State
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a try. `status`: of the answer, if there was one; `detail`: in words."""

    said: Said
    status: int | None = None
    detail: str = ""


def after(said: Said, tries: int, delivery_id: int, now: datetime) -> Next:
    """Return what a delivery comes to that was tried for the `tries`-th time."""
    match said:
        case Said.SENT:
            return Next(State.SENT)
        case Said.UNSURE:
            return Next(State.UNSURE)
        case Said.FAILED if tries <= len(STEPS):
            return Next(State.WAITING, now + jittered(STEPS[tries - 1], delivery_id, tries))
        case _:
            return Next(State.FAILED)


def jittered(step: timedelta, delivery_id: int, tries: int) -> timedelta:
    """Return `step` and up to a fifth more; the same for the same delivery and try."""
    drawn = hashlib.sha256(f"{delivery_id}:{tries}".encode()).digest()
    thousandths = int.from_bytes(drawn[:4]) % (JITTER_PERCENT * 10 + 1)
    return step + step * thousandths // 1000


def is_to_be_switched_off(failing_since: datetime | None, said: Said, now: datetime) -> bool:
    """Return whether an endpoint that has just said so is told nothing any more."""
    if said is Said.GONE:
        return True
    return failing_since is not None and now - failing_since >= SWITCHED_OFF_AFTER
