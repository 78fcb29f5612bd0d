"""Whether the registers that a person read off an exchanged meter go with what it has reported."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.store.exchange import ExchangeError
from meters.growth import growth
from meters.quantity import plain
from meters.reading import Reason, Series
from meters.register_at import value_of
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from billing.store.exchange import Exchange
    from meters.archive.protocol import Archive, Boundary
    from meters.meter_type import MeterType
    from meters.told import Told

WINDOW = timedelta(days=40)
"""How far a reading may be from the exchange: a meter that was silent is the one exchanged."""
IMPOSSIBLE = frozenset({Reason.FALLING, Reason.RATE})


class DoubtfulExchangeError(ExchangeError):
    """A register contradicts the archive; the message says how, and how to insist on it."""


def shown_around(archive: Archive, exchange: Exchange) -> Mapping[Series, Boundary]:
    """Return the good readings of the old meter next to the exchange; ask before the transaction.

    Raises `ArchiveUnavailableError`.
    """
    series = [Series(exchange.old, name) for name in exchange.last]
    return archive.boundaries(series, exchange.at, window=WINDOW)


def check(
    old_type: MeterType, exchange: Exchange, shown: Mapping[Series, Boundary], zone: ZoneInfo
) -> None:
    """Raise `DoubtfulExchangeError` where the old meter cannot have shown what it is said to.

    A counter does not fall, and counts at most its type's `max_rate`: from the last good reading
    before the exchange, and on to the first after it. Texts give times in `zone`.
    """
    for series, boundary in shown.items():
        for doubt in _doubts(old_type, exchange, series.register, boundary, zone):
            raise DoubtfulExchangeError(doubt)


def _doubts(
    old_type: MeterType, exchange: Exchange, name: str, boundary: Boundary, zone: ZoneInfo
) -> Iterator[Told]:
    register, said = old_type.registers[name], exchange.last[name]
    before, after = boundary.before, boundary.after
    steps = []
    if before is not None:
        steps.append((before, value_of(before), said, exchange.at - before.time))
    if after is not None:
        steps.append((after, said, value_of(after), after.time - exchange.at))
    for reading, opening, closing, elapsed in steps:
        if growth(register, opening, closing, elapsed) in IMPOSSIBLE:
            yield told(
                "{register} of meter '{meter}' was {read} on {time}: it cannot have been {said} "
                "when the meter was exchanged. Correct it, or confirm that the picture shows it",
                register=name,
                meter=exchange.old,
                read=plain(value_of(reading)),
                time=f"{reading.time.astimezone(zone):%Y-%m-%d %H:%M:%S}",
                said=plain(said),
            )
