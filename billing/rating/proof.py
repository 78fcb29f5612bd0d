"""Examples rated: where a tariff does not give what its examples expect."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from billing.formula.problem import FormulaBlockedError
from billing.money import OverflowInMoneyError, from_fen, to_fen
from billing.rating.fitting import misfits
from billing.rating.rate import rate
from billing.rating.walking import Walk
from meters.definition import Problem
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from billing.rating.example import Billed, Example
    from billing.rating.rate import ChargeColumns
    from billing.tariff import Tariff


def failing_examples(tariff: Tariff, source: str) -> Iterator[Problem]:
    """Yield what is wrong with the examples of `tariff`, which is in the file `source`."""
    for number, example in enumerate(tariff.examples, start=1):
        where = f"example[{number}]"
        wrong = [
            Problem(source, f"{where}{place}.{key}", what, expected, actual)
            for place, row in _placed(example)
            for key, what, expected, actual in misfits(tariff, row)
        ]
        yield from wrong or _Proof(tariff, example, source, where).differences()


def _placed(example: Example) -> list[tuple[str, Billed]]:
    """Return each row of an example with where it stands."""
    form = "months" if example.months else "spans"
    if not (example.months or example.spans):
        return [("", example)]
    return [(f".{form}[{number}]", row) for number, row in enumerate(example.rows, start=1)]


class _Proof:
    """One example on its way."""

    def __init__(self, tariff: Tariff, example: Example, source: str, where: str) -> None:
        self._tariff = tariff
        self._example = example
        self._source = source
        self._where = where

    def differences(self) -> Iterator[Problem]:
        """Yield where the tariff gives another amount than the example expects."""
        walk = Walk(self._tariff, self._example)
        amounts: Counter[str] = Counter()
        taxes: Counter[str] = Counter()
        for place, row in _placed(self._example):
            try:
                lines = rate(self._tariff, walk.subjects(row))
            except (OverflowInMoneyError, FormulaBlockedError) as error:
                yield Problem(self._source, f"{self._where}{place}", str(error))
                return
            walk.go_on(row, lines)
            billed, stated = _by_name(lines)
            amounts.update(billed)
            taxes.update(stated)
            if place:
                yield from self._compared(place, row, billed, stated)
        yield from self._compared("", self._example, amounts, taxes)

    def _compared(
        self, place: str, row: Billed, amounts: Mapping[str, int], taxes: Mapping[str, int]
    ) -> Iterator[Problem]:
        for key, expected, actual in (
            ("charges", row.charges, amounts),
            ("taxes", row.taxes, taxes),
        ):
            for name, amount in (expected or {}).items():
                yield from self._differing(f"{place}.{key}.{name}", amount, actual.get(name, 0))
        if row.expect is not None:
            yield from self._differing(f"{place}.expect", row.expect, sum(amounts.values()))

    def _differing(self, place: str, expected: Decimal, actual: int) -> Iterator[Problem]:
        if actual != to_fen(expected):
            yield Problem(
                self._source,
                f"{self._where}{place}",
                told("the tariff gives another amount; correct the example or the charges"),
                expected=str(from_fen(to_fen(expected))),
                actual=str(from_fen(actual)),
            )


def _by_name(lines: tuple[ChargeColumns, ...]) -> tuple[dict[str, int], dict[str, int]]:
    """Return what lines amount to, by name, and what tax they state, by its name, in fen."""
    amounts = {line.charge: int(line.amount[0]) for line in lines}
    taxes: Counter[str] = Counter()
    for line in lines:
        if line.tax is not None:
            taxes[line.tax.tax.name] += int(line.tax.amount[0])
    return amounts, dict(taxes)
