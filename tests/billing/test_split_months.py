"""Months in which something changes: what each holder owes of each part, as a clerk would say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    ENERGY_STEPS,
    FEE,
    POOLS,
    POWER,
    PUBLIC,
    WATER,
    ZONE,
    Books,
    changed,
    community_document,
    reading,
)

from billing.pools.pool import parse_pool
from billing.store import changes, definitions, holders, registry
from billing.store.changes import Change
from billing.store.holders import Shown
from billing.tariff import parse_tariff
from meters.interval import local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 3, tzinfo=UTC)
USED, AT_15, AT_20 = Decimal("250.5"), Decimal("1130.2"), Decimal("1180.7")
"""What E-101 counted in October, from 1000 on, and showed at two midnights in it."""

Lines = dict[tuple[str, str], list[tuple[Decimal, Decimal]]]
"""(account, charge) → quantity and amount of each span."""


def change(day: int, unit: str = "101", month: int = 10) -> Change:
    return Change(
        community="yard",
        unit=unit,
        since=date(2026, month, day),
        actor="clerk",
        reason="as told",
        now=NOW,
    )


def apply(books: Books, make: Callable[..., object], *rest: Any, **named: Any) -> None:
    with books.database.transaction() as connection:
        make(connection, *rest, **named)


def define(books: Books, *tariffs: dict[str, Any]) -> None:
    with books.database.transaction() as connection:
        for tariff in tariffs:
            definitions.add_tariff(connection, parse_tariff(tariff, tariff["id"]))


def read_at(books: Books, day: int, **shown: str) -> None:
    """Put readings of meters at a midnight of October into the archive: `E_101="1130.2"`."""
    midnight = local_midnight(date(2026, 10, day), ZONE)
    books.archive.append(
        [reading(meter.replace("_", "-"), midnight, value) for meter, value in shown.items()]
    )


def billed(books: Books, unit: str = "101") -> Lines:
    rows = books.rows(
        "SELECT account.code, charge, bill_line.quantity, amount FROM bill_line"
        " JOIN bill ON bill.id = bill_id JOIN account ON account.id = account_id"
        " JOIN unit ON unit.id = bill.unit_id"
        " WHERE unit.code = :unit ORDER BY bill.number, position",
        unit=unit,
    )
    found: Lines = {}
    for account, charge, quantity, amount in rows:
        line = Decimal(quantity).scaleb(-4), Decimal(amount).scaleb(-2)
        found.setdefault((account, charge), []).append(line)
    return found


def cents(exact: Fraction) -> int:
    """Return an amount in cents, half-up."""
    return int(exact * 100 + Fraction(1, 2))


def stepped(end: Decimal, start: Decimal = Decimal(0)) -> Fraction:
    """Return what the use between two points of the year costs by the yearly steps."""

    def up_to(use: Decimal) -> Fraction:
        cost, floor = Fraction(0), Decimal(0)
        for until, price in ENERGY_STEPS:
            top = use if until is None else min(use, Decimal(until))
            cost += Fraction(max(top - floor, Decimal(0))) * Fraction(price)
            floor = use if until is None else Decimal(until)
        return cost

    return up_to(end) - up_to(start)


def holds(books: Books) -> None:
    """Assert that the run can be verified to the last line."""
    assert books.verify(1).failures == []


@pytest.fixture
def parted(sqlite_books: Books) -> Books:
    """The community, with a tenant who moved into 101 on the 15th; the meters were read by hand."""
    shown = [
        Shown("E-101", {"import_energy": AT_15}, "e.jpg"),
        Shown("W-101", {"volume": Decimal("20.5")}),
    ]
    apply(sqlite_books, holders.move_in, change(15), code="T-101", holder="李", shown=shown)
    for pool in POOLS:
        who_pays = {**pool, "version": 2, "owner_change": "by days"}
        with sqlite_books.database.transaction() as connection:
            community_id = registry.community_ids(connection)["yard"]
            definitions.add_pool(connection, community_id, parse_pool(who_pays, pool["id"]))
    return sqlite_books


def test_each_holder_gets_a_bill_of_his_days_and_his_use(parted: Books) -> None:
    parted.bill()

    lines = billed(parted)
    first, second = AT_15 - 1000, USED - (AT_15 - 1000)
    assert [quantity for quantity, _ in lines["A-101", "energy"]] == [first]
    assert [quantity for quantity, _ in lines["T-101", "energy"]] == [second]
    ((_, owner),), ((_, tenant),) = lines["A-101", "energy"], lines["T-101", "energy"]
    assert owner * 100 == cents(stepped(first))
    assert tenant * 100 == cents(stepped(USED, first))  # the steps of the year go on
    ((_, fee_14),), ((_, fee_17),) = lines["A-101", "property-fee"], lines["T-101", "property-fee"]
    whole = Fraction("88.5") * Fraction("2.35")
    assert (fee_14 * 100, fee_17 * 100) == (cents(whole * 14 / 31), cents(whole * 17 / 31))
    numbers = parted.rows("SELECT number FROM bill ORDER BY number")
    assert numbers == [(f"yard-2026-10-000{n}",) for n in range(1, 6)]
    holds(parted)


def test_a_recorded_register_stands_in_the_evidence_with_its_picture(parted: Books) -> None:
    parted.bill()

    rows = parted.rows(
        "SELECT evidence FROM usage JOIN point ON point.id = point_id"
        " WHERE code = 'E-101' ORDER BY start"
    )
    first, second = (text for (text,) in rows)
    for text in (first, second):
        assert '"photo":"e.jpg"' in text
        assert '"source":"recorded","value":"1130.2"' in text.replace('"readings":[],', "")


def test_between_holders_nothing_is_shared_by_an_estimate(sqlite_books: Books) -> None:
    apply(sqlite_books, holders.move_in, change(15), code="T-101", holder="李")

    run = sqlite_books.compute(sqlite_books.create())

    assert run.state == "blocked"
    missing = {each.subject for each in run.communities[0].problems}
    assert {"E-101", "W-101"} <= missing


def test_a_month_goes_on_after_a_parted_one(parted: Books) -> None:
    parted.bill("2026-10")
    parted.bill("2026-11")

    rows = parted.rows(
        "SELECT amount FROM bill_line JOIN bill ON bill.id = bill_id"
        " JOIN account ON account.id = account_id"
        " WHERE account.code = 'T-101' AND charge = 'energy' AND bill.period = '2026-11'"
    )
    november = Decimal("1441.25") - Decimal("1250.5")
    assert rows == [(cents(stepped(USED + november, USED)),)]
    assert parted.verify(2).failures == []


def test_an_area_that_changes_is_billed_by_its_days(sqlite_books: Books) -> None:
    apply(sqlite_books, changes.set_attribute, change(11), "area", Decimal(100))
    sqlite_books.bill()

    lines = billed(sqlite_books)
    fees = [amount for _, amount in lines["A-101", "property-fee"]]
    price = Fraction("2.35")
    first, second = Fraction("88.5") * price * 10 / 31, 100 * price * 21 / 31
    assert [each * 100 for each in fees] == [cents(first), cents(first + second) - cents(first)]
    assert len(lines["A-101", "energy"]) == 1  # power does not read the area
    ((quantity, _),) = lines["A-101", "energy"]
    assert quantity == USED
    holds(sqlite_books)


def test_a_fixed_fee_in_parts_is_the_whole_fee(sqlite_books: Books) -> None:
    for day in (5, 9, 23):
        apply(sqlite_books, changes.set_attribute, change(day), "area", Decimal(80 + day))
    sqlite_books.bill()

    refuse = [amount for _, amount in billed(sqlite_books)["A-101", "refuse"]]
    assert len(refuse) == 4
    assert sum(refuse) == Decimal("6.00")
    holds(sqlite_books)


DEARER = [[200, "0.5"], [400, "0.6"], ["0.9"]]
LATER = {
    **POWER,
    "version": 2,
    "valid_from": date(2026, 10, 20),
    "charge": [{**POWER["charge"][0], "steps": DEARER}],
    "example": [{"usage": "241", "expect": "124.60"}],
}


def test_a_price_that_changes_is_split_by_the_reading_of_that_midnight(sqlite_books: Books) -> None:
    define(sqlite_books, LATER)
    read_at(sqlite_books, 20, E_101=str(AT_20))
    sqlite_books.bill()

    (first, cheap), (second, dear) = billed(sqlite_books)["A-101", "energy"]
    assert (first, second) == (AT_20 - 1000, USED - (AT_20 - 1000))
    assert cheap * 100 == cents(stepped(first))
    exact = stepped(first) + Fraction(200 - first) / 2 + Fraction(USED - 200) * Fraction("0.6")
    assert dear * 100 == cents(exact) - cents(stepped(first))
    holds(sqlite_books)


def test_without_a_reading_the_use_is_split_by_days_and_it_is_said(sqlite_books: Books) -> None:
    define(sqlite_books, LATER)
    sqlite_books.bill()

    (first, _), (second, _) = billed(sqlite_books)["A-101", "energy"]
    assert first + second == USED
    assert first == round(USED * 19 / 31, 2)  # in steps of the meter's display
    ((evidence,),) = sqlite_books.rows(
        "SELECT evidence FROM usage JOIN point ON point.id = point_id"
        " WHERE code = 'E-101' ORDER BY start LIMIT 1 OFFSET 1"
    )
    assert '"kind":"SplitByDays"' in evidence
    assert '"method":"by days"' in evidence or '"method":"by-days"' in evidence
    holds(sqlite_books)


def test_a_class_that_changes_brings_its_own_tariffs(blank_books: Books) -> None:
    shop = {
        **POWER,
        "id": "shop-power",
        "charge": [
            {"name": "energy", "title": {"en": "e"}, "kind": "per-unit", "price": "1"}
            | {"register": "import_energy"}
        ],
        "example": [{"usage": "10", "expect": "10.00"}],
    }
    document = community_document()
    document["tariffs"]["shop"] = ["shop-power", "water"]
    document = changed(
        document,
        unit={"101": {"since": [{"day": date(2026, 10, 15), "customer_class": "shop"}]}},
    )
    blank_books.define(document, tariffs=(POWER, WATER, FEE, PUBLIC, shop), pools=POOLS)
    read_at(blank_books, 15, E_101=str(AT_15), W_101="20.5")
    blank_books.bill()

    lines = billed(blank_books)
    (home, _), (trade, amount) = lines["A-101", "energy"]
    assert (home, trade) == (AT_15 - 1000, USED - (AT_15 - 1000))
    assert amount == trade.quantize(Decimal("0.01"))
    ((_, fee),) = lines["A-101", "property-fee"]
    assert fee * 100 == cents(Fraction("88.5") * Fraction("2.35") * 14 / 31)
    holds(blank_books)


def test_a_unit_may_have_tariffs_of_its_own(sqlite_books: Books) -> None:
    apply(sqlite_books, changes.set_tariffs, change(1), ["fee"])
    sqlite_books.bill()

    charges = {charge for _, charge in billed(sqlite_books)}
    assert {"property-fee", "refuse"} <= charges
    assert not charges & {"energy", "water", "sewage"}


def test_a_first_reading_never_bills_the_whole_register(sqlite_books: Books) -> None:
    """The meter showed 1000 when the month began, and nothing was billed before."""
    sqlite_books.bill()

    ((quantity,),) = sqlite_books.rows(
        "SELECT quantity FROM usage JOIN point ON point.id = point_id WHERE code = 'E-101'"
    )
    assert Decimal(quantity).scaleb(-4) == USED  # not 1250.5


def test_a_back_filled_reading_is_not_billed_twice(sqlite_books: Books) -> None:
    """A gateway that was offline sends readings of October after October was billed."""
    sqlite_books.bill("2026-10")
    read_at(sqlite_books, 15, E_101=str(AT_15))
    read_at(sqlite_books, 20, E_101=str(AT_20))
    sqlite_books.bill("2026-11")

    rows = sqlite_books.rows(
        "SELECT quantity FROM usage JOIN point ON point.id = point_id"
        " WHERE code = 'E-101' ORDER BY start"
    )
    november = Decimal("1441.25") - 1000 - USED
    assert [Decimal(each).scaleb(-4) for (each,) in rows] == [USED, november]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York"])
def test_months_from_the_31st_on_end_with_every_month(zone: str, blank_books: Books) -> None:
    """Who moves in on the 31st is billed a day of October, and all of November."""
    document = {**community_document(), "zone": zone}
    blank_books.define(document)
    apply(blank_books, changes.set_attribute, change(31), "area", Decimal("88.5"))
    apply(blank_books, changes.set_attribute, change(30), "area", Decimal("88.4"))
    with blank_books.database.snapshot() as connection:
        spans = {
            period: registry.read(connection, 1, period).units[0].spans
            for period in ("2026-10", "2026-11")
        }
    assert [span.days for span in spans["2026-10"]] == [29, 1, 1]
    assert [span.days for span in spans["2026-11"]] == [30]
    assert spans["2026-11"][0].interval.start == spans["2026-10"][-1].interval.end
