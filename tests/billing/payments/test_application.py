"""What money pays: exact, in the stated order, no claim by more than it is."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.payments.application import (
    Application,
    First,
    Policy,
    apply,
    into_credit,
    settled_with_credit,
    taken_back,
)
from billing.payments.claim import Claim, parts_of

CATEGORIES = ("energy", "property-fee", "water")
OLDEST = Policy()
BY_CHARGE = Policy(first=First.CHARGE, charges=("property-fee", "water"))


def claim(
    name: str, day: int, earned: dict[str, int], applied: dict[str, int] | None = None
) -> Claim:
    on = date(2026, 1, 1) + timedelta(days=day)
    parts = parts_of(sum(earned.values()), earned, {})
    return Claim(reference=name, account_id=1, day=on, due_on=on, parts=parts)


JANUARY = claim("bill:1", 0, {"energy": 100, "water": 30, "property-fee": 200})
FEBRUARY = claim("bill:2", 31, {"energy": 50, "property-fee": 200})


def said(applications: tuple[Application, ...]) -> list[tuple[str, str, int]]:
    return [(each.claim, each.category, each.amount) for each in applications]


def test_what_is_due_longest_is_paid_first() -> None:
    applied = apply([FEBRUARY, JANUARY], 350, OLDEST)

    assert said(applied.applications) == [
        ("bill:1", "energy", 100),
        ("bill:1", "property-fee", 200),
        ("bill:1", "water", 30),
        ("bill:2", "energy", 20),
    ]
    assert applied.rest == 0


def test_the_charges_that_a_community_names_are_paid_first() -> None:
    applied = apply([FEBRUARY, JANUARY], 450, BY_CHARGE)

    assert said(applied.applications) == [
        ("bill:1", "property-fee", 200),
        ("bill:2", "property-fee", 200),
        ("bill:1", "water", 30),
        ("bill:1", "energy", 20),
    ]


def test_only_what_is_named_is_paid_and_not_more_of_it() -> None:
    applied = apply([JANUARY, FEBRUARY], 500, OLDEST, named={"bill:2": 120})

    assert said(applied.applications) == [("bill:2", "energy", 50), ("bill:2", "property-fee", 70)]
    assert applied.rest == 380


def test_what_is_preferred_comes_before_what_is_older() -> None:
    applied = apply([JANUARY, FEBRUARY], 60, OLDEST, preferred=["bill:2"])

    assert said(applied.applications) == [("bill:2", "energy", 50), ("bill:2", "property-fee", 10)]


def test_a_rebate_is_set_against_the_largest_part() -> None:
    bill = claim("bill:3", 0, {"energy": 100, "rebate": -30, "water": 50})

    assert [(part.category, part.amount) for part in bill.parts] == [("energy", 70), ("water", 50)]


def test_a_claim_below_zero_becomes_credit_and_pays_the_others() -> None:
    back = claim("bill:4", 60, {"energy": -80, "water": 10})

    assert said(into_credit([back, JANUARY])) == [("bill:4", "whole", -70)]
    assert said(settled_with_credit([JANUARY, back], 5, OLDEST)) == [
        ("bill:4", "whole", -70),
        ("bill:1", "energy", 75),
    ]


def test_what_was_applied_last_is_taken_back_first_after_that_of_the_payment_itself() -> None:
    history = [
        ("payment:1", Application(1, "bill:1", "energy", 100)),
        ("payment:2", Application(1, "bill:1", "water", 30)),
        ("credit:1/1", Application(1, "bill:2", "energy", 50)),
    ]

    back = taken_back(history, 140, first="payment:1")

    assert said(back.applications) == [("bill:1", "energy", -100), ("bill:2", "energy", -40)]
    assert taken_back(history, 200, first=None).rest == 20


amounts = st.integers(-500, 2_000)
earned = st.dictionaries(st.sampled_from(CATEGORIES), amounts, max_size=3)
bills = st.lists(st.tuples(st.integers(0, 400), earned), max_size=6)
policies = st.builds(
    Policy,
    first=st.sampled_from(First),
    charges=st.lists(st.sampled_from(CATEGORIES), unique=True).map(tuple),
)


def claims_of(drawn: list[tuple[int, dict[str, int]]]) -> list[Claim]:
    return [claim(f"bill:{place}", day, parts) for place, (day, parts) in enumerate(drawn)]


@given(bills, st.integers(0, 10_000), policies)
def test_what_is_applied_and_left_over_is_what_was_paid(
    drawn: list[tuple[int, dict[str, int]]], money: int, policy: Policy
) -> None:
    claims = claims_of(drawn)

    applied = apply(claims, money, policy)

    due = sum(max(0, each.due) for each in claims)
    assert applied.amount + applied.rest == money
    assert applied.rest == max(0, money - due)
    for each in claims:
        on_it = sum(it.amount for it in applied.applications if it.claim == each.reference)
        assert 0 <= on_it <= max(0, each.due)
    assert all(each.amount > 0 for each in applied.applications)


@given(bills, st.integers(0, 10_000))
def test_the_oldest_first_leaves_no_older_claim_due(
    drawn: list[tuple[int, dict[str, int]]], money: int
) -> None:
    claims = sorted(claims_of(drawn), key=lambda each: (each.due_on, each.reference))
    applied = apply(claims, money, OLDEST)
    paid = {each.reference: 0 for each in claims}
    for it in applied.applications:
        paid[it.claim] += it.amount

    left = [each.due - paid[each.reference] for each in claims if each.due > 0]

    touched = [paid[each.reference] for each in claims if each.due > 0]
    first_open = next((at for at, rest in enumerate(left) if rest), len(left))
    assert not any(touched[first_open + 1 :])


@given(bills, st.integers(0, 10_000), policies, st.lists(st.integers(1, 3_000), max_size=4))
def test_paying_bit_by_bit_and_taking_back_conserves_every_fen(
    drawn: list[tuple[int, dict[str, int]]], credit: int, policy: Policy, given_back: list[int]
) -> None:
    claims = claims_of(drawn)
    history = [("credit", it) for it in settled_with_credit(claims, credit, policy)]
    before = credit - sum(it.amount for _, it in history)
    assert before >= 0

    for turn, money in enumerate(given_back):
        back = taken_back(history, money, first="credit")
        assert back.amount == back.rest - money
        history += [(f"back:{turn}", it) for it in back.applications]

    applied: dict[str, int] = {}
    for _, it in history:
        applied[it.claim] = applied.get(it.claim, 0) + it.amount
    for each in claims:
        low, high = sorted((0, each.total))
        assert low <= applied.get(each.reference, 0) <= high


@given(earned)
def test_the_parts_of_a_claim_sum_to_it(parts: dict[str, int]) -> None:
    total = sum(parts.values())
    made = parts_of(total, parts, {})

    assert sum(part.amount for part in made) == total
    assert all(part.amount >= 0 for part in made) or [part.amount for part in made] == [total]
