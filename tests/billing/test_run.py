"""A run, from readings to bills: each line as a clerk works it out, or parked with a reason."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    ENERGY_STEPS,
    FEE,
    LIFT,
    LIFT_MULTIPLIER,
    LIGHTS,
    POOLS,
    POWER,
    PUBLIC,
    PUMP,
    SHOWN,
    STARTS,
    TARIFFS,
    UNITS,
    WATER,
    WATER_STEPS,
    ZONE,
    Books,
    boundary_readings,
    changed,
    community_document,
    reading,
)

from billing import lifecycle, run
from billing.problem import Problem
from billing.store.definitions import UnknownPointError, VersionExistsError
from meters.interval import local_midnight
from meters.reading import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from meters.archive.sql import SqlArchive

CENT = Decimal("0.01")
WRAPS_AT = Decimal(1_000_000)  # eight digits of 0.01 kWh
UPSTAIRS = ("201", "202", "301")

Lines = dict[tuple[str, str], tuple[Decimal, Decimal]]
"""(unit, charge) → quantity and amount."""


def used(meter: str, month: int = 0) -> Decimal:
    opening, closing = (Decimal(SHOWN[meter][place]) for place in (month, month + 1))
    return closing - opening if closing >= opening else closing - opening + WRAPS_AT


def half_up(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def stepped(steps: tuple[tuple[str | None, str], ...], start: Decimal, use: Decimal) -> Decimal:
    """Return the cost of `use` after `start`, filling one block after the other."""
    cost, at, left = Decimal(0), start, use
    for until, price in steps:
        room = left if until is None else max(Decimal(until) - at, Decimal(0))
        taken = min(room, left)
        cost, at, left = cost + taken * Decimal(price), at + taken, left - taken
    assert left == 0
    return cost


Owed = dict[str | None, Fraction]
"""What cutting exact shares to whole steps has owed each so far."""


def split(
    whole: Decimal,
    weights: dict[str | None, Fraction],
    step: Decimal,
    *,
    turn: list[str],
    owed: Owed,
) -> tuple[dict[str | None, Decimal], Owed]:
    """Cut exact shares to steps; hand out what is left to those whom cuts have owed most so far."""
    steps, sum_of_weights = int(whole / step), sum(weights.values())
    exact = {unit: steps * weight / sum_of_weights for unit, weight in weights.items()}
    parts = {unit: int(share) for unit, share in exact.items()}

    def loss(unit: str | None) -> tuple[Fraction, bytes]:
        tie = hashlib.sha256(json.dumps([*turn, unit]).encode()).digest()
        return parts[unit] - exact[unit] - owed.get(unit, 0), tie

    cut = [unit for unit in exact if parts[unit] != exact[unit]]
    for unit in sorted(cut, key=loss)[: steps - sum(parts.values())]:
        parts[unit] += 1
    after = {unit: owed.get(unit, 0) + exact[unit] - part for unit, part in parts.items()}
    return {unit: part * step for unit, part in parts.items()}, after


def shared(month: int) -> tuple[Lines, dict[str, Owed]]:
    """Return what each owner bears of the lift, the lights and the pump, and what is owed then."""
    period = ("2026-10", "2026-11")[month]
    before: dict[str, Owed] = shared(month - 1)[1] if month else {}
    after: dict[str, Owed] = {}
    areas: dict[str | None, Fraction] = {unit: Fraction(UNITS[unit][1]) for unit in UPSTAIRS}
    areas[None] = sum(areas.values()) / 9  # the company agreed to bear a tenth of the whole
    pools: dict[str, tuple[Decimal, dict[str | None, Fraction]]] = {
        "lift": (used("lift", month) * Decimal(LIFT_MULTIPLIER), areas),
        "lights": (used("lights", month), {unit: Fraction(1) for unit in UNITS}),
        "pump": (used("pump", month), {u: Fraction(used(f"W-{u}", month)) for u in UNITS}),
    }
    lines: Lines = {}
    for pool, (quantity, weights) in pools.items():
        cost = half_up(quantity * Decimal("0.5583"))
        turn = [pool, period]
        quantities, _ = split(quantity, weights, Decimal("0.0001"), turn=turn, owed={})
        owed = before.get(pool, {})
        amounts, after[pool] = split(cost, weights, CENT, turn=turn, owed=owed)
        assert (sum(quantities.values()), sum(amounts.values())) == (quantity, cost)
        for unit in weights:
            company_pays = unit is None or (pool == "lights" and UNITS[unit][2])
            if not company_pays:
                lines[str(unit), pool] = (quantities[unit], amounts[unit])
    return lines, after


def clerk(month: int = 0) -> Lines:
    """Return every line of the small community in a month, worked out by hand."""
    lines: Lines = {}
    for unit, (_, area, _) in UNITS.items():
        power, water = used(f"E-{unit}", month), used(f"W-{unit}", month)
        before = used(f"E-{unit}") if month else Decimal(0)
        water_cost = half_up(stepped(WATER_STEPS, Decimal(0), water))
        sewage = (water * Decimal("0.9")).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        lines |= {
            (unit, "energy"): (power, half_up(stepped(ENERGY_STEPS, before, power))),
            (unit, "water"): (water, water_cost),
            (unit, "sewage"): (sewage, half_up(sewage * Decimal("1.36"))),
            (unit, "surcharge"): (water_cost, half_up(water_cost * Decimal("0.03"))),
            (unit, "property-fee"): (Decimal(area), half_up(Decimal(area) * Decimal("2.35"))),
            (unit, "refuse"): (Decimal(1), Decimal("6.00")),
        }
    return lines | shared(month)[0]


def billed(books: Books, period: str = "2026-10") -> Lines:
    rows = books.rows(
        "SELECT unit.code, bill_line.charge, bill_line.quantity, bill_line.amount FROM bill_line"
        " JOIN bill ON bill.id = bill_line.bill_id JOIN unit ON unit.id = bill.unit_id"
        " WHERE bill.period = :period",
        period=period,
    )
    lines = {
        (unit, charge): (Decimal(quantity).scaleb(-4), Decimal(amount).scaleb(-2))
        for unit, charge, quantity, amount in rows
    }
    assert len(lines) == len(rows)
    return lines


def test_every_line_of_two_months_is_what_a_clerk_works_out(books: Books) -> None:
    for month, period in enumerate(("2026-10", "2026-11")):
        run_made = books.bill(period)

        expected = clerk(month)
        assert billed(books, period) == expected
        total = sum(amount for _, amount in expected.values())
        assert Decimal(run_made.communities[0].total).scaleb(-2) == total
        assert run_made.communities[0].bills == len(UNITS)


def test_lines_stand_in_the_order_of_the_tariffs_and_pools(sqlite_books: Books) -> None:
    sqlite_books.bill()

    rows = sqlite_books.rows(
        "SELECT bill.number, bill_line.charge FROM bill_line JOIN bill ON bill.id = bill_id"
        " JOIN unit ON unit.id = unit_id WHERE unit.code = '201' ORDER BY position"
    )
    assert rows == [
        ("yard-2026-10-0002", charge)
        for charge in (
            *("energy", "water", "sewage", "surcharge", "property-fee", "refuse"),
            *("lift", "lights", "pump"),
        )
    ]


def computed(books: Books, archive: SqlArchive | None = None) -> tuple[str, tuple[Problem, ...]]:
    run_made = books.compute(books.create(), archive=archive)
    (part,) = run_made.communities
    assert (run_made.state == "blocked") == bool(part.problems)
    return run_made.state, part.problems


def defined(books: Books, document: dict[str, Any] | None = None, **rest: Any) -> Books:
    books.define(document or community_document(), **rest)
    return books


def without_installation(code: str) -> dict[str, Any]:
    return changed(community_document(), point={code: {"installation": []}})


def other_type(code: str, name: str) -> dict[str, Any]:
    document = community_document()
    (point,) = (each for each in document["point"] if each["code"] == code)
    installation = {**point["installation"][0], "type": name}
    return changed(document, point={code: {"installation": [installation]}})


def of_multiplier(code: str, multiplier: str) -> dict[str, Any]:
    document = community_document()
    (point,) = (each for each in document["point"] if each["code"] == code)
    installation = {**point["installation"][0], "multiplier": multiplier}
    return changed(document, point={code: {"installation": [installation]}})


def without_account(unit: str) -> dict[str, Any]:
    document = community_document()
    return {**document, "account": [a for a in document["account"] if a["unit"] != unit]}


def but(*tariffs: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the tariffs, these in place of the ones of the same name."""
    replaced = {each["id"]: each for each in tariffs}
    return tuple(replaced.get(each["id"], each) for each in TARIFFS)


PUBLIC_BY_AREA = {**PUBLIC, "charge": [*PUBLIC["charge"], FEE["charge"][0]]}
PUBLIC_BY_AREA["example"] = [{"usage": "1000", "area": "0", "expect": "558.30"}]

PARKED: dict[str, tuple[Callable[[Books], Books], str, str, tuple[str, ...]]] = {
    "a participant without area": (
        lambda b: defined(b, changed(community_document(), unit={"301": {"area": None}})),
        *("missing-key", "lift", ("unit 301", "has no area", "enter it")),
    ),
    "a unit without the area that its fee is of": (
        lambda b: defined(b, changed(community_document(), unit={"101": {"area": None}})),
        *("NoArea", "101", ("'fee' reads 'area'", "enter it")),
    ),
    "a tariff that is not in force yet": (
        lambda b: defined(b, tariffs=but({**POWER, "valid_from": date(2026, 10, 2)})),
        *("NoTariff", "power", ("'power' is in force on 2026-10-01", "add one")),
    ),
    "a pool whose tariff is missing": (
        lambda b: defined(b, tariffs=(POWER, WATER, FEE)),
        *("NoTariff", "lift", ("'public' is in force", "add one")),
    ),
    "a pool whose tariff bills more than its meters": (
        lambda b: defined(b, tariffs=but(PUBLIC_BY_AREA)),
        *("TariffMismatch", "lights", ("'public' reads 'area'", "let the tariff assume it")),
    ),
    "two pools at one meter": (
        lambda b: defined(b, pools=(*POOLS, {**LIGHTS, "id": "twice"})),
        *("SharedTwice", "twice", ("measures at lights, as pool 'lights' does",)),
    ),
    "an unknown meter type": (
        lambda b: defined(b, other_type("W-201", "no-such-meter")),
        *("UnknownMeterType", "W-201", ("meter W-201", "'no-such-meter'", "add its file")),
    ),
    "a meter that does not count what is billed": (
        lambda b: defined(b, other_type("E-201", "bove-ultrasonic")),
        *("UnknownRegister", "E-201", ("'import_energy'", "BOVE")),
    ),
    "a point without a meter": (
        lambda b: defined(b, without_installation("E-201")),
        *("NotInstalled", "E-201", ("no meter was ever installed", "record")),
    ),
    "a unit without account": (
        lambda b: defined(b, without_account("201")),
        *("NoAccount", "201", ("no account holds the unit from 2026-10-01 to 2026-10-31",)),
    ),
    "a use finer than a bill can state": (
        lambda b: defined(b, of_multiplier("W-201", "0.0001")),
        *("InexactUsage", "W-201", ("more than 4 decimals", "correct the multiplier")),
    ),
    "a vacant unit of which nobody said who pays": (
        lambda b: defined(b, pools=(LIFT, {k: v for k, v in LIGHTS.items() if k != "vacant"})),
        *("vacant", "lights", ("unit 202", "owner pays")),
    ),
}


@pytest.mark.parametrize("case", PARKED)
def test_a_community_is_parked_for(case: str, blank_books: Books) -> None:
    define, kind, subject, says = PARKED[case]

    state, problems = computed(define(blank_books))

    assert state == "blocked"
    texts = [each.text for each in problems if (each.kind, each.subject) == (kind, subject)]
    assert texts, problems
    assert any(all(words in text for words in says) for text in texts), texts
    assert blank_books.rows("SELECT * FROM bill") == []
    assert blank_books.rows("SELECT * FROM usage") == []
    assert blank_books.rows("SELECT * FROM statement") == []


def test_a_missing_boundary_reading_parks_and_names_the_meter(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings(without=["W-201"]))
    opening = STARTS[0]
    empty_archive.append([reading("W-201", opening, "0"), reading("W-201", STARTS[2], "40")])

    state, problems = computed(defined(blank_books), empty_archive)

    assert state == "blocked"
    assert ("MissingRegister", "W-201") in [(each.kind, each.subject) for each in problems]
    text = next(each.text for each in problems if each.kind == "MissingRegister")
    assert "no good reading of meter W-201 near 2026-10-31 16:00" in text
    assert blank_books.rows("SELECT * FROM bill") == []


@pytest.mark.parametrize("verdict", [Verdict.SUSPECT, Verdict.INVALID])
def test_a_reading_that_is_not_good_bills_nothing(
    verdict: Verdict, blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings(without=["E-101"]))
    empty_archive.append(
        [reading("E-101", STARTS[0], "1000"), reading("E-101", STARTS[1], "1250.5", verdict)]
    )

    state, problems = computed(defined(blank_books), empty_archive)

    assert state == "blocked"
    assert [each.subject for each in problems if each.kind == "MissingRegister"] == ["E-101"]


def test_a_register_that_falls_parks_and_never_counts_as_nothing(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings(without=["lift"]))
    empty_archive.append([reading("lift", STARTS[0], "10"), reading("lift", STARTS[1], "9.99")])

    _, problems = computed(defined(blank_books), empty_archive)

    assert problems == (
        Problem(
            "FallingRegister",
            "lift",
            "meter lift fell from 10 to 9.99; confirm an exchange or a wrong reading",
        ),
    )


def test_every_reason_is_given_at_once(blank_books: Books) -> None:
    document = changed(community_document(), unit={"101": {"area": None}, "301": {"area": None}})
    document["account"] = document["account"][:1]

    _, problems = computed(defined(blank_books, document, tariffs=(POWER, WATER, FEE)))

    assert {(each.kind, each.subject) for each in problems} == {
        *(("NoArea", unit) for unit in ("101", "301")),
        *(("NoAccount", unit) for unit in ("201", "202", "301")),
        *(("NoTariff", pool) for pool in ("lift", "lights", "pump")),
    }
    assert list(problems) == sorted(problems)


def test_one_parked_community_blocks_the_run_and_lets_the_others_be_computed(
    sqlite_books: Books,
) -> None:
    sqlite_books.define(community_document("empty", prefix="x-"))  # no meter of it was ever read
    run_id = sqlite_books.create("2026-10", "yard", "empty")

    made = sqlite_books.compute(run_id)

    assert made.state == "blocked"
    empty, yard = made.communities
    assert (empty.community, empty.state, empty.bills, empty.digest) == (
        "empty",
        "blocked",
        0,
        None,
    )
    assert (yard.community, yard.state, yard.bills) == ("yard", "computed", 4)
    assert billed(sqlite_books) == clerk()
    with pytest.raises(lifecycle.StateError, match="run 1 is blocked; this takes a run that is"):
        sqlite_books.review(run_id)


def test_a_violated_invariant_parks_its_community_alone(
    sqlite_books: Books, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_books.define(community_document("zoo", prefix="z-"))
    sqlite_books.archive.append(
        [
            reading(f"z-{meter}", start, value)
            for meter, values in SHOWN.items()
            if not meter.startswith("W")
            for start, value in zip(STARTS, values, strict=True)
        ]
    )

    def off(computed: run.Computed, *_: object) -> None:
        if computed.registry.code == "yard":
            raise run.UnbalancedError("off by one")

    monkeypatch.setattr(run, "_assert_balanced", off)
    made = sqlite_books.compute(sqlite_books.create("2026-10", "yard", "zoo"))

    yard, zoo = made.communities
    assert yard.problems == (Problem("Unbalanced", "yard", "off by one"),)
    assert all(each.kind != "Unbalanced" for each in zoo.problems)
    assert "yard 2026-10 cannot be billed" in caplog.text


def test_what_is_lost_between_statement_and_bill_is_noticed(
    sqlite_books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = run.share_pools

    def lossy(*arguments: Any) -> Any:
        shared_pools = kept(*arguments)
        (lost,) = (debtor for debtor in shared_pools.lines if debtor.unit == "301")
        del shared_pools.lines[lost]
        return shared_pools

    monkeypatch.setattr(run, "share_pools", lossy)
    _, (problem,) = computed(sqlite_books)

    assert (problem.kind, problem.subject) == ("Unbalanced", "yard")
    assert "pool lift: owners owe 14773 fen, their bills hold 11383" in problem.text


def test_a_class_without_units_needs_no_tariff(blank_books: Books) -> None:
    document = community_document()
    document["tariffs"]["shop"] = ["not-written-yet"]

    state, problems = computed(defined(blank_books, document))

    assert (state, problems) == ("computed", ())


def test_a_unit_without_a_meter_of_a_medium_is_not_billed_for_it(blank_books: Books) -> None:
    document = community_document()
    document["point"] = [each for each in document["point"] if each["code"] != "E-201"]

    state, _ = computed(defined(blank_books, document))

    assert state == "computed"
    charges = {charge for unit, charge in billed(blank_books) if unit == "201"}
    assert charges == {"water", "sewage", "surcharge", "property-fee", "refuse"} | {
        "lift",
        "lights",
        "pump",
    }


def test_who_holds_a_unit_for_a_part_of_the_month_is_billed_for_it(blank_books: Books) -> None:
    document = changed(community_document(), account={"A-101": {"after_day": date(2026, 10, 31)}})
    tenant = {"code": "T-101", "unit": "101", "holder": "李", "first_day": date(2026, 10, 31)}
    document["account"].append(tenant)
    midnight = local_midnight(date(2026, 10, 31), ZONE)
    blank_books.archive.append(
        [reading("E-101", midnight, "1240"), reading("W-101", midnight, "30")]
    )
    by_days = [{**pool, "owner_change": "by days"} for pool in POOLS]

    computed(defined(blank_books, document, pools=by_days))

    assert blank_books.rows(
        "SELECT account.code FROM bill JOIN account ON account.id = account_id ORDER BY number"
    ) == [("A-101",), ("T-101",), ("A-201",), ("A-202",), ("A-301",)]


def test_a_unit_is_vacant_only_if_it_is_so_all_month(blank_books: Books) -> None:
    until = {"vacant_until": date(2026, 10, 31)}

    computed(defined(blank_books, changed(community_document(), unit={"202": until})))

    assert ("202", "lights") in billed(blank_books)


def test_a_pool_by_yearly_steps_goes_on_where_the_year_stands(blank_books: Books) -> None:
    steps = [["100", "0.50"], ["1.00"]]
    charge = {**POWER["charge"][0], "steps": steps}
    public = {**PUBLIC, "charge": [charge], "example": [{"usage": "150", "expect": "100.00"}]}
    defined(blank_books, tariffs=but(public), pools=(LIGHTS,))

    blank_books.bill("2026-10")
    blank_books.bill("2026-11")

    amounts = blank_books.rows("SELECT amount FROM statement ORDER BY id")
    first, second = used("lights"), used("lights", 1)
    assert first < 100 < first + second
    assert amounts == [
        (int(half_up(first * Decimal("0.5")) * 100),),
        (int(half_up((100 - first) * Decimal("0.5") + (first + second - 100)) * 100),),
    ]


def test_the_newest_version_of_a_tariff_in_force_on_the_first_day_counts(
    blank_books: Books,
) -> None:
    dearer = {**FEE["charge"][1], "amount": "7.00"}
    newer = {
        **FEE,
        "version": 2,
        "valid_from": date(2026, 11, 1),
        "charge": [FEE["charge"][0], dearer],
        "example": [{"area": "10", "expect": "30.50"}],
    }
    defined(blank_books, tariffs=(*TARIFFS, newer))
    for period, amount in (("2026-10", "6.00"), ("2026-11", "7.00")):
        blank_books.bill(period)
        assert billed(blank_books, period)["101", "refuse"][1] == Decimal(amount)


def test_a_version_is_stored_once_and_never_with_other_content(blank_books: Books) -> None:
    defined(blank_books)
    with pytest.raises(VersionExistsError, match=r"version 1 of tariff fee.*raise its version"):
        blank_books.define(
            community_document("other", prefix="o-"),
            tariffs=[{**FEE, "title": {"en": "Another"}}],
            pools=(),
        )

    assert blank_books.rows("SELECT count(*) FROM tariff_version") == [(len(TARIFFS),)]


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ("nowhere", "which the community does not have"),
        ("E-101", "which is a unit's own and billed"),
    ],
)
def test_a_pool_measures_at_shared_points_of_its_community(
    point: str, says: str, blank_books: Books
) -> None:
    pool = {**PUMP, "source": {**PUMP["source"], "points": [point]}}

    with pytest.raises(UnknownPointError, match=f"pool pump measures at {point}, {says}"):
        defined(blank_books, pools=(pool,))


def test_a_reading_a_quarter_of_an_hour_off_counts_and_beyond_is_interpolated(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings(without=["W-101", "W-201"]))
    minute = timedelta(minutes=1)
    for meter, off in (("W-101", 15 * minute), ("W-201", 16 * minute)):
        low, high, _ = SHOWN[meter]
        for side in (-off, off):
            empty_archive.append(
                [
                    reading(meter, STARTS[0] + side, low),
                    reading(meter, STARTS[1] + side, high),
                ]
            )

    state, _ = computed(defined(blank_books), empty_archive)

    assert state == "computed"
    found = {
        point: json.loads(evidence)
        for point, evidence in blank_books.rows(
            "SELECT code, evidence FROM usage JOIN point ON point.id = point_id"
        )
    }
    assert found["W-101"]["segments"][0]["closing"]["source"] == "read"
    assert found["W-101"]["findings"] == []
    assert found["W-201"]["segments"][0]["closing"]["source"] == "interpolated"
    assert [each["kind"] for each in found["W-201"]["findings"]] == ["Interpolated"] * 2
