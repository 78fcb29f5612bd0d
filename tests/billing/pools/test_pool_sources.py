"""What pools share in a run: meters, losses, documents; charged or not; and what is published."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from small_community import LIGHTS, PUMP, Books, community_document
from sqlalchemy.exc import DBAPIError

from billing.commands.main import billing
from billing.holding import hold
from billing.pools.pool import parse_pool
from billing.store import definitions, papers, registry

if TYPE_CHECKING:
    from billing.store.runs import Run

NOW = datetime(2026, 11, 2, tzinfo=UTC)
CLEANING = {
    **LIGHTS,
    "id": "cleaning",
    "source": {"cost": "document"},
}
LOST = {
    **LIGHTS,
    "id": "lost",
    "source": {
        "points": ["lift"],
        "subs": ["lights"],
        "loss_band": ["0", "0.1"],
        "register": "import_energy",
        "tariff": "public",
    },
}


def pools(books: Books, *documents: dict[str, Any]) -> int:
    return books.define(pools=documents)


def computed(books: Books) -> Run:
    return books.compute(books.create())


def problems(run: Run) -> list[tuple[str, str]]:
    return [(each.kind, each.subject) for each in run.communities[0].problems]


def tallygate(books: Books, *arguments: str) -> str:
    command = [arguments[0], *arguments[1:], "--database", books.database.url]
    result = CliRunner().invoke(billing, command)
    return result.output


def shares(books: Books) -> list[tuple[Any, ...]]:
    return books.rows(
        "SELECT unit.code, share.payer, share.key, share.amount FROM share"
        " LEFT JOIN unit ON unit.id = share.unit_id ORDER BY statement_id, position"
    )


def test_without_a_contract_the_company_bears_all_of_it_and_the_keys_still_stand(
    blank_books: Books,
) -> None:
    silent = {key: value for key, value in LIGHTS.items() if key != "charging"}
    pools(blank_books, silent)
    run = blank_books.bill()

    assert shares(blank_books) == [
        ("101", "owner", 10_000, 0),
        ("201", "owner", 10_000, 0),
        ("202", "company", 10_000, 0),
        ("301", "owner", 10_000, 0),
        (None, "company", None, 5055),
    ]
    assert blank_books.rows("SELECT count(*) FROM bill_line WHERE charge = 'lights'") == [(0,)]
    assert blank_books.verify(run.id).failures == []


def test_a_cost_counts_when_somebody_else_has_approved_its_document(books: Books) -> None:
    with books.database.transaction() as connection:
        (community_id,) = {row[0] for row in books.rows("SELECT id FROM community")}
        definitions.add_pool(connection, community_id, parse_pool(CLEANING, "cleaning"))
    waiting = computed(books)
    assert problems(waiting) == [("NoCost", "cleaning")]

    said = tallygate(
        books,
        "cost",
        "enter",
        "yard",
        "cleaning",
        "2026-10",
        "100.01",
        "--document",
        "INV-7",
        *("--by", "clerk"),
    )
    assert said == "cost 1, to be approved by somebody else\n"
    assert problems(books.compute(waiting.id)) == [("CostNotApproved", "cleaning")]
    assert "four eyes" in tallygate(books, "cost", "approve", "1", "--by", "clerk")
    with pytest.raises(DBAPIError, match="four_eyes"):
        books.execute(
            "UPDATE cost SET decision = 'approved', decided_by = 'clerk', decided_at = entered_at"
        )
    assert "is approved" in tallygate(books, "cost", "approve", "1", "--by", "head")
    assert "has approved cost 1 already" in tallygate(books, "cost", "reject", "1", "--by", "head")
    for change in ("UPDATE cost SET amount = 1", "DELETE FROM cost"):
        with pytest.raises(DBAPIError, match="add another instead"):
            books.execute(change)

    run = books.bill_run(waiting.id)
    amounts = books.rows(
        "SELECT share.amount, share.quantity FROM share JOIN statement"
        " ON statement.id = statement_id WHERE tariff_version_id IS NULL ORDER BY share.amount"
    )
    assert amounts == [(2500, 250_000), (2500, 250_000), (2500, 250_000), (2501, 250_100)]
    assert books.verify(run.id).failures == []


def test_a_rejected_cost_does_not_count_and_stays(blank_books: Books) -> None:
    community_id = pools(blank_books, CLEANING)
    with blank_books.database.transaction() as connection:
        where = {"community_id": community_id, "pool": "cleaning", "period": "2026-10"}
        cost_id = papers.enter_cost(
            connection, **where, document="INV-8", amount=999, actor="clerk", now=NOW
        )
        papers.decide_cost(connection, cost_id, "rejected", actor="clerk", now=NOW)
        with pytest.raises(papers.CostExistsError, match="INV-8 was entered"):
            papers.enter_cost(
                connection, **where, document="INV-8", amount=1, actor="clerk", now=NOW
            )

    assert problems(computed(blank_books)) == [("NoCost", "cleaning")]
    assert blank_books.rows("SELECT decision FROM cost") == [("rejected",)]


def test_a_loss_outside_its_band_waits_until_somebody_lets_just_that_loss_pass(
    blank_books: Books,
) -> None:
    pools(blank_books, LOST)
    waiting = computed(blank_books)
    assert problems(waiting) == [("LossOutsideBand", "lost")]
    (problem,) = waiting.communities[0].problems
    assert "203.45 of its master's use is lost, 69.20 %" in problem.text
    assert "its band is 0.00 % to 10.00 %" in problem.text

    where = ("loss", "approve", "yard", "lost", "2026-10")
    who = ("--by", "head", "--reason", "the new pump has no meter yet")
    tallygate(blank_books, *where, "203", *who)
    assert problems(blank_books.compute(waiting.id)) == [("LossOutsideBand", "lost")]
    assert "It may pass" in tallygate(blank_books, *where, "203.45", *who)
    assert "was let pass already" in tallygate(blank_books, *where, "203.45", *who)
    run = blank_books.bill_run(waiting.id)

    # 294 kWh of the master cost 164.14, so 203.45 of them 113.58…
    assert blank_books.rows("SELECT quantity, amount FROM statement") == [(2_034_500, 11_359)]
    assert blank_books.verify(run.id).failures == []
    assert blank_books.rows("SELECT actor FROM audit WHERE action = 'loss.approve'") == [
        ("head",),
        ("head",),
    ]


def test_owners_are_never_charged_more_than_the_documents_say_was_paid(
    blank_books: Books,
) -> None:
    community_id = pools(blank_books, LIGHTS)
    with blank_books.database.transaction() as connection:
        where = {"community_id": community_id, "pool": "lights", "period": "2026-10"}
        cost_id = papers.enter_cost(
            connection, **where, document="grid-10", amount=3000, actor="clerk", now=NOW
        )
        papers.decide_cost(connection, cost_id, "approved", actor="head", now=NOW)

    run = computed(blank_books)

    assert problems(run) == [("ChargedMoreThanPaid", "lights")]
    assert "would be charged 37.91 for what cost 30.00" in run.communities[0].problems[0].text


def test_a_pool_is_shared_by_the_version_in_force_until_it_is_retired(blank_books: Books) -> None:
    later = {**LIGHTS, "version": 2, "valid_from": date(2026, 11, 1), "basis": "area"}
    pools(blank_books, LIGHTS, later)
    blank_books.bill("2026-10")
    assert [key for *_, key, _ in shares(blank_books)] == [10_000] * 4
    blank_books.bill("2026-11")
    assert [key for *_, key, _ in shares(blank_books)][4:] == [885_000, 1_202_500, 950_000, 641_000]

    for day, left in (("2026-12-02", ["lights"]), ("2026-12-01", [])):
        said = tallygate(
            blank_books, "retire", "yard", "lights", day, "--by", "head", "--reason", "LED"
        )
        assert said == f"pool lights is retired from {day} on\n"
        with blank_books.database.snapshot() as connection:
            period = registry.period_of(connection, 1, "2026-12")
            found = definitions.pools(connection, 1, period)
        assert [each.pool.id for each in found] == left
    with pytest.raises(DBAPIError, match="is kept for ever"):
        blank_books.execute("DELETE FROM pool_retirement")


def test_a_statement_is_published_whole_or_without_telling_rooms(sqlite_books: Books) -> None:
    sqlite_books.bill("2026-10")
    sqlite_books.bill("2026-11")
    ((newest,),) = sqlite_books.rows("SELECT max(id) FROM statement WHERE quantity = 3468000")

    whole = json.loads(tallygate(sqlite_books, "statement", str(newest), "--json"))
    hidden_text = tallygate(sqlite_books, "statement", str(newest), "--json", "--masked")
    hidden = json.loads(hidden_text)

    assert whole["pool"]["id"] == "lift"
    assert whole["supply"]["parts"] == [
        {"charge": "energy", "quantity": "346.8", "amount": "193.62", "price": "0.5583"}
    ]
    assert whole["method"]["keys"] == [
        {"basis": "area", "unit": "m2", "part": "1", "total": "279.35"}
    ]
    assert whole["excluded"] == [{"unit": "101", "reason": "floor"}]
    assert [each["unit"] for each in whole["shares"]] == ["201", "202", "301", None]
    assert [each["steps"] for each in whole["shares"]] == [
        [each["amount"]] for each in whole["shares"]
    ]
    assert whole["earlier"]["period"] == "2026-10"
    assert whole["earlier"]["more_quantity"] == "52.8"
    assert whole["sums"]["remainder"] == "0.00"
    assert whole["odd_cents"]["months"] == 2
    assert whole["margin"] == {"charged": "174.25", "paid": "193.62", "documented": False}
    readings = whole["evidence"]["sources"][0]["segments"][0]["closing"]["readings"]
    assert [each["verdict"] for each in readings] == ["good"]

    assert hidden["excluded"] == [{"units": 1, "reason": "floor"}]
    assert [each["key"] for each in hidden["shares"]] == ["120.25", "95", "64.1", None]
    for room in ("201", "202", "301", "A-201"):
        assert f'"{room}"' not in hidden_text
    printed = tallygate(sqlite_books, "statement", str(newest))
    assert "lift 2026-11" in printed
    assert "rest 0.00" in printed
    assert "there is no statement 7" in tallygate(sqlite_books, "statement", "7")


def test_what_is_shared_by_two_keys_explains_and_recomputes_itself(blank_books: Books) -> None:
    hybrid = {
        **PUMP,
        "basis": "hybrid",
        "first": {"basis": "area", "share": "0.3"},
        "rest": {"basis": "use", "use": PUMP["use"]},
    }
    pools(blank_books, {key: value for key, value in hybrid.items() if key != "use"})
    run = blank_books.bill()

    ((keys,),) = blank_books.rows("SELECT keys FROM statement")
    assert [(each["basis"], each["part"]) for each in json.loads(keys)] == [
        ("area", "3/10"),
        ("use", "7/10"),
    ]
    assert blank_books.rows("SELECT key, rest_key FROM share WHERE position = 0") == [
        (885_000, 185_000)
    ]
    assert blank_books.verify(run.id).failures == []


def test_what_rounding_owes_is_kept_where_the_community_was_held_in_another_run(
    blank_books: Books,
) -> None:
    pools(blank_books, LIGHTS)
    other = community_document("other", prefix="o-")
    blank_books.define({**other, "point": [], "tariffs": {"residential": ["fee"]}}, pools=())
    both = blank_books.create("2026-10", "yard", "other")
    hold(
        blank_books.database,
        run_id=both,
        community="yard",
        reason="its master is read again",
        actor="clerk",
        now=NOW,
    )
    blank_books.bill_run(both)
    blank_books.bill()

    with blank_books.database.snapshot() as connection:
        (community_id,) = {
            row[0] for row in blank_books.rows("SELECT community_id FROM pool_version")
        }
        owed = papers.carried(connection, community_id, "2026-11")
    assert owed["lights"]
    assert sum(owed["lights"].values()) == pytest.approx(0, abs=5)
