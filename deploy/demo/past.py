"""The past of the demo: what the meters would have sent, through the gateway's own door."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.forwarder import Forwarder
from gateway.intake import Intake
from gateway.spool import Spool
from meters.archive.open import open_archive
from meters.interval import Interval
from simulators.history import ModbusAnswer, aligned, replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.site import Site
    from simulators.faults import FaultPlan
    from simulators.fleet import Fleet

EVERY = timedelta(hours=2)


def replay_past(
    fleet: Fleet,
    site: Site,
    interval: Interval,
    *,
    faults: FaultPlan,
    progress: Callable[[datetime], None],
) -> None:
    """Read every meter every two hours of `interval` on a compressed clock.

    Words and payloads are decoded, judged, spooled and forwarded as the running gateway does it.
    """
    with Spool(site.spool_path) as spool:
        intake = Intake(spool, meters=site.types, mqtt=site.mqtt_meters)
        clock = interval.start

        def now() -> datetime:
            return clock

        forwarder = Forwarder(spool, lambda: open_archive(site.archive_url), now=now)
        try:
            day = interval.start
            while day < interval.end:
                next_day = min(day + timedelta(days=1), interval.end)
                hours = aligned(Interval(day, next_day), EVERY)
                for sent in replay(fleet, hours, plan=faults):
                    clock = sent.time
                    if isinstance(sent, ModbusAnswer):
                        intake.words(sent.meter, sent.time, sent.image)
                    else:
                        intake.payload(sent.topic, sent.payload, received_at=sent.time)
                intake.commit()
                forwarder.forward_all()
                progress(next_day)
                day = next_day
        finally:
            forwarder.close()
