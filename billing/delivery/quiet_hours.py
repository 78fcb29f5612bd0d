"""Quiet hours: what rings a phone waits from nine in the evening until eight in the morning."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

BEGIN, END = time(21), time(8)


def not_before(now: datetime, zone: ZoneInfo) -> datetime:
    """Return `now`, or the end of the quiet hours of `zone` that it falls into.

    An hour that the clock skips or repeats is taken as `zoneinfo` takes it.
    """
    local = now.astimezone(zone)
    if END <= local.time() < BEGIN:
        return now
    day = local.date() + timedelta(days=1) if local.time() >= BEGIN else local.date()
    return datetime.combine(day, END, zone).astimezone(now.tzinfo)
