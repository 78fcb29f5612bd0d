"""Checking how a pool was shared: sums, what changed since the month before, odd cents."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from api import apportionment
from api.pages import parts
from billing.pools.policy import Payer
from billing.store.views import shares, statements
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    import pytest
    from conftest import House

    from billing.store.views.statements import WholeStatement

LIFT_BEFORE, LIFT, LIGHTS = 1_000_001, 2_000_001, 2_000_002


def test_the_largest_differences_come_first_and_explain_the_pools(billed: House) -> None:
    view = _view(billed, LIFT)
    found = view.changes
    assert view.earlier is not None
    sizes = [abs(each.amount) for each in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(each.amount for each in found) == view.head.amount - view.earlier.amount
    assert {each.unit for each in found} == {"1-201", "1-202", None}


def test_the_first_statement_of_a_pool_has_nothing_to_differ_from(billed: House) -> None:
    assert _view(billed, LIFT_BEFORE).changes == ()
    page = billed.reader("clerk").get(f"/staff/statements/{LIFT_BEFORE}").text
    assert "Nothing of this pool is issued for the month before." in page


def test_who_joins_or_leaves_a_pool_has_no_amount_on_the_other_side(billed: House) -> None:
    with billed.database.snapshot() as connection:
        found, units = shares.changes(connection, LIFT, LIGHTS)
        by_unit = {each.unit: each for each in found}
        before = shares.amounts(connection, LIGHTS)
        ((first,), more), (rest, _), beyond = (
            shares.changes(connection, LIFT, LIGHTS, skipped=skipped, limit=limit)
            for skipped, limit in ((0, 1), (1, None), (9, 1))
        )
    joined = by_unit["1-101"]
    assert (joined.before, joined.now, joined.amount) == (before["1-101"], None, -before["1-101"])
    assert (first, *rest) == found
    assert (units, more, beyond) == (len(found), len(found), ((), 0))


def test_sums_hold_and_a_share_that_was_tampered_with_is_seen(billed: House) -> None:
    for statement in (LIFT, LIGHTS):
        view = _view(billed, statement)
        checks = [
            apportionment.amount_check(view),
            apportionment.quantity_check(view),
            *apportionment.key_checks(view),
        ]
        assert [each.holds for each in checks] == [True] * 3
    changed = replace(view, sums=replace(view.sums, amount=view.sums.amount + 1))
    check = apportionment.amount_check(changed)
    assert (check.holds, check.found - check.told) == (False, 1)


def test_odd_cents_of_the_year_are_told_by_unit(billed: House) -> None:
    view = _view(billed, LIFT)
    counts = list(view.odd_cents.received.values())
    assert counts == sorted(counts, reverse=True)
    assert (view.odd_cents.most, view.odd_cents.fewest) == (counts[0], counts[-1])
    with billed.database.snapshot() as connection:
        first = statements.odd_cents(connection, view.head, most=1)
    assert list(first.received.values()) == counts[:1]
    assert (first.months, first.fewest, first.most) == (2, counts[-1], counts[0])
    assert "Over 2 months each share got between" in _page(billed, "clerk")


def test_staff_see_the_check_and_owners_do_not(billed: House) -> None:
    text = _page(billed, "clerk")
    assert f'href="/staff/statements/{LIFT_BEFORE}"' in text
    assert len(re.findall(r'badge good">the same<', text)) == 3
    assert "differs" not in text
    owner = billed.reader("li").get(f"/statements/{LIFT}").text
    assert "What changed since the month before" not in owner


def _page(house: House, name: str) -> str:
    answer = house.reader(name).get(f"/staff/statements/{LIFT}")
    assert answer.status_code == 200
    return answer.text


def _view(house: House, statement: int) -> WholeStatement:
    with house.database.snapshot() as connection:
        view = statements.whole(connection, Scope(unissued=True), statement)
    assert view is not None
    return view


def test_long_tables_come_in_parts_and_every_part_has_the_sums(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROWS_SHOWN", 2)
    address, clerk = f"/staff/statements/{LIFT}", billed.reader("clerk")

    def table(page: str, name: str) -> str:
        return page.partition(f'id="{name}"')[2].partition("</section>")[0]

    first, last = clerk.get(address).text, clerk.get(f"{address}?changed=0&shared=2").text
    rows, more = table(first, "shares").split("</tbody>")
    assert rows.count("<tr") == 3, "heading, 1-201 and 1-202"
    assert '<a href="?changed=0&amp;shared=2#shares">More</a>' in more
    assert "1 more row" in more
    rest, foot = table(last, "shares").split("</tbody>")
    assert (rest.count("<tr"), "Company" in rest, "More" in foot) == (2, True, False)
    assert "From the start" in foot
    sums = re.compile(r"<tfoot>.*?</tfoot>", re.DOTALL)
    assert sums.findall(first) == sums.findall(last)
    assert table(first, "changes") == table(last, "changes").replace("shared=2", "shared=0")
    assert "changed=2" in table(first, "changes")
    assert clerk.get(f"{address}?shared=-1").status_code == 422


def test_an_owner_finds_the_own_row_in_the_first_part(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROWS_SHOWN", 1)
    owner = billed.reader("li")
    assert 'class="mine"' in owner.get(f"/statements/{LIFT}").text
    assert 'class="mine"' not in owner.get(f"/statements/{LIFT}?shared=1").text


def test_a_program_reads_what_the_page_of_the_check_says(billed: House) -> None:
    clerk, view = billed.caller("clerk"), _view(billed, LIFT)
    answer = clerk.get(f"/v1/statements/{LIFT}/check")
    found = answer.json()

    (meter,) = found["inputs"]
    (segment,) = meter["segments"]
    ends = [segment[end]["readings"] for end in ("opening", "closing")]
    assert (meter["register"], meter["unit"]) == ("import_energy", "kWh")
    assert [reading["verdict"] for end in ends for reading in end] == ["good"] * sum(map(len, ends))
    assert all(ends)
    assert (found["basis"], found["tree"], found["documents"]) == ("area", None, [])
    assert found["excluded"] == [{"unit": "1-101", "reason": "floor"}]
    assert [(each["what"], each["stated"] == each["of_shares"]) for each in found["sums"]] == [
        ("amount", True),
        ("quantity", True),
        ("area", True),
    ]
    assert all(each["holds"] for each in found["sums"])
    assert view.earlier is not None
    assert found["before"]["statement"] == LIFT_BEFORE
    moved = Decimal(found["amount"]) - Decimal(found["before"]["amount"])
    assert Decimal(found["before"]["change"]) == moved
    assert (found["remainder"]["months"], found["last_word"]) == (2, None)
    held = clerk.get(
        f"/v1/statements/{LIFT}/check", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert held.status_code == 304


def test_shares_and_their_differences_are_listed_by_pages(billed: House) -> None:
    clerk = billed.caller("clerk")

    def listed(path: str) -> list[dict[str, Any]]:
        first = clerk.get(f"/v1/statements/{LIFT}/{path}?limit=2").json()
        cursor = first["next_cursor"]
        last = clerk.get(f"/v1/statements/{LIFT}/{path}?limit=2&cursor={cursor}").json()
        assert (len(first["items"]), last["next_cursor"]) == (2, None)
        found: list[dict[str, Any]] = first["items"] + last["items"]
        return found

    whole = clerk.get(f"/v1/statements/{LIFT}/shares").json()
    assert listed("shares") == whole["items"]
    changes = listed("changes")
    sizes = [abs(Decimal(each["change"])) for each in changes]
    assert sizes == sorted(sizes, reverse=True)
    change = clerk.get(f"/v1/statements/{LIFT}/check").json()["before"]["change"]
    assert sum(Decimal(each["change"]) for each in changes) == Decimal(change)
    assert clerk.get(f"/v1/statements/{LIFT_BEFORE}/changes").json()["items"] == []
    assert clerk.get(f"/v1/statements/{LIFT}/changes?cursor=x").status_code == 422
    masked = billed.caller("li").get(f"/v1/statements/{LIFT}/shares").json()["items"]
    assert [(each["unit"], each["mine"]) for each in masked] == [
        ("1-201", True),
        ("1-•••", False),
        (None, False),
    ]


def test_what_the_database_sums_and_orders_is_what_the_shares_come_to(billed: House) -> None:
    view = _view(billed, LIGHTS)
    with billed.database.snapshot() as connection:
        pages = [
            share
            for skipped in range(0, len(view.shares), 2)
            for share in shares.of_statement(
                connection, LIGHTS, own=frozenset(), skipped=skipped, limit=2
            )
        ]
        borne = shares.borne(connection, [LIGHTS])[LIGHTS]
    by_key = sorted(view.shares, key=lambda each: (each.unit is None, -(each.key or 0)))
    assert pages == by_key
    assert len(pages) == borne.shares == view.sums.count
    company = sum(each.amount for each in view.shares if each.payer is Payer.COMPANY)
    assert (borne.company, view.sums.company) == (company, company)
    assert view.sums.odd_amount == sum(each.odd_amount for each in view.shares)
    assert view.sums.key == sum(each.key or 0 for each in view.shares)
