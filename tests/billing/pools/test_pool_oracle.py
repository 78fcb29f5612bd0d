"""Every way of sharing a pool, held against fractions worked out without the program.

The oracle knows no columns, no integer weights and no spreading: it adds up what each holder counts
by, as a fraction, and leaves to the program only who gets an odd cent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pools.apportionment import Statement, apportion
from billing.pools.participant import Participant
from billing.pools.policy import Payer
from billing.pools.pool import Pool
from billing.pools.supply import Supply, SupplyPart

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = 2_000
MONTH = 30
WATER = {"medium": "water", "register": "volume"}

KEYS: dict[str, dict[str, Any]] = {
    "area": {},
    "household": {},
    "persons": {},
    "use": {"use": WATER},
    "coefficient": {"coefficient": {"of": "area", "floors": {"1": "0", "2": "1", "3": "1.25"}}},
    "weights": {"weights": {f"{n:02}": str(Fraction(n % 7).numerator) + ".5" for n in range(12)}},
    "attribute": {"attribute": "car_spaces"},
}


MAY_BE_ZERO = ("persons", "use", "coefficient", "attribute")
"""By the others every unit counts."""


@dataclass(frozen=True)
class Case:
    """A pool with what it shares among whom."""

    pool: Pool
    supply: Supply
    units: tuple[Participant, ...]
    carried: dict[str | None, int]

    def shared(self, **changes: Any) -> Statement:
        changed = replace(self, **changes)
        result = apportion(
            changed.pool, changed.supply, changed.units, period="2026-01", carried=changed.carried
        )
        assert isinstance(result, Statement), result
        return result


def pool(**rules: Any) -> Pool:
    return Pool.model_validate(
        {
            "kind": "pool",
            "id": "shared",
            "version": 1,
            "title": {"en": "Shared"},
            "source": {"points": ["p"], "register": "import_energy", "tariff": "common"},
            "charging": {"allowed": True, "contract": "resolution 7"},
            "all_zero": "company pays",
            "example": [
                {
                    "period": "2026-01",
                    "quantity": 1,
                    "amount": 1,
                    "participants": [{"unit": "01"}],
                    "expect": {},
                }
            ],
            **rules,
        }
    )


def rules(chance: Random, bases: Sequence[str]) -> dict[str, Any]:
    held = {
        "company_share": chance.choice(["0", "0", "0.1", "0.333", "0.999", "1"]),
        "vacant": chance.choice(["owner pays", "company pays"]),
        "owner_change": chance.choice(["by days", "holder at the end"]),
    }
    first, rest = chance.sample(bases, 2)
    if chance.random() < 0.5:
        return {**held, "basis": first, **KEYS[first]}
    share = chance.choice(["0.001", "0.3", "0.5", "0.667"])
    return {
        **held,
        "basis": "hybrid",
        "first": {"basis": first, "share": share, **KEYS[first]},
        "rest": {"basis": rest, **KEYS[rest]},
    }


def holders(chance: Random, unit: str) -> list[Participant]:
    """Return the spans of a unit: one, or two between which anything may change."""
    cut = MONTH if chance.random() < 0.7 else chance.randint(1, MONTH - 1)
    floor = chance.randint(1, 3)
    return [
        Participant(
            unit=unit,
            building="1",
            floor=floor,
            account=chance.choice("AB"),
            first_day=first,
            days=days,
            attributes={
                # hundredths of m², so that a coefficient of 1.25 leaves 10⁻⁴
                "area": 100 * chance.choice([8950, 8950, 12_000, chance.randint(1, 30_000)]),
                "persons": 10_000 * chance.randint(0, 6),
                "car_spaces": 10_000 * chance.randint(0, 2),
            },
            use={"water/volume": chance.choice([0, chance.randint(0, 500_000)])},
            vacant=chance.random() < 0.2,
        )
        for first, days in ((1, cut), (cut + 1, MONTH - cut))
        if days
    ]


def supply(chance: Random) -> Supply:
    sign = chance.choice([1, 1, 1, -1])
    largest = chance.choice([3, 300, 10**7])
    parts = tuple(
        SupplyPart(
            charge="energy",
            quantity=sign * chance.randint(0, 100 * largest),
            price=1,
            amount=sign * chance.randint(0, largest),
        )
        for _ in range(chance.randint(1, 4))
    )
    return Supply(
        quantity=sum(part.quantity for part in parts),
        unit="kWh",
        amount=sum(part.amount for part in parts),
        parts=parts,
    )


def case(seed: int, bases: Sequence[str] = tuple(KEYS)) -> Case:
    """Return the case of a number: Hypothesis would draw its hundred numbers far more slowly."""
    chance = Random(seed)  # noqa: S311  cases are to be the same each time
    units = [f"{n:02}" for n in range(chance.randint(1, 12))]
    return Case(
        pool(**rules(chance, bases)),
        supply(chance),
        tuple(each for unit in units for each in holders(chance, unit)),
        {unit: chance.randint(-1_000_000, 1_000_000) for unit in [*units, None]},
    )


SEEDS = st.integers(0, 2**64)
CASES = SEEDS.map(case)
OF_KEYS_THAT_MAY_BE_ZERO = SEEDS.map(partial(case, bases=MAY_BE_ZERO))

Holder = tuple[str | None, str | None, Payer]


def bears(case: Case) -> dict[Holder, Fraction]:
    """Return what part of the whole each holder bears, and the company by itself."""
    document = case.pool.model_dump(mode="json", exclude_none=True)
    hybrid = document["basis"] == "hybrid"
    keys = [document["first"], document["rest"]] if hybrid else [document]
    first = Fraction(document["first"]["share"]) if hybrid else Fraction(1)
    parts = [first, 1 - first][: len(keys)]
    company = Fraction(document["company_share"])
    found: dict[Holder, Fraction] = {}
    own = company
    for key, part in zip(keys, parts, strict=True):
        counted: dict[Holder, Fraction] = {}
        for each in case.units:
            holder = whose(case, each)
            counted[holder] = counted.get(holder, Fraction(0)) + counts(key, each)
        whole = sum(counted.values())
        for holder, key_of_it in counted.items():
            of_it = part * (1 - company) * key_of_it / whole if whole else Fraction(0)
            found[holder] = found.get(holder, Fraction(0)) + of_it
        if not whole:
            own += part * (1 - company)
    if own:
        found[None, None, Payer.COMPANY] = own
    return found


def whose(case: Case, each: Participant) -> Holder:
    if each.vacant and case.pool.vacant == "company pays":
        return each.unit, None, Payer.COMPANY
    last = [other for other in case.units if other.unit == each.unit][-1]
    account = last.account if case.pool.owner_change == "holder at the end" else each.account
    return each.unit, account, Payer.OWNER


def counts(key: dict[str, Any], each: Participant) -> Fraction:
    days = Fraction(each.days, MONTH)
    match key["basis"]:
        case "household":
            return days
        case "use":
            return Fraction(each.use["water/volume"], 10_000)
        case "coefficient":
            factor = Fraction(key["coefficient"]["floors"][str(each.floor)])
            return days * factor * Fraction(each.attributes["area"], 10_000)
        case "weights":
            return days * Fraction(key["weights"][each.unit])
        case "attribute":
            return days * Fraction(each.attributes[key["attribute"]], 10_000)
        case basis:
            return days * Fraction(each.attributes[basis], 10_000)


@settings(max_examples=EXAMPLES, deadline=None)
@given(CASES)
def test_everybody_bears_the_exact_share_to_within_a_cent_and_all_of_it_is_borne(
    case: Case,
) -> None:
    statement, expected = case.shared(), bears(case)

    made = {(share.unit, share.account, share.payer): share for share in statement.shares}
    assert made.keys() == expected.keys()
    assert sum(share.amount for share in statement.shares) == case.supply.amount
    assert sum(share.quantity for share in statement.shares) == case.supply.quantity
    for holder, share in made.items():
        exact = expected[holder] * case.supply.amount
        assert abs(share.amount - exact) < 1
        assert share.amount == int(exact) + share.odd_amount
        assert abs(share.quantity - expected[holder] * case.supply.quantity) < 1
        assert (exact == 0) <= (share.amount == 0)


@settings(max_examples=EXAMPLES, deadline=None)
@given(CASES)
def test_every_step_is_borne_in_units_and_in_money_and_makes_up_the_shares(case: Case) -> None:
    statement = case.shared()
    amounts, quantities = statement.step_amounts(), statement.step_quantities()

    for table, by_part, by_share in (
        (
            amounts,
            [part.amount for part in case.supply.parts],
            [share.amount for share in statement.shares],
        ),
        (
            quantities,
            [part.quantity for part in case.supply.parts],
            [share.quantity for share in statement.shares],
        ),
    ):
        assert [sum(row) for row in table] == by_share
        assert [sum(column) for column in zip(*table, strict=True)] == by_part
    signs = {amount > 0 for row in amounts for amount in row if amount}
    assert len(signs) <= 1  # nobody gets something back from a step that others pay


@settings(max_examples=EXAMPLES, deadline=None)
@given(CASES, st.integers(0, 2**32))
def test_the_order_of_units_and_spans_changes_nothing(case: Case, seed: int) -> None:
    shuffled = tuple(Random(seed).sample(case.units, len(case.units)))  # noqa: S311  not a secret

    assert case.shared(units=shuffled) == case.shared()


@settings(max_examples=EXAMPLES, deadline=None)
@given(CASES)
def test_doubling_what_everybody_counts_by_changes_no_share(case: Case) -> None:
    doubled = tuple(
        each._replace(
            attributes={name: 2 * value for name, value in each.attributes.items()},
            use={name: 2 * value for name, value in each.use.items()},
        )
        for each in case.units
    )

    before, after = case.shared(), case.shared(units=doubled)
    assert [share.amount for share in after.shares] == [share.amount for share in before.shares]
    assert [share.quantity for share in after.shares] == [share.quantity for share in before.shares]


@settings(max_examples=EXAMPLES, deadline=None)
@given(OF_KEYS_THAT_MAY_BE_ZERO)
def test_a_unit_that_counts_nothing_bears_nothing_and_changes_nobody(case: Case) -> None:
    nothing = Participant(
        unit="zero",
        building="1",
        floor=1,
        account="A",
        days=MONTH,
        attributes={"area": 10_000, "persons": 0, "car_spaces": 0},
        use={"water/volume": 0},
    )
    before, after = case.shared(), case.shared(units=(*case.units, nothing))

    amounts = {(each.unit, each.account, each.payer): each.amount for each in before.shares}
    assert {(each.unit, each.account, each.payer): each.amount for each in after.shares} == {
        **amounts,
        ("zero", "A", Payer.OWNER): 0,
    }
