"""What a line was rated with and came apart into, as the evidence that is frozen with it."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from billing.canonical import evidence_json, read_json, text_json
from billing.evidence import quantity_text, quantity_texts
from billing.money import from_fen, from_price, to_fen
from billing.rating.exact import NOTHING, Carried
from billing.rating.subjects import BandUse, Classes, DemandNeed, Subjects
from meters.quantity import plain, to_scaled_column

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from billing.money import Column
    from billing.rating.rate import ChargeColumns

_TABLES = ("use", "before_year", "before_quarter", "attributes", "demand", "peak_before")
"""The inputs that are quantities by name."""


def input_texts(subjects: Subjects) -> list[str]:
    """Return what each row holds as canonical JSON; what a tariff does not read is left out."""
    before, days = subjects.days_before.tolist(), subjects.days.tolist()
    fields = {
        "use": _tables(subjects.use),
        "before_year": _tables(subjects.before_year),
        "before_quarter": _tables(subjects.before_quarter),
        "attributes": _tables(subjects.attributes),
        "demand": _tables(_by_text(subjects.demand)),
        "peak_before": _tables(_by_text(subjects.peak_before)),
        "bands": _joined({key: _runs(each) for key, each in subjects.bands.items()}),
        "days": [
            f"[{first},{count},{subjects.period_days}]"
            for first, count in zip(before, days, strict=True)
        ],
    }
    if subjects.classes is not None:
        names = list(map(text_json, subjects.classes.names))
        fields["class"] = [names[place] for place in subjects.classes.index.tolist()]
    if subjects.carried:
        fields["carried"] = list(map(_carried, _by_row(subjects.carried)))
    given = [
        [f'"{name}":{text}' if text else "" for text in texts]
        for name, texts in sorted(fields.items())
        if texts
    ]
    return [f"{{{','.join(filter(None, row))}}}" for row in zip(*given, strict=True)]


def inputs(subjects: Subjects) -> Iterator[dict[str, Any]]:
    """Yield what `input_texts` say."""
    return map(read_json, input_texts(subjects))


def shape(document: Mapping[str, Any]) -> Hashable:
    """Return what documents of `inputs` must have in common to be read by `read_rows` together."""
    tables = [(name, *sorted(document[name])) for name in _TABLES if name in document]
    bands = [
        (key, *(name for name, _ in runs))
        for key, runs in sorted(document.get("bands", {}).items())
    ]
    return tuple(document["days"]), "class" in document, tuple(tables), tuple(bands)


def read_rows(documents: Sequence[Mapping[str, Any]]) -> Subjects:
    """Return the subjects that `inputs` wrote, a row each; all are of one `shape`."""
    before, days, (period_days, *_) = zip(*(each["days"] for each in documents), strict=True)
    charges = sorted({name for each in documents for name in each.get("carried", ())})
    first = documents[0]
    return Subjects(
        count=len(documents),
        period_days=period_days,
        days=np.array(days, dtype=np.int64),
        days_before=np.array(before, dtype=np.int64),
        use=_columns(documents, "use"),
        before_year=_columns(documents, "before_year"),
        before_quarter=_columns(documents, "before_quarter"),
        attributes=_columns(documents, "attributes"),
        demand={_need(key): each for key, each in _columns(documents, "demand").items()},
        peak_before={_need(key): each for key, each in _columns(documents, "peak_before").items()},
        bands={
            key: _band_use([each["bands"][key] for each in documents])
            for key in first.get("bands", {})
        },
        classes=Classes.of([each["class"] for each in documents]) if "class" in first else None,
        carried={
            name: [_read_carried(each.get("carried", {}).get(name)) for each in documents]
            for name in charges
        },
    )


def read_inputs(document: Mapping[str, Any]) -> Subjects:
    """Return the one subject that `inputs` wrote."""
    return read_rows([document])


def part_texts(line: ChargeColumns) -> list[str]:
    """Return as canonical JSON the quantities at prices that each row of a line came apart into.

    A part that is still to be divided, as for a part of a month, says by what; one whose bound the
    file does not say, as with wider steps for many persons, says up to where it goes.
    """
    count, width = line.parts.quantity.shape
    if not width:
        return ["[]"] * count
    written: list[list[str]] = []
    priced = []
    divided = "" if line.parts.divisor is None else '"divisor":%s,'
    for place, price in enumerate(line.parts.price.tolist()):
        until = None if line.parts.until is None else line.parts.until[place]
        if line.parts.divisor is not None:
            written.append(list(map(str, line.parts.divisor.tolist())))
        written.append(quantity_texts(line.parts.quantity[:, place]))
        if until is not None:
            written.append(quantity_texts(np.broadcast_to(until, count)))
        bound = "" if until is None else ',"until":"%s"'
        priced.append(f'{{{divided}"price":"{plain(from_price(price))}","quantity":"%s"{bound}}}')
    return _filled(f"[{','.join(priced)}]", written)


def parts(line: ChargeColumns) -> Iterator[list[dict[str, Any]]]:
    """Yield what `part_texts` say."""
    return map(read_json, part_texts(line))


def line_texts(given: Sequence[str], line: ChargeColumns) -> list[str]:
    """Return the evidence of each row of a line: the texts of its inputs, its parts, its tax."""
    taxes = (f",{evidence_json(tax)[1:-1]}" if tax else "" for tax in tax_stated(line))
    return [
        f'{{"inputs":{inputs_},"parts":{steps}{tax}}}'
        for inputs_, steps, tax in zip(given, part_texts(line), taxes, strict=True)
    ]


def tax_stated(line: ChargeColumns) -> Iterator[dict[str, Any]]:
    """Yield the tax that each row of a line states: `{"tax": {…}}`, or nothing where none is."""
    if line.tax is None:
        yield from itertools.repeat({}, len(line.amount))
        return
    tax = {"name": line.tax.tax.name, "percent": plain(line.tax.tax.percent)}
    for amount in line.tax.amount.tolist():
        yield {"tax": {**tax, "amount": str(from_fen(amount))}}


def _tables(columns: Mapping[str, Column]) -> list[str]:
    """Return quantities by name, a table each row; nothing where there are no columns."""
    texts = {key: quantity_texts(column) for key, column in columns.items()}
    return _joined(texts, value='"%s"')


def _joined(columns: Mapping[str, list[str]], *, value: str = "%s") -> list[str]:
    """Return JSON texts by name as a JSON table each row; `value` is the form of each."""
    form = ",".join(f"{_literally(text_json(key))}:{value}" for key in sorted(columns))
    return _filled(f"{{{form}}}", [columns[key] for key in sorted(columns)])


def _filled(form: str, columns: Sequence[Sequence[str]]) -> list[str]:
    """Return `form` with the texts of each row in its places."""
    return [form % row for row in zip(*columns, strict=True)]


def _literally(text: str) -> str:
    """Return `text` as a form holds it."""
    return text.replace("%", "%%")


def _by_row(carried: Mapping[str, Sequence[Carried]]) -> Iterator[dict[str, Carried]]:
    for row in zip(*carried.values(), strict=True):
        yield dict(zip(carried, row, strict=True))


def _carried(row: Mapping[str, Carried]) -> str:
    """Return what the charges of a row carry as JSON; an empty text where they carry nothing."""
    document = {
        name: [str(before.exact), str(from_fen(before.billed)), *_limit(before)]
        for name, before in row.items()
        if before != NOTHING
    }
    return evidence_json(document) if document else ""


def _limit(before: Carried) -> list[str]:
    """Return what the amount of a minimum, cap or discount came to; nothing for other charges."""
    return [str(before.limit)] if before.limit else []


def _by_text(columns: Mapping[DemandNeed, Column]) -> dict[str, Column]:
    return {
        f"{need.register}/{need.minutes}/{need.ratchet_months}": column
        for need, column in columns.items()
    }


def _need(text: str) -> DemandNeed:
    register, minutes, months = text.split("/")
    return DemandNeed(register, int(minutes), int(months))


def _runs(bands: BandUse) -> list[str]:
    """Return the use by band of each row, as a JSON list of names with quantities."""
    form = ",".join([f'[{_literally(text_json(name))},"%s"]' for name in bands.names])
    texts = {each: quantity_text(each) for each in set(bands.quantity.ravel().tolist())}
    columns = [[texts[each] for each in column] for column in bands.quantity.T.tolist()]
    return _filled(f"[{form}]", columns)


def _band_use(rows: Sequence[list[list[str]]]) -> BandUse:
    names = tuple(name for name, _ in rows[0])
    quantities = _read_quantities([text for runs in rows for _, text in runs])
    return BandUse(names, quantities.reshape(len(rows), len(names)))


def _columns(documents: Sequence[Mapping[str, Any]], name: str) -> dict[str, Column]:
    return {
        key: _read_quantities([each[name][key] for each in documents])
        for key in documents[0].get(name, {})
    }


def _read_quantities(texts: Sequence[str]) -> Column:
    return np.array(to_scaled_column(map(Decimal, texts)), dtype=np.int64)


def _read_carried(texts: list[str] | None) -> Carried:
    if texts is None:
        return NOTHING
    exact, billed, *limit = texts
    return Carried(Fraction(exact), to_fen(Decimal(billed)), *map(Fraction, limit))
