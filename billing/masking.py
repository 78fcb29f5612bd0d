"""Statements as one owner may pass them on: neighbours are numbers, and every share comes out.

What a pool reads of a unit is kept: its key, its days, who pays. Its code, and whatever the pool
does not read, is not. Odd cents that tie go round by a hash of pool, period and unit (see
`billing.pools.apportionment.odd_cent_key`), so a unit's number is chosen among those that have the
same place in that order: the published rule, applied to the numbers, gives each unit the cent that
it got. The order of numbers says no more than that.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from billing.pools.apportionment import odd_cent_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Names = TypeVar("Names")

MASK = "~"
"""What every number begins with that stands for a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Whose statement it is: the unit and account that keep their names, and other homes' points.

    `private`: the metering points of other units.
    """

    unit: str
    account: str
    private: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Masked:
    """A pool's definition without its examples, the statement's evidence, and unit → its name."""

    pool: dict[str, Any]
    evidence: dict[str, Any]
    names: Mapping[str, str]


def masked(
    pool: Mapping[str, Any], evidence: Mapping[str, Any], *, period: str, known: Known
) -> Masked:
    """Return what `known` may pass on of a statement: `pool` and `evidence` are its documents."""
    turn = {"pool": pool["id"], "period": period}
    names = pseudonyms(_units(pool, evidence), kept={known.unit}, **turn)
    shared_points = evidence.get("subs", {}).keys() - {*known.private}
    points = pseudonyms(known.private, kept=shared_points, **turn)
    kept = {
        name: evidence[name]
        for name in ("sources", "parts", "currency", "loss")
        if name in evidence
    }
    if "loss" in kept:
        told = ("master", "lost", "bands")
        kept["loss"] = {name: each for name, each in kept["loss"].items() if name in told}
    if "rated" in evidence:
        kept["rated"] = [
            {name: each[name] for name in ("tariff", "version", "inputs")}
            for each in evidence["rated"]
        ]
    if "costs" in evidence:
        kept["costs"] = [
            {name: each[name] for name in ("document", "amount")} for each in evidence["costs"]
        ]
    if "subs" in evidence:
        kept["subs"] = {points.get(name, name): use for name, use in evidence["subs"].items()}
    kept["participants"] = _participants(pool, evidence["participants"], names, known)
    kept["carried"] = sorted(
        ([names.get(unit, unit), carried] for unit, carried in evidence["carried"]),
        key=lambda entry: (entry[0] is None, str(entry[0])),
    )
    return Masked(_pool(pool, names, points), kept, names)


def pseudonyms(
    names: Iterable[str], *, kept: Collection[str], pool: str, period: str
) -> dict[str, str]:
    """Return a number for each of `names` that is not `kept`, and those as they are.

    Numbers, kept names and the company have the turns at odd cents that the names have.
    """
    turn = partial(odd_cent_key, pool=pool, period=period)
    fixed = sorted([turn(None), *map(turn, kept)])
    between: list[list[str]] = [[] for _ in range(len(fixed) + 1)]
    for name in sorted(set(names) - set(kept), key=turn):
        between[bisect(fixed, turn(name))].append(name)
    numbers: list[list[str]] = [[] for _ in between]
    missing = sum(map(len, between))
    for number in count(1):
        if not missing:
            break
        found, place = f"{MASK}{number}", bisect(fixed, turn(f"{MASK}{number}"))
        if len(numbers[place]) < len(between[place]) and found not in kept:
            numbers[place].append(found)
            missing -= 1
    given = {name: name for name in kept}
    for some, found_there in zip(between, numbers, strict=True):
        given |= zip(some, sorted(found_there, key=turn), strict=True)
    return given


def _units(pool: Mapping[str, Any], evidence: Mapping[str, Any]) -> set[str]:
    """Return every unit that a statement or its pool names."""
    scope = pool.get("scope", {})
    named = {each["unit"] for each in evidence["participants"]}
    named |= {unit for unit, _ in evidence["carried"] if unit is not None}
    named |= {*scope.get("units", ()), *scope.get("exclude", {}).get("units", ())}
    for key in _keys(pool):
        named |= {*key.get("weights", ()), *key.get("coefficient", {}).get("units", ())}
    return named


def _keys(pool: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [pool, *(pool[part] for part in ("first", "rest") if part in pool)]


def _pool(
    pool: Mapping[str, Any], names: Mapping[str, str], points: Mapping[str, str]
) -> dict[str, Any]:
    """Return the definition of a pool with its units and private points masked."""
    document = _key({name: value for name, value in pool.items() if name != "example"}, names)
    for part in ("first", "rest"):
        if part in document:
            document[part] = _key(document[part], names)
    scope = dict(document.get("scope", {}))
    if "exclude" in scope:
        scope["exclude"] = _listed(scope["exclude"], "units", names)
    if scope:
        document["scope"] = _listed(scope, "units", names)
    document["source"] = _listed(document["source"], "subs", points)
    return document


def _key(key: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    masked_key = dict(key)
    if "weights" in key:
        masked_key["weights"] = {names[unit]: weight for unit, weight in key["weights"].items()}
    if "units" in key.get("coefficient", {}):
        units = {names[unit]: factor for unit, factor in key["coefficient"]["units"].items()}
        masked_key["coefficient"] = {**key["coefficient"], "units": units}
    return masked_key


def _listed(table: Mapping[str, Any], name: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Return `table` with the names in its list `name` masked, in an order that says nothing."""
    if name not in table:
        return dict(table)
    return {**table, name: sorted(names.get(each, each) for each in table[name])}


def _participants(
    pool: Mapping[str, Any],
    participants: Iterable[Mapping[str, Any]],
    names: Mapping[str, str],
    known: Known,
) -> list[dict[str, Any]]:
    """Return the participants by their numbers, with what the pool reads of them."""
    reads = {"building", "first_day", "days", "attributes", "use", "vacant"} | set(_told_by(pool))
    holders: dict[str, dict[str, str]] = {}
    found = []
    for each in participants:
        row = {name: value for name, value in each.items() if name in reads}
        row["unit"] = names[each["unit"]]
        if "account" in each:
            own = {known.account: known.account} if each["unit"] == known.unit else {}
            held = holders.setdefault(each["unit"], own)
            number = f"{names[each['unit']]}{MASK}{len(held) + 1}"
            row["account"] = held.setdefault(each["account"], number)
        found.append(row)
    return sorted(found, key=lambda row: (row["unit"], row["first_day"]))


def _told_by(pool: Mapping[str, Any]) -> Iterable[str]:
    """Yield what the pool tells units apart by, beside their building."""
    scope = pool.get("scope", {})
    exclude = scope.get("exclude", {})
    if "entrance" in scope or exclude.get("entrances"):
        yield "entrance"
    by_floor = any("floors" in key.get("coefficient", {}) for key in _keys(pool))
    if by_floor or "floors" in scope or exclude.get("floors") or exclude.get("ground_floor"):
        yield "floor"
    if exclude.get("customer_classes"):
        yield "customer_class"
