"""An independent oracle of tariffs: one home at a time, in fractions, day by day, block by block.

It reads the same documents as tariffs do and shares no code with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import ceil, floor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FINEST = Fraction(1, 10_000)
CENT = Fraction(1, 100)


@cache
def number(written: str | int) -> Fraction:
    """Return a number as a document writes it; of so many homes, each is read once."""
    return Fraction(written)


def scaled(quantity: int) -> Fraction:
    return Fraction(quantity, 10_000)


@dataclass(frozen=True)
class Home:
    """What one home uses and has; all quantities are integers of 10⁻⁴."""

    use: Mapping[str, int] = field(default_factory=dict)
    before_year: Mapping[str, int] = field(default_factory=dict)
    before_quarter: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[tuple[str, int], ...] = ()
    demand: int = 0
    peak: int = 0
    attributes: Mapping[str, int] = field(default_factory=dict)
    days: int = 30
    days_before: int = 0
    customer_class: str = "home"


@dataclass(frozen=True)
class Bill:
    """Lines and stated taxes in the currency, by name; `exact` is what each line was before."""

    lines: dict[str, Fraction] = field(default_factory=dict)
    taxes: dict[str, Fraction] = field(default_factory=dict)
    exact: dict[str, Fraction] = field(default_factory=dict)


def rounded(amount: Fraction, unit: Fraction, direction: str) -> Fraction:
    """Round by size: a credit is the mirror of its charge."""
    size = abs(amount) / unit
    match direction:
        case "down":
            whole = floor(size)
        case "up":
            whole = ceil(size)
        case "half-up":
            whole = floor(size + Fraction(1, 2))
        case _:
            whole = round(size)
    return whole * unit if amount >= 0 else -whole * unit


def fine(amount: Fraction) -> Fraction:
    return rounded(amount, FINEST, "half-up")


@dataclass(frozen=True)
class Oracle:
    """Bills homes by a tariff's document, all of whose `rounding` keys are given."""

    document: Mapping[str, Any]
    period_days: int = 30

    def bill(
        self, home: Home, carried: Mapping[str, tuple[Fraction, Fraction]] | None = None
    ) -> Bill:
        bill, exact_total = Bill(), Fraction(0)
        profiles = {tax["name"]: tax for tax in self.document.get("tax", ())}
        added: dict[str, Fraction] = {}
        for charge in self.document["charge"]:
            parts = [] if self._excludes(charge, home) else self._parts(charge, home, bill.lines)
            earlier, billed = (carried or {}).get(charge["name"], (Fraction(0), Fraction(0)))
            amount = self._line(parts, earlier) - billed
            bill.lines[charge["name"]] = amount
            bill.exact[charge["name"]] = sum(parts, earlier)
            exact_total += sum(parts)
            if "tax" in charge:
                profile = profiles[charge["tax"]]
                state = _tax(profile, amount)
                name = profile["name"]
                bill.taxes[name] = bill.taxes.get(name, Fraction(0)) + state
                if not profile["included"]:
                    added[name] = added.get(name, Fraction(0)) + state
        bill.lines.update(added)
        exact_total += sum(added.values())
        if self._rounding["place"] == "bill":
            unit = number(self._rounding["unit"])
            whole = rounded(exact_total, unit, self._rounding["direction"])
            bill.lines["rounding"] = whole - sum(bill.lines.values())
        return bill

    @property
    def _rounding(self) -> Mapping[str, str]:
        rounding: Mapping[str, str] = self.document["rounding"]
        return rounding

    def _line(self, parts: Sequence[Fraction], rest: Fraction) -> Fraction:
        place, direction = self._rounding["place"], self._rounding["direction"]
        unit = CENT if place == "bill" else number(self._rounding["unit"])
        if place == "step":
            return sum((rounded(part, unit, direction) for part in parts), Fraction(0))
        return rounded(sum(parts, rest), unit, direction)

    @staticmethod
    def _excludes(charge: Mapping[str, Any], home: Home) -> bool:
        return "classes" in charge and home.customer_class not in charge["classes"]

    def _parts(
        self, charge: Mapping[str, Any], home: Home, lines: Mapping[str, Fraction]
    ) -> list[Fraction]:
        kind = charge["kind"].replace("-", "_")
        parts = getattr(self, f"_{kind}")(charge, home, lines)
        return parts if isinstance(parts, list) else [parts]

    def _per_unit(self, charge: Mapping[str, Any], home: Home, _: Any) -> Fraction:
        use = scaled(home.use[charge["register"]])
        return fine(use * number(charge.get("share", 1))) * number(charge["price"])

    def _fixed(self, charge: Mapping[str, Any], home: Home, _: Any) -> Fraction:
        return self._times(charge, home) * number(charge["amount"])

    def _per_area(self, charge: Mapping[str, Any], home: Home, _: Any) -> Fraction:
        area = scaled(home.attributes["area"])
        return self._times(charge, home) * area * number(charge["price"])

    def _per_count(self, charge: Mapping[str, Any], home: Home, _: Any) -> Fraction:
        count = scaled(home.attributes[charge["of"]]) - number(charge.get("above", 0))
        return self._times(charge, home) * max(count, Fraction(0)) * number(charge["price"])

    def _percentage(
        self, charge: Mapping[str, Any], _: Home, lines: Mapping[str, Fraction]
    ) -> Fraction:
        return sum(lines[name] for name in charge["of"]) * number(charge["percent"]) / 100

    def _minimum(
        self, charge: Mapping[str, Any], home: Home, lines: Mapping[str, Fraction]
    ) -> Fraction:
        least = self._times(charge, home) * number(charge["amount"])
        if not least:
            return Fraction(0)
        return max(least - sum(lines[name] for name in charge["of"]), Fraction(0))

    def _cap(
        self, charge: Mapping[str, Any], home: Home, lines: Mapping[str, Fraction]
    ) -> Fraction:
        most = number(charge["amount"])
        if not self._is_whole(charge):
            most *= self._times(charge, home)
        return min(most - sum(lines[name] for name in charge["of"]), Fraction(0))

    def _discount(
        self, charge: Mapping[str, Any], home: Home, lines: Mapping[str, Fraction]
    ) -> Fraction:
        base = sum((lines[name] for name in charge["of"]), Fraction(0))
        if "percent" in charge:
            return -base * number(charge["percent"]) / 100
        wanted = self._times(charge, home) * number(charge["amount"])
        return -min(wanted, max(base, Fraction(0)))

    def _packages(self, charge: Mapping[str, Any], home: Home, _: Any) -> Fraction:
        use, size = scaled(home.use[charge["register"]]), number(charge["size"])
        started, left = 0, abs(use)
        while left > 0:
            started, left = started + 1, left - size
        return (started if use >= 0 else -started) * number(charge["price"])

    def _steps(self, charge: Mapping[str, Any], home: Home, _: Any) -> list[Fraction]:
        register = charge["register"]
        bounds = self._bounds(charge, [step[0] for step in charge["steps"][:-1]], home)
        start = _before(charge["per"], register, home)
        taken = walk(bounds, start, scaled(home.use[register]))
        return [
            quantity * number(step[-1])
            for quantity, step in zip(taken, charge["steps"], strict=True)
        ]

    def _volume(self, charge: Mapping[str, Any], home: Home, _: Any) -> list[Fraction]:
        use = scaled(home.use[charge["register"]])
        bounds = self._bounds(charge, [step[0] for step in charge["steps"][:-1]], home)
        return [use * number(charge["steps"][_place(bounds, use)][-1])]

    def _categories(self, charge: Mapping[str, Any], home: Home, _: Any) -> list[Fraction]:
        use, categories = scaled(home.use[charge["register"]]), charge["category"]
        ends = self._bounds(charge, [each["until"] for each in categories[:-1]], home)
        steps = categories[_place(ends, use)]["steps"]
        bounds = self._bounds(charge, [step[0] for step in steps[:-1]], home)
        taken = walk(bounds, Fraction(0), use)
        return [each * number(step[-1]) for each, step in zip(taken, steps, strict=True)]

    def _time_of_use(self, charge: Mapping[str, Any], home: Home, _: Any) -> list[Fraction]:
        totals = band_totals(charge, home)
        return [totals[band] * number(price) for band, price in charge["prices"].items()]

    def _time_of_use_steps(self, charge: Mapping[str, Any], home: Home, _: Any) -> list[Fraction]:
        """Chronologically, run by run."""
        bounds = self._bounds(charge, [step[0] for step in charge["steps"][:-1]], home)
        position = _before(charge["per"], charge["register"], home)
        cells: dict[tuple[int, str], Fraction] = {}
        for band, use in home.runs:
            for step, taken in enumerate(walk(bounds, position, scaled(use))):
                cells[step, band] = cells.get((step, band), Fraction(0)) + taken
            position += scaled(use)
        return [
            taken * number(charge["steps"][step][-1][band]) for (step, band), taken in cells.items()
        ]

    def _demand(self, charge: Mapping[str, Any], home: Home, _: Any) -> Fraction:
        billed = [scaled(home.demand)]
        if "ratchet" in charge:
            billed.append(fine(scaled(home.peak) * number(charge["ratchet"]["share"])))
        if "least" in charge:
            contracted = scaled(home.attributes[charge["least"]["attribute"]])
            billed.append(fine(contracted * number(charge["least"]["share"])))
        return max(billed) * number(charge["price"]) * self._months(home)

    def _is_whole(self, charge: Mapping[str, Any]) -> bool:
        per = charge.get("per", "month")
        return per == "period" or (per == "month" and self.document.get("proration") == "whole")

    def _times(self, charge: Mapping[str, Any], home: Home) -> Fraction:
        match charge.get("per", "month"):
            case "day":
                return Fraction(home.days)
            case "period":
                return Fraction(1 if home.days_before == 0 else 0)
            case _:
                return self._months(home)

    def _months(self, home: Home) -> Fraction:
        """Add up what each of the home's days is of a month."""
        rule = self.document.get("proration", "days")
        if rule == "whole":
            return Fraction(1 if home.days_before == 0 else 0)
        if rule == "days":
            return Fraction(home.days, self.period_days)
        days = range(home.days_before + 1, home.days_before + home.days + 1)
        return Fraction(sum(map(self._thirtieths, days)), 30)

    def _thirtieths(self, day: int) -> int:
        if day == self.period_days:
            return 30 - min(self.period_days - 1, 30)
        return 1 if day <= 30 else 0

    def _bounds(
        self, charge: Mapping[str, Any], untils: Sequence[Any], home: Home
    ) -> list[Fraction]:
        """Return where the blocks end for this home."""
        bounds = [number(until) for until in untils]
        if "extra" in charge:
            extra = charge["extra"]
            count = scaled(home.attributes[extra["attribute"]])
            above = max(count - number(extra["above"]), Fraction(0))
            bounds = [bound + fine(above * number(extra["each"])) for bound in bounds]
        if "times" in charge:
            count = scaled(home.attributes[charge["times"]])
            bounds = [fine(bound * count) for bound in bounds]
        if charge.get("per", "month") != "month":
            return bounds
        base = self._days_of_widths(charge.get("days", "never"))
        first, last = home.days_before, home.days_before + home.days
        return [fine(bound * last / base) - fine(bound * first / base) for bound in bounds]

    def _days_of_widths(self, rule: Any) -> int:
        if rule == "always":
            return 30
        if isinstance(rule, dict) and not (
            rule["outside"][0] <= self.period_days <= rule["outside"][1]
        ):
            return 30
        return self.period_days


def walk(bounds: Sequence[Fraction], start: Fraction, use: Fraction) -> list[Fraction]:
    """Return how much of the use lies in each block, walking up from `start`."""
    if use < 0:
        return [-taken for taken in walk(bounds, start + use, -use)]
    position, left, taken = start, use, []
    for bound in bounds:
        room = min(left, max(bound - position, Fraction(0)))
        taken.append(room)
        position, left = position + room, left - room
    return [*taken, left]


def band_totals(charge: Mapping[str, Any], home: Home) -> dict[str, Fraction]:
    """Return the use of each band."""
    if "registers" in charge:
        return {band: scaled(home.use[each]) for band, each in charge["registers"].items()}
    bands = charge["prices"] if "prices" in charge else charge["steps"][0][-1]
    return {band: scaled(sum(use for name, use in home.runs if name == band)) for band in bands}


def _before(per: str, register: str, home: Home) -> Fraction:
    match per:
        case "year":
            return scaled(home.before_year[register])
        case "quarter":
            return scaled(home.before_quarter[register])
        case _:
            return Fraction(0)


def _place(bounds: Sequence[Fraction], use: Fraction) -> int:
    return next((place for place, bound in enumerate(bounds) if use <= bound), len(bounds))


def _tax(profile: Mapping[str, Any], amount: Fraction) -> Fraction:
    percent = number(profile["percent"])
    base = 100 + percent if profile["included"] else Fraction(100)
    return rounded(amount * percent / base, CENT, "half-up")
