"""Whether a community fits together: every reference leads somewhere, and nothing is there twice.

Each contradiction is told with its place in the definition, all of them at once.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from billing.community import Community

Contradiction: TypeAlias = tuple[str, str]
"""Where, as `unit[2].building`, and what."""


def contradictions(community: Community) -> Iterator[Contradiction]:
    """Yield everything in `community` that contradicts something else in it."""
    yield from _listed_twice(community)
    yield from _unknown(community)
    yield from _two_points_of_a_medium(community)
    yield from _two_meters_at_a_point(community)
    yield from _two_places_of_a_meter(community)
    yield from _two_holders_at_a_time(community)


def _listed_twice(community: Community) -> Iterator[Contradiction]:
    for key in ("building", "unit", "point", "account"):
        codes = [each.code for each in getattr(community, key)]
        yield from _doubles(key, key, codes, ".code")
    for name, tariffs in community.tariffs.items():
        yield from _doubles(f"tariffs.{name}", f"class {name}: tariff", tariffs, "")


def _doubles(where: str, what: str, codes: Sequence[str], key: str) -> Iterator[Contradiction]:
    places: dict[str, list[int]] = defaultdict(list)
    for number, code in enumerate(codes, start=1):
        places[code].append(number)
    for code, numbers in places.items():
        if len(numbers) > 1:
            yield f"{where}[{numbers[1]}]{key}", f"{what} {code!r} is listed {len(numbers)} times"


def _unknown(community: Community) -> Iterator[Contradiction]:
    buildings = {each.code for each in community.building}
    units = {each.code for each in community.unit}
    for where, what, code, known, whose in _references(community, buildings, units):
        if code is not None and code not in known:
            yield where, f"{whose} names the unknown {what} {code!r}"


Reference: TypeAlias = "tuple[str, str, str | None, Collection[str], str]"
"""Where it stands, what it names, the code, the codes that there are, and whose reference it is."""


def _references(community: Community, buildings: set[str], units: set[str]) -> Iterator[Reference]:
    classes = community.tariffs
    for number, unit in enumerate(community.unit, start=1):
        at, whose = f"unit[{number}]", f"unit {unit.code}"
        yield f"{at}.building", "building", unit.building, buildings, whose
        yield f"{at}.customer_class", "customer class", unit.classes[0], classes, whose
        for change, since in enumerate(unit.since, start=1):
            where = f"{at}.since[{change}].customer_class"
            yield where, "customer class", since.customer_class, classes, whose
    for number, point in enumerate(community.point, start=1):
        at, whose = f"point[{number}]", f"point {point.code}"
        yield f"{at}.unit", "unit", point.unit, units, whose
        yield f"{at}.building", "building", point.building, buildings, whose
    for number, account in enumerate(community.account, start=1):
        yield f"account[{number}].unit", "unit", account.unit, units, f"account {account.code}"


def _two_points_of_a_medium(community: Community) -> Iterator[Contradiction]:
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, point in enumerate(community.point, start=1):
        if point.unit is not None:
            found[point.unit, point.medium].append(number)
    for (unit, medium), numbers in found.items():
        if len(numbers) > 1:
            what = f"unit {unit} has {len(numbers)} {medium} points; a unit has one"
            yield f"point[{numbers[1]}].unit", what


def _two_meters_at_a_point(community: Community) -> Iterator[Contradiction]:
    for number, point in enumerate(community.point, start=1):
        ordered = sorted(enumerate(point.installation, start=1), key=lambda each: each[1].start)
        for (_, earlier), (at, later) in pairwise(ordered):
            if earlier.end is None or earlier.end > later.start:
                what = f"meters {earlier.meter} and {later.meter} both stand at {later.start}"
                where = f"point[{number}].installation[{at}].start"
                yield where, f"{what}; end the first installation"


def _two_places_of_a_meter(community: Community) -> Iterator[Contradiction]:
    standing = [
        (meter.meter, meter.start, point.code, meter.end, f"point[{number}].installation[{at}]")
        for number, point in enumerate(community.point, start=1)
        for at, meter in enumerate(point.installation, start=1)
    ]
    standing.sort(key=lambda each: each[:3])
    for (meter, _, one, end, _), (other, start, two, _, where) in pairwise(standing):
        if meter == other and one != two and (end is None or end > start):
            yield f"{where}.meter", f"meter {meter} stands at {one} and at {two} at the same time"


def _two_holders_at_a_time(community: Community) -> Iterator[Contradiction]:
    ordered = sorted(
        enumerate(community.account, start=1), key=lambda each: (each[1].unit, each[1].first_day)
    )
    for (_, earlier), (number, later) in pairwise(ordered):
        if earlier.unit != later.unit:
            continue
        if earlier.after_day is None or earlier.after_day > later.first_day:
            what = f"accounts {earlier.code} and {later.code} both hold unit {later.unit}"
            where = f"account[{number}].first_day"
            yield where, f"{what} on {later.first_day}; give the first an after_day"
