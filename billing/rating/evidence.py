"""What a line was rated with and came apart into, as the evidence that is frozen with it."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from billing.evidence import quantity_text
from billing.money import from_fen, from_price, to_fen
from billing.rating.exact import NOTHING, Carried
from billing.rating.subjects import BandUse, Classes, DemandNeed, Subjects, single
from meters.quantity import plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from billing.money import Column
    from billing.rating.charge import Parts
    from billing.rating.rate import ChargeColumns


def inputs(subjects: Subjects) -> Iterator[dict[str, Any]]:
    """Yield what each row holds, quantities as text; what a tariff does not read is left out."""
    columns = {
        "use": _texts(subjects.use),
        "before_year": _texts(subjects.before_year),
        "before_quarter": _texts(subjects.before_quarter),
        "attributes": _texts(subjects.attributes),
        "demand": _texts(_by_text(subjects.demand)),
        "peak_before": _texts(_by_text(subjects.peak_before)),
    }
    given = {name: column for name, column in columns.items() if column}
    days, before = subjects.days.tolist(), subjects.days_before.tolist()
    for row in range(subjects.count):
        document: dict[str, Any] = {"days": [before[row], days[row], subjects.period_days]}
        for name, texts in given.items():
            document[name] = {key: column[row] for key, column in texts.items()}
        if subjects.bands:
            document["bands"] = {key: _runs(each, row) for key, each in subjects.bands.items()}
        if subjects.classes is not None:
            document["class"] = subjects.classes.names[int(subjects.classes.index[row])]
        carried = {
            name: [str(before[row].exact), str(from_fen(before[row].billed))]
            for name, before in subjects.carried.items()
            if before[row] != NOTHING
        }
        if carried:
            document["carried"] = carried
        yield document


def read_inputs(document: Mapping[str, Any]) -> Subjects:
    """Return the one subject that `inputs` wrote."""
    before, days, period_days = document["days"]
    named = document.get("class")
    return Subjects(
        count=1,
        period_days=period_days,
        days=single(days),
        days_before=single(before),
        use=_columns(document, "use"),
        before_year=_columns(document, "before_year"),
        before_quarter=_columns(document, "before_quarter"),
        attributes=_columns(document, "attributes"),
        demand={_need(key): each for key, each in _columns(document, "demand").items()},
        peak_before={_need(key): each for key, each in _columns(document, "peak_before").items()},
        bands={key: _band_use(runs) for key, runs in document.get("bands", {}).items()},
        classes=None if named is None else Classes.of([named]),
        carried={
            name: (Carried(Fraction(exact), to_fen(Decimal(billed))),)
            for name, (exact, billed) in document.get("carried", {}).items()
        },
    )


def parts(line: ChargeColumns) -> Iterator[list[dict[str, Any]]]:
    """Yield the quantities at prices that each row of a line came apart into.

    A part that is still to be divided, as for a part of a month, says by what; one whose bound the
    file does not say, as with wider steps for many persons, says up to where it goes.
    """
    prices = [{"price": plain(from_price(price))} for price in line.parts.price.tolist()]
    more = zip(_divisors(line.parts), _bounds(line.parts), strict=True)
    for quantities, (divided, bounds) in zip(line.parts.quantity.tolist(), more, strict=True):
        yield [
            {"quantity": quantity_text(quantity), **price, **bound, **divided}
            for quantity, price, bound in zip(quantities, prices, bounds, strict=True)
        ]


def _divisors(parts: Parts) -> Iterable[dict[str, int]]:
    if parts.divisor is None:
        return itertools.repeat({}, len(parts.quantity))
    return [{"divisor": divisor} for divisor in parts.divisor.tolist()]


def _bounds(parts: Parts) -> Iterable[list[dict[str, str]]]:
    """Return for each row what each part says of its bound."""
    count, width = parts.quantity.shape
    if parts.until is None:
        return itertools.repeat([{}] * width, count)
    columns = [
        itertools.repeat({}, count)
        if bound is None
        else [{"until": quantity_text(row)} for row in np.broadcast_to(bound, count).tolist()]
        for bound in parts.until
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def tax_stated(line: ChargeColumns) -> Iterator[dict[str, Any]]:
    """Yield the tax that each row of a line states: `{"tax": {…}}`, or nothing where none is."""
    if line.tax is None:
        yield from itertools.repeat({}, len(line.amount))
        return
    tax = {"name": line.tax.tax.name, "percent": plain(line.tax.tax.percent)}
    for amount in line.tax.amount.tolist():
        yield {"tax": {**tax, "amount": str(from_fen(amount))}}


def _texts(columns: Mapping[str, Column]) -> dict[str, list[str]]:
    return {name: list(map(quantity_text, column.tolist())) for name, column in columns.items()}


def _by_text(columns: Mapping[DemandNeed, Column]) -> dict[str, Column]:
    return {
        f"{need.register}/{need.minutes}/{need.ratchet_months}": column
        for need, column in columns.items()
    }


def _need(text: str) -> DemandNeed:
    register, minutes, months = text.split("/")
    return DemandNeed(register, int(minutes), int(months))


def _runs(bands: BandUse, row: int) -> list[list[str]]:
    quantities = map(quantity_text, bands.quantity[row].tolist())
    return [[name, text] for name, text in zip(bands.names, quantities, strict=True)]


def _band_use(runs: list[list[str]]) -> BandUse:
    quantities = [to_scaled(Decimal(text)) for _, text in runs]
    return BandUse(tuple(name for name, _ in runs), np.array([quantities], dtype=np.int64))


def _columns(document: Mapping[str, Any], name: str) -> dict[str, Column]:
    return {key: single(to_scaled(Decimal(text))) for key, text in document.get(name, {}).items()}
