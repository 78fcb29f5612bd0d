"""What a line was rated with is written, read back, and rated again to the same line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from rating_clerk import REGISTER, column, homes_as_columns, tariff_of
from tariff_oracle import Home

from billing.canonical import canonical_json, read_json
from billing.rating.evidence import input_texts, inputs, line_texts, parts, read_inputs
from billing.rating.exact import Carried
from billing.rating.rate import rate
from billing.rating.subjects import Subjects

if TYPE_CHECKING:
    from fractions import Fraction

CHARGES = [
    {
        "name": "steps",
        "kind": "time-of-use-steps",
        "per": "year",
        "register": REGISTER,
        "fill": "chronological",
        "times": "dwellings",
        "steps": [[10, {"peak": "1", "valley": "0.5"}], [{"peak": "2", "valley": "1.5"}]],
    },
    {
        "name": "demand",
        "kind": "demand",
        "register": REGISTER,
        "minutes": 30,
        "price": "38",
        "ratchet": {"months": 11, "share": "0.8"},
    },
    {"name": "fee", "kind": "per-area", "price": "2.35", "classes": ["home"]},
]
CALENDAR = {"days": [{"bands": [["00:00", "valley"], ["08:00", "peak"]]}]}
NUMBERS = st.integers(0, 10**7)


@given(
    st.lists(
        st.tuples(*[NUMBERS] * 5, st.integers(1, 28), st.sampled_from(["home", "shop"])),
        min_size=1,
        max_size=3,
    ),
    st.fractions(-1, 1, max_denominator=31),
)
def test_evidence_gives_the_line_again(
    rows: list[tuple[int, int, int, int, int, int, str]], rest: Fraction
) -> None:
    tariff = tariff_of(CHARGES, calendar=CALENDAR)
    homes = [
        Home(
            use={REGISTER: valley + peak},
            before_year={REGISTER: before},
            runs=(("valley", valley), ("peak", peak)),
            demand=demand,
            peak=earlier,
            attributes={"area": demand, "dwellings": 20_000},
            days=days,
            customer_class=whose,
        )
        for valley, peak, before, demand, earlier, days, whose in rows
    ]
    columns = homes_as_columns(tariff, homes, 31, {"fee": [Carried(rest, 7)] * len(homes)})
    lines = rate(tariff, columns)
    given_texts = input_texts(columns)
    for text in (each for line in lines for each in line_texts(given_texts, line)):
        assert canonical_json(read_json(text)) == text
    for row, document in enumerate(inputs(columns)):
        kept = json.loads(json.dumps(document))
        again = rate(tariff, read_inputs(kept))
        assert next(inputs(read_inputs(kept))) == document
        for line, repeated in zip(lines, again, strict=True):
            assert int(repeated.amount[0]) == int(line.amount[row])
            assert int(repeated.quantity[0]) == int(line.quantity[row])
            assert next(parts(repeated)) == list(parts(line))[row]


def test_what_is_not_read_leaves_no_trace() -> None:
    subjects = Subjects.one(period_days=30, use={REGISTER: 12_345})

    assert list(inputs(subjects)) == [{"days": [0, 30, 30], "use": {REGISTER: "1.2345"}}]


def test_parts_say_what_divides_them_and_where_they_end() -> None:
    tariff = tariff_of(
        [
            {
                "name": "water",
                "kind": "steps",
                "per": "month",
                "register": REGISTER,
                "steps": [[12, "2"], ["3"]],
            },
            {"name": "fee", "kind": "fixed", "amount": "15"},
        ]
    )
    home = Home(use={REGISTER: 50_000}, days=12)
    water, fee = rate(tariff, homes_as_columns(tariff, [home], 30))

    assert list(parts(water)) == [
        [{"quantity": "4.8", "price": "2", "until": "4.8"}, {"quantity": "0.2", "price": "3"}]
    ]
    assert list(parts(fee)) == [[{"quantity": "12", "price": "15", "divisor": 30}]]


def test_a_column_of_no_rows_has_no_evidence() -> None:
    empty = Subjects(count=0, period_days=30, days=column([]), days_before=column([]))

    assert list(inputs(empty)) == []
