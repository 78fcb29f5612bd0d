"""The small community with a supply by time of use: by registers, by a calendar, with demand.

The lift's meter counts three bands by itself; the lights' meter is read every hour.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from small_community import (
    LIGHTS,
    OCTOBER,
    PUBLIC,
    STARTS,
    TARIFFS,
    ZONE,
    changed,
    community_document,
    reading,
)

from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from small_community import Books

REGISTERS = {
    "flat": "import_energy_t1",
    "peak": "import_energy_t2",
    "valley": "import_energy_t3",
}
PRICES = {"flat": "0.5", "peak": "0.9", "valley": "0.3"}
HOURS = {0: "valley", 8: "peak", 12: "flat", 22: "valley"}
CALENDAR = {"days": [{"bands": [[f"{hour:02}:00", band] for hour, band in HOURS.items()]}]}
HOUR = timedelta(hours=1)


def charge(name: str, kind: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "title": {"en": name}, "kind": kind, **rest}


BY_REGISTERS = {
    **PUBLIC,
    "id": "bands",
    "charge": [charge("energy", "time-of-use", registers=REGISTERS, prices=PRICES)],
    "example": [{"usage": dict.fromkeys(REGISTERS.values(), "1"), "expect": "1.70"}],
}
BY_CALENDAR = {
    **PUBLIC,
    "id": "hours",
    "calendar": CALENDAR,
    "charge": [charge("energy", "time-of-use", register="import_energy", prices=PRICES)],
    "example": [{"bands": [[band, "1"] for band in sorted(PRICES)], "expect": "1.70"}],
}
WITH_DEMAND = {
    **BY_CALENDAR,
    "id": "power-and-hours",
    "charge": [
        *BY_CALENDAR["charge"],
        charge("demand", "demand", register="import_energy", minutes=60, price="30"),
    ],
    "example": [
        {"bands": [[band, "1"] for band in sorted(PRICES)], "demand": "2", "expect": "61.70"}
    ],
}


def pool(tariff: str, *, point: str = "lights", **source: Any) -> dict[str, Any]:
    """Return the lights' pool with another tariff, at `point`; each household bears the same."""
    source = {"points": [point], "tariff": tariff, **source}
    if "registers" not in source:
        source["register"] = "import_energy"
    return {**LIGHTS, "source": source}


def document(*banded: str, **units: dict[str, Any]) -> dict[str, Any]:
    """Return the community with a meter that counts bands, from 100 on, at each of `banded`."""
    points = {
        code: {
            "installation": [
                {
                    "meter": f"{code}-b",
                    "type": "abb-a43",
                    "start": STARTS[0] - timedelta(days=1),
                    "first": dict.fromkeys(["import_energy", *REGISTERS.values()], "100"),
                }
            ]
        }
        for code in banded
    }
    return changed(community_document(), point=points, unit=units)


def counted(point: str, used: Mapping[str, str]) -> Iterator[Reading]:
    """Yield what the meter of a point shows at both ends of October, by what each band used."""
    whole = sum(map(Decimal, used.values()))
    by_register = {REGISTERS[band]: Decimal(use) for band, use in used.items()}
    for register, use in {"import_energy": whole, **by_register}.items():
        for start, value in zip(STARTS, (100, 100 + use), strict=False):
            at = start + timedelta(minutes=1)
            series = Series(f"{point}-b", register)
            yield Reading(series, at, Decimal(value), "00", Verdict.GOOD)


def use_of_hour(at: datetime) -> int:
    """Return what the lights use in the hour from `at` on, in 0.01 kWh: no two days are alike."""
    return 5 + int(at.timestamp()) // 3600 * 7919 % 23


def hours() -> Iterator[tuple[datetime, str, int]]:
    """Yield the hours of October: start, band, and what the lights use in it, in 0.01 kWh."""
    at = OCTOBER.interval.start
    while at < OCTOBER.interval.end:
        hour = at.astimezone(ZONE).hour
        band = next(HOURS[start] for start in sorted(HOURS, reverse=True) if start <= hour)
        yield at, band, use_of_hour(at)
        at += HOUR


def hourly(meter: str = "hourly", first: str = "500") -> list[Reading]:
    """Return what a meter shows at the beginning of every hour of October, and at its end."""
    total, found = Decimal(first), []
    for at, _, use in hours():
        found.append(reading(meter, at, str(total)))
        total += Decimal(use) / 100
    return [*found, reading(meter, OCTOBER.interval.end, str(total))]


def hourly_document(**units: dict[str, Any]) -> dict[str, Any]:
    """Return the community whose lights have a meter that is read every hour."""
    installation = {
        "meter": "hourly",
        "type": "eastron-sdm630",
        "start": STARTS[0] - timedelta(days=1),
        "first": {"import_energy": "500"},
    }
    points = {"lights": {"installation": [installation]}}
    return changed(community_document(), point=points, unit=units)


def define(
    books: Books,
    pools: Iterable[dict[str, Any]],
    *tariffs: dict[str, Any],
    community: dict[str, Any] | None = None,
) -> None:
    books.define(community, tariffs=(*TARIFFS, *tariffs), pools=tuple(pools))


def later(tariff: dict[str, Any], day: int, **changes: Any) -> dict[str, Any]:
    """Return the next version of a tariff, from a day of October on."""
    return {**tariff, "version": 2, "valid_from": date(2026, 10, day), **changes}
