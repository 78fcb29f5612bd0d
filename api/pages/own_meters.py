"""My meters: what stands at the own units, what it showed last, and how far it is trusted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api.freshness import recent_readings
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.security import PageRequires
from billing.store.views import meters
from meters.reading import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from api.freshness import Newest
    from billing.store.views.meters import Held
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(PageRequires(Permission.USAGE_READ))]

BACK = timedelta(days=31)
GIVEN = "export_"
"""How registers begin that count what is given to the grid."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the readings of a meter since `since` say: the newest of each register, and verdicts.

    `reasons`: why some are not good, each as often as it was given, the most frequent first.
    """

    held: Held
    zone: ZoneInfo
    since: datetime
    newest: tuple[Newest, ...]
    verdicts: Mapping[str, int]
    reasons: tuple[tuple[str, int], ...]

    @property
    def all(self) -> int:
        return sum(self.verdicts.values())


@router.get("/meters")
async def show_own_meters(request: Request, caller: Reader) -> Response:
    """The meters at the units that the caller's accounts hold today."""
    resources = of(request)
    now = resources.now()
    with resources.database.snapshot() as connection:
        held = meters.of_accounts(connection, caller.accounts or frozenset(), at=now)
        types = resources.catalogue.known(connection)

    def ask() -> list[Trust]:
        return [trust(resources.archive, types, each, now=now) for each in held]

    found = await anyio.to_thread.run_sync(ask)
    return page(request, "own_meters.html", principal=caller, meters=found, days=BACK.days)


def trust(archive: Archive, types: Mapping[str, MeterType], held: Held, *, now: datetime) -> Trust:
    """Return what a meter's readings of the last `BACK` say, none from before the holder came."""
    since = max(now - BACK, held.since)
    found = recent_readings(archive, types, held.standing, back=now - since, now=now)
    readings = [each.reading for each in found]
    reasons = Counter(str(reason) for each in readings for reason in each.reasons)
    return Trust(
        held=held,
        zone=ZoneInfo(held.standing.zone),
        since=since,
        newest=_newest(found),
        verdicts={
            each.name.lower(): sum(one.verdict is each for one in readings) for each in Verdict
        },
        reasons=tuple(reasons.most_common()),
    )


def _newest(found: Sequence[Newest]) -> tuple[Newest, ...]:
    """Return the newest good reading of each register that counts what was used.

    `found` is in order, the newest first.
    """
    by_register: dict[str, Newest] = {}
    for each in found:
        if each.reading.verdict is Verdict.GOOD and not each.register.startswith(GIVEN):
            by_register.setdefault(each.register, each)
    return tuple(by_register.values())
