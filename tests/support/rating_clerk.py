"""An independent oracle: one subject at a time, in plain `Decimal`, the way a clerk would do it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from billing.money import Column, from_fen
from billing.rating.rate import ChargeColumns, rate
from billing.rating.subjects import AREA, Subjects
from billing.tariff import Tariff

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDINGS = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["half-up", "half-even", "down", "up"]),
        "unit": st.sampled_from(["0.01", "0.1", "1", "10"]),
        "place": st.sampled_from(["step", "line", "bill"]),
    }
)
"""Every way in which a tariff may round."""
MODES = {
    "half-up": ROUND_HALF_UP,
    "half-even": ROUND_HALF_EVEN,
    "down": ROUND_DOWN,
    "up": ROUND_UP,
}


@dataclass(frozen=True)
class Clerk:
    """Rates by hand. `rounding` is the tariff's table, all keys given."""

    charges: Sequence[dict[str, Any]]
    rounding: dict[str, str]

    def bill(self, *, before: Decimal, use: Decimal, area: Decimal) -> dict[str, Decimal]:
        """Return the amount of every line by name."""
        with localcontext() as context:
            context.prec = 60
            lines: dict[str, Decimal] = {}
            exact = Decimal(0)
            for charge in self.charges:
                parts = self._parts(charge, before, use, area, lines)
                lines[charge["name"]] = self._line(parts)
                exact += sum(parts)
            if self.rounding["place"] == "bill":
                rounded = self._rounded(exact, self.rounding["unit"])
                lines["rounding"] = rounded - sum(lines.values())
            return lines

    def _line(self, parts: list[Decimal]) -> Decimal:
        match self.rounding["place"]:
            case "step":
                return sum(
                    (self._rounded(part, self.rounding["unit"]) for part in parts), Decimal()
                )
            case "line":
                return self._rounded(sum(parts, Decimal()), self.rounding["unit"])
            case _:
                return self._rounded(sum(parts, Decimal()), "0.01")

    def _rounded(self, amount: Decimal, unit: str) -> Decimal:
        size = Decimal(unit)
        return (amount / size).to_integral_value(MODES[self.rounding["direction"]]) * size

    def _parts(
        self,
        charge: dict[str, Any],
        before: Decimal,
        use: Decimal,
        area: Decimal,
        lines: dict[str, Decimal],
    ) -> list[Decimal]:
        match charge["kind"]:
            case "per-unit":
                share = Decimal(charge.get("share", 1))
                billed = (use * share).quantize(Decimal("0.0001"), ROUND_HALF_UP)
                return [billed * Decimal(charge["price"])]
            case "steps":
                start = before if charge["per"] == "year" else Decimal(0)
                return walk(charge["steps"], start, use)
            case "fixed":
                return [Decimal(charge["amount"])]
            case "per-area":
                return [area * Decimal(charge["price"])]
            case "percentage":
                base = sum(lines[name] for name in charge["of"])
                return [base * Decimal(charge["percent"]) / 100]
        raise AssertionError(charge)


def walk(steps: Sequence[Sequence[Any]], start: Decimal, use: Decimal) -> list[Decimal]:
    """Return what each step costs, walking up through the blocks from `start`."""
    if use < 0:
        return [-part for part in walk(steps, start + use, -use)]
    position, left, parts = start, use, []
    for step in steps:
        room = left if len(step) == 1 else max(Decimal(step[0]) - position, Decimal(0))
        taken = min(left, room)
        parts.append(taken * Decimal(step[-1]))
        position, left = position + taken, left - taken
    return parts


def tariff_of(charges: Sequence[dict[str, Any]], rounding: dict[str, str] | None = None) -> Tariff:
    """Return a tariff of `charges`, its example unproven: the tests prove it."""
    return Tariff.model_validate(
        {
            "kind": "tariff",
            "id": "tested",
            "version": 1,
            "title": {"en": "Tested"},
            "medium": "electricity",
            "currency": "CNY",
            "valid_from": "2026-01-01",
            "rounding": rounding or {},
            "charge": [{"title": {"en": charge["name"]}, **charge} for charge in charges],
            "example": [{"expect": 0}],
        }
    )


def rated(tariff: Tariff, rows: Sequence[tuple[int, int, int]]) -> tuple[ChargeColumns, ...]:
    """Rate rows of (before, use, area), all scaled, as columns."""
    before, use, area = (column([row[place] for row in rows]) for place in range(3))
    return rate(
        tariff,
        Subjects(
            count=len(rows),
            period_days=30,
            days=np.full_like(use, 30),
            days_before=np.zeros_like(use),
            use=dict.fromkeys(tariff.needs.registers, use),
            before_year=dict.fromkeys(tariff.needs.year_to_date, before),
            attributes={AREA: area},
        ),
    )


def column(values: Sequence[int]) -> Column:
    return np.array(values, dtype=np.int64)


def agrees_with_the_clerk(
    charges: Sequence[dict[str, Any]],
    rounding: dict[str, str],
    rows: Sequence[tuple[int, int, int]],
) -> None:
    """Assert that every amount of every row of scaled (before, use, area) is the clerk's."""
    lines = rated(tariff_of(charges, rounding), rows)
    clerk = Clerk(charges, rounding)
    for row, (before, use, area) in enumerate(rows):
        expected = clerk.bill(
            before=Decimal(before).scaleb(-4),
            use=Decimal(use).scaleb(-4),
            area=Decimal(area).scaleb(-4),
        )
        assert {line.charge: from_fen(int(line.amount[row])) for line in lines} == expected
