"""Bundles: a bill is recomputed from its file alone, neighbours stay hidden, no change passes."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from forged_bundle import changed, exported, flipped, found, leaves
from hypothesis import given
from hypothesis import strategies as st
from small_community import LIGHTS, STARTS, after, reading

from billing import lifecycle
from billing.bundle import BundleError, sealed
from billing.bundle_check import check_bundle
from billing.masking import pseudonyms
from billing.pools.apportionment import odd_cent_key

if TYPE_CHECKING:
    from small_community import Books

NUMBER = "yard-2026-10-0002"

NOT_HELD = {
    r"bill\.number": "only that it is one of its community and month; which one, the company knows",
    r"bill\.(issued_on|due_on)": "dates change nothing that is owed",
    r"lines\.\d+\.evidence\.inputs\.before_year\..*": "earlier bills say what the year had used",
    r"usages\.\d+\.(point|unit)": "what a place is called, and what its unit is",
    r".*\.readings\.\d+\.raw": "what the meter sent; only the type of the meter can say more",
    r".*\.readings\.\d+\.time": "within the minutes that a reading may be late",
    r".*\.segments\.\d+\.modulus": "where the register passes zero, and it did not",
    r"statements\.\d+\.pool\.(version|title\..*|charging\.contract)": "what a pool is called",
    r"statements\.\d+\.evidence\.participants\.\d+\.(unit|account|building|floor|vacant)": (
        "of a unit that is left out, or where the pool does not go by it"
    ),
    r"statements\.\d+\.evidence\.participants\.\d+\.attributes\..*": "of a unit that is left out",
}
"""Values that a forger could change who seals the bundle anew, and why nothing follows from them.

Whoever compares the digest finds these too.
"""


@pytest.fixture
def bundle(sqlite_books: Books) -> dict[str, Any]:
    """The bundle of a bill, not sealed yet."""
    sqlite_books.bill()
    return exported(sqlite_books, NUMBER)


def test_an_exported_bill_is_recomputed_from_its_file_alone(sqlite_books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        sqlite_books.bill(period)
    bills = [number for (number,) in sqlite_books.rows("SELECT number FROM bill")]

    assert len(bills) == 8
    for number in bills:
        checked = check_bundle(sealed(exported(sqlite_books, number)))
        assert checked.differences == []
        ((total, lines),) = sqlite_books.rows(
            "SELECT total, count(*) FROM bill JOIN bill_line ON bill_id = id WHERE number = :n",
            n=number,
        )
        assert (checked.bill, checked.total, checked.lines) == (number, total, lines)
        assert checked.usages == 2
        assert checked.statements in (2, 3)


def test_the_same_bill_gives_the_same_file_on_every_database(books: Books) -> None:
    books.bill()

    file = sealed(exported(books, NUMBER))

    assert sealed(exported(books, NUMBER)) == file
    assert check_bundle(file).differences == []


def test_usage_opens_with_what_was_issued(sqlite_books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        sqlite_books.bill(period)
    first, second = (exported(sqlite_books, f"yard-2026-{month}-0002") for month in (10, 11))

    assert all("opens_with" not in usage for usage in first["usages"])
    for before, usage in zip(first["usages"], second["usages"], strict=True):
        closing = before["evidence"]["segments"][-1]["closing"]
        assert usage["opens_with"] == {"meter": closing["meter"], "value": closing["value"]}
    second["usages"][0]["opens_with"]["value"] = "98.3"
    assert (
        "usage of E-201, import_energy: opening: the bill says 98.4, "
        "the evidence gives 98.3, last issued"
    ) in found(sealed(second))


def test_every_change_is_found_by_the_digest(bundle: dict[str, Any]) -> None:
    file = sealed(bundle)
    for place in range(0, len(file), 97):
        other = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        assert found(other), (place, file[place - 20 : place + 20])


def test_every_change_that_matters_is_found_even_where_the_bundle_is_sealed_anew(
    bundle: dict[str, Any],
) -> None:
    unfound = set()
    for path, value in leaves(bundle):
        if not found(sealed(changed(bundle, path, flipped(value)))):
            unfound.add(".".join(map(str, path)))

    unexpected = {
        path for path in unfound if not any(re.fullmatch(each, path) for each in NOT_HELD)
    }
    assert unexpected == set()
    needless = {each for each in NOT_HELD if not any(re.fullmatch(each, one) for one in unfound)}
    assert needless == set(), "named as not held, and held"


def test_a_line_that_was_left_out_is_missed(bundle: dict[str, Any]) -> None:
    sewage = next(line for line in bundle["lines"] if line["charge"] == "sewage")
    bundle["lines"].remove(sewage)
    for position, line in enumerate(bundle["lines"], start=1):
        line["position"] = position
    bundle["bill"]["total"] -= sewage["amount"]

    assert found(sealed(bundle)) == ["lines: water gives 1 of sewage, the bill has 0"]


def test_a_cent_that_moves_between_neighbours_is_found(bundle: dict[str, Any]) -> None:
    lights = bundle["statements"][1]
    lights["shares"][1]["amount"] += 1
    lights["shares"][2]["amount"] -= 1

    assert [each.partition(":")[0] for each in found(sealed(bundle))] == [
        "statement of lights in 2026-10"
    ] * 2


def test_neighbours_are_numbers(bundle: dict[str, Any]) -> None:
    text = json.dumps(bundle, ensure_ascii=False)

    for name in ("101", "202", "301"):
        assert f'"{name}"' not in text
        assert f"A-{name}" not in text
    assert "王" not in text
    assert '"201"' in text
    household = bundle["statements"][1]["evidence"]["participants"]
    assert {key for each in household for key in each} == {
        *("unit", "account", "building", "first_day", "days", "vacant")
    }, "no floor and no area: this pool goes by household"


def test_pools_that_name_units_are_masked_alike(blank_books: Books) -> None:
    weights = {"101": "1", "201": "2.5", "202": "1.25", "301": "3"}
    pool = {
        **{key: value for key, value in LIGHTS.items() if key != "example"},
        "basis": "weights",
        "weights": weights,
        "scope": {"exclude": {"units": ["301"]}},
        "example": [
            {
                "period": "2026-01",
                "quantity": "10",
                "amount": "4.75",
                "participants": [{"unit": unit} for unit in weights],
                "expect": {"101": "1.00", "201": "2.50", "202": "1.25"},
            }
        ],
    }
    blank_books.define(pools=[pool])
    blank_books.bill()

    bundle = exported(blank_books, NUMBER)

    assert check_bundle(sealed(bundle)).differences == []
    (statement,) = bundle["statements"]
    assert statement["pool"]["weights"]["201"] == "2.5"
    assert sorted(statement["pool"]["weights"].values()) == ["1", "1.25", "2.5", "3"]
    (left_out,) = statement["pool"]["scope"]["exclude"]["units"]
    assert statement["pool"]["weights"][left_out] == "3"
    assert not {"101", "202", "301"} & set(statement["pool"]["weights"])


def test_a_correction_brings_the_line_that_it_takes_back(sqlite_books: Books) -> None:
    sqlite_books.bill()
    sqlite_books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), "1251")])
    sqlite_books.bill_run(
        lifecycle.correct(
            sqlite_books.database,
            community="yard",
            first="2026-10",
            actor="clerk",
            now=after("2026-10"),
        )
    )
    bundle = exported(sqlite_books, "yard-2026-10-0005")

    assert [line["corrects"]["reversal"] for line in bundle["lines"]] == [True, False]
    assert [(each["bill"], each["line"]["position"]) for each in bundle["reversed"]] == [
        ("yard-2026-10-0001", 1)
    ]
    assert check_bundle(sealed(bundle)).differences == []

    bundle["lines"][0]["amount"] += 1
    bundle["bill"]["total"] += 1
    assert found(sealed(bundle)) == [
        "line 1, energy: amount: the bill says -124.83, the evidence gives -124.84"
    ]
    bundle["reversed"][0]["line"]["amount"] -= 1
    (earlier,) = found(sealed(bundle))
    assert earlier.startswith(
        "bill yard-2026-10-0001, line 1, energy: amount: the bill says 124.83"
    )


@given(
    names=st.sets(st.text(min_size=1, max_size=6), min_size=1, max_size=30),
    period=st.sampled_from(["2026-10", "2026-11", "2027-02"]),
)
def test_numbers_have_the_turns_of_the_names(names: set[str], period: str) -> None:
    own = min(names)
    numbers = pseudonyms(names, kept={own}, pool="lights", period=period)

    def order(units: list[str | None]) -> list[str | None]:
        return sorted(units, key=lambda unit: odd_cent_key(unit, pool="lights", period=period))

    assert numbers[own] == own
    assert len(set(numbers.values())) == len(names)
    assert not (set(numbers.values()) - {own}) & names or any("~" in name for name in names)
    by_name = order([*names, None])
    assert order([*numbers.values(), None]) == [
        None if name is None else numbers[name] for name in by_name
    ]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is no JSON, or was cut off"),
    "no text": (b"\xff\xfe\x00", "byte 0 is not UTF-8"),
    "another file": (b"[1,2]\n", "is no bundle of a bill"),
    "another kind": (b'{"kind":"tariff"}\n', "is no bundle of a bill"),
    "a bundle of nothing": (b'{"kind":"bill-bundle","version":1}\n', "bundle: bill: is missing"),
    "ten thousand digits": (b'{"kind":' + b"9" * 10_000 + b"}", "which is beyond 64 bits"),
    "a number that is none": (b'{"kind":NaN}', "bundles hold whole numbers and texts"),
    "a fraction": (b'{"kind":1.5}', "bundles hold whole numbers and texts"),
    "a deep list": (b"[" * 100_000 + b"]" * 100_000, "nested more than 32 deep"),
    "a list a little too deep": (b"[" * 40 + b"]" * 40, "nested more than 32 deep"),
    "a long text": (b'{"kind":"' + b"x" * 30_000 + b'"}', "holds a text of 30000 characters"),
    "half a character": (b'{"kind":"\\ud800"}', "holds half a character"),
    "too large": (b" " * (64 * 2**20 + 1), "is larger than"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_no_bundle_is_told_in_a_line(name: str) -> None:
    file, words = HOSTILE[name]
    with pytest.raises(BundleError, match=re.escape(words)) as told:
        check_bundle(file)
    assert len(str(told.value).splitlines()) < 10


def test_a_file_that_was_cut_off_anywhere_is_told(bundle: dict[str, Any]) -> None:
    file = sealed(bundle)
    for length in range(0, len(file) - 1, 211):
        with pytest.raises(BundleError, match=r"cut off|no bundle"):
            check_bundle(file[:length])


def test_a_file_that_holds_a_key_twice_is_told(bundle: dict[str, Any]) -> None:
    file = sealed(bundle).replace(b'"total":', b'"total":1,"total":', 1)
    assert any(each.startswith("file: it was written again") for each in found(file))


WRONG: list[Any] = [
    *(None, True, -1, 2**62, "", "x", "NaN", "-0", "1E9999", "1E999999999", "9" * 400),
    *([], [[]], {}, {"x": 1}, [None] * 3),
]


def test_values_of_any_shape_give_words_and_no_traceback(bundle: dict[str, Any]) -> None:
    """Leaves, and the tables and lists around them, are exchanged for all that is wrong."""
    paths = {
        path[:size] for path, _ in list(leaves(bundle))[::7] for size in range(1, len(path) + 1)
    }
    for turn, path in enumerate(sorted(paths, key=str)):
        for wrong in (WRONG[turn % len(WRONG)], WRONG[(turn * 7 + 3) % len(WRONG)]):
            for said in found(sealed(changed(bundle, path, wrong))):
                assert "Traceback" not in said


@pytest.mark.parametrize("raw", ["33302e383435", "12e99999", "1e999999999"])
def test_raw_words_that_look_like_numbers_are_no_numbers(raw: str) -> None:
    with pytest.raises(BundleError, match="bundle: bill: is missing"):
        check_bundle(json.dumps({"kind": "bill-bundle", "version": 1, "raw": raw}).encode())
    with pytest.raises(BundleError, match="which nothing can be"):
        check_bundle(json.dumps({"kind": "bill-bundle", "value": raw}).encode())
