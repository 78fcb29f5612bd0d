"""Verification: an untouched run recomputes to the last line, and every tampering is named."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from billing.store.verification import verify_line, verify_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_community import Books

TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"


def tamper(books: Books, table: str, change: str, **parameters: object) -> int:
    """Change `table` as somebody would who owns the database: past its triggers."""
    if books.database.engine.dialect.name == "postgresql":
        books.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        return books.execute(change, **parameters)
    for name, _ in books.rows(TRIGGERS, table=table):
        books.execute(f"DROP TRIGGER {name}")
    return books.execute(change, **parameters)


def failures(books: Books) -> list[str]:
    return books.verify(1).failures


def usage_of(books: Books, point: str) -> tuple[int, Any]:
    ((usage_id, evidence),) = books.rows(
        "SELECT usage.id, evidence FROM usage JOIN point ON point.id = point_id"
        " WHERE code = :point",
        point=point,
    )
    return usage_id, json.loads(evidence)


def rewrite(table: str, row_id: int, evidence: Any) -> tuple[str, str, dict[str, Any]]:
    text = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    change = f"UPDATE {table} SET evidence = :text WHERE id = :id"  # noqa: S608  names of ours
    return table, change, {"text": text, "id": row_id}


Change = tuple[str, str, dict[str, Any]]


def in_usage(point: str, edit: Callable[[dict[str, Any]], object]) -> Callable[[Books], Change]:
    """Return what changes the evidence of a point's usage by `edit` of its segment."""

    def change(books: Books) -> Change:
        usage_id, evidence = usage_of(books, point)
        edit(evidence["segments"][0])
        return rewrite("usage", usage_id, evidence)

    return change


def in_statement(pool: str, edit: Callable[[dict[str, Any]], object]) -> Callable[[Books], Change]:
    def change(books: Books) -> Change:
        ((statement_id, evidence),) = books.rows(
            "SELECT statement.id, evidence FROM statement"
            " JOIN pool_version ON pool_version.id = pool_version_id WHERE code = :pool",
            pool=pool,
        )
        document = json.loads(evidence)
        edit(document)
        return rewrite("statement", statement_id, document)

    return change


def in_line(charge: str, edit: Callable[[dict[str, Any]], object]) -> Callable[[Books], Change]:
    def change(books: Books) -> Change:
        ((text,),) = books.rows(
            "SELECT evidence FROM bill_line WHERE bill_id = 1000001 AND charge = :charge",
            charge=charge,
        )
        document = json.loads(text)
        edit(document)
        sql = "UPDATE bill_line SET evidence = :text WHERE bill_id = 1000001 AND charge = :charge"
        return "bill_line", sql, {"text": json.dumps(document), "charge": charge}

    return change


def straight(table: str, change: str) -> Callable[[Books], Change]:
    return lambda _: (table, f"UPDATE {table} SET {change}", {})  # noqa: S608  names of ours, below


def setting(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return what sets the value at the end of `path`, its last element, in a document."""
    *keys, last, value = path

    def edit(document: Any) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return edit


def swap_a_cent(_: Books) -> Change:
    """One owner bears a cent more of the lights, another one less: every sum still holds."""
    sql = (
        "UPDATE share SET amount = amount + CASE position WHEN 0 THEN 1 ELSE -1 END"
        " WHERE position < 2 AND statement_id = (SELECT statement.id FROM statement JOIN"
        " pool_version ON pool_version.id = pool_version_id WHERE code = 'lights')"
    )
    return "share", sql, {}


LINE_1 = "WHERE bill_id = 1000001 AND position = 1"
TAMPERED: dict[str, tuple[Callable[[Books], Change], tuple[str, ...]]] = {
    "the amount of a line": (
        straight("bill_line", f"amount = amount + 1 {LINE_1}"),
        (
            "I7: bill yard-2026-10-0001, line 1: amount: the bill says 124.85, ",
            "bill yard-2026-10-0001: claims 49704, its lines 49705",
            "I6: yard: ",
        ),
    ),
    "the quantity of a line": (
        straight("bill_line", f"quantity = quantity + 1 {LINE_1}"),
        ("I7: bill yard-2026-10-0001, line 1: quantity", "I6: yard: "),
    ),
    "the charge of a line": (
        straight("bill_line", f"charge = 'energie' {LINE_1}"),
        ("I7: bill yard-2026-10-0001, line 1: its evidence is damaged: KeyError: 'energie'",),
    ),
    "the category of a line": (
        straight("bill_line", f"revenue = 'gifts' {LINE_1}"),
        ("I6: yard: ",),
    ),
    "the tariff of a line": (
        straight("bill_line", f"tariff_version_id = 4 {LINE_1}"),
        ("I7: bill yard-2026-10-0001, line 1: amount",),
    ),
    "the usage of a line": (
        straight("bill_line", f"usage_id = NULL {LINE_1}"),
        ("I7: bill yard-2026-10-0001, line 1: registers: the bill says",),
    ),
    "the usage of a line, exchanged for another's": (
        straight("bill_line", f"usage_id = usage_id + 1 {LINE_1}"),
        ("I7: bill yard-2026-10-0001, line 1: use",),
    ),
    "the use that a line was rated with": (
        in_line("energy", setting("inputs", "use", "import_energy", "250.6")),
        ("I7: bill yard-2026-10-0001, line 1: quantity",),
    ),
    "the year to date that a line was rated with": (
        in_line("energy", setting("inputs", "before_year", "import_energy", "100")),
        ("I7: bill yard-2026-10-0001, line 1: amount",),
    ),
    "a step of a line": (
        in_line("energy", setting("parts", 0, "quantity", "201")),
        ("I7: bill yard-2026-10-0001, line 1: steps",),
    ),
    "the evidence of a line, which is no JSON any more": (
        straight("bill_line", f"evidence = '{{' {LINE_1}"),
        ("I7: bill yard-2026-10-0001, line 1: its evidence is damaged: JSONDecodeError",),
    ),
    "the share that a line is of": (
        straight("bill_line", "share = 1 WHERE bill_id = 1000001 AND charge = 'lights'"),
        ("I7: bill yard-2026-10-0001, line 7: share",),
    ),
    "the total of a bill": (
        straight("bill", "total = total - 1 WHERE id = 1000001"),
        ("bill yard-2026-10-0001: claims 49703, its lines 49704", "I8: bill yard-2026-10-0001"),
    ),
    "the account of a bill": (
        straight("bill", "account_id = 2 WHERE id = 1000001"),
        ("I6: yard: ", "I8: bill yard-2026-10-0001"),
    ),
    "a usage": (
        straight("usage", "quantity = quantity + 1 WHERE id = 1000001"),
        ("I3: usage of E-101, import_energy: quantity: the bill says 250.5001, the evidence",),
    ),
    "the interval of a usage": (
        straight("usage", "start = '2026-10-01 00:00:00.000000' WHERE id = 1000001"),
        (
            "I2: E-101, import_energy: billed until 2026-09-30 16:00:00+00:00, then 2026-10-01",
            "I3: usage of E-101, import_energy: start: the bill says 2026-10-01 00:00",
        ),
    ),
    "a register in a usage": (
        in_usage("E-101", setting("closing", "value", "1250.6")),
        (
            "I3: usage of E-101, import_energy: register of E-101: the bill says 1250.6 read",
            "I7: bill yard-2026-10-0001, line 1: use",
        ),
    ),
    "a reading in a usage": (
        in_usage("W-201", setting("closing", "readings", 0, "value", "14.998")),
        ("I3: usage of W-201, volume: register of W-201: the bill says 14.999 read",),
    ),
    "the verdict of a reading": (
        in_usage("E-101", setting("closing", "readings", 0, "verdict", "suspect")),
        ("I3: usage of E-101, import_energy: register of E-101",),
    ),
    "the verdict of a reading, to one that there is not": (
        in_usage("E-101", setting("closing", "readings", 0, "verdict", "goof")),
        ("I3: usage of E-101, import_energy: its evidence is damaged: KeyError: 'GOOF'",),
    ),
    "a reading that is not there any more": (
        in_usage("E-101", setting("closing", "readings", [])),
        ("I3: usage of E-101, import_energy: register of E-101",),
    ),
    "the raw words of a reading": (
        in_usage("E-101", setting("closing", "readings", 0, "raw", "00")),
        ("I6: yard: what is stored gives the digest",),
    ),
    "the growth of a segment": (
        in_usage("pump", setting("growth", "77.5")),
        ("I3: usage of pump, import_energy: growth of pump: the bill says 77.5",),
    ),
    "a multiplier": (
        in_usage("lift", setting("multiplier", "4")),
        ("I3: usage of lift, import_energy: use of lift: the bill says 294",),
    ),
    "the segments of a usage": (
        in_usage("lift", setting("closing", "at", "2026-10-30T16:00:00Z")),
        ("I3: usage of lift, import_energy: end",),
    ),
    "two shares, so that their sum holds": (
        swap_a_cent,
        (
            "I4: statement of lights: share of unit 101, amount",
            "I4: statement of lights: share of unit 201, amount",
            "I7: bill yard-2026-10-0001, line 7: share",
        ),
    ),
    "the company's share": (
        straight("share", "amount = amount - 1 WHERE unit_id IS NULL"),
        (
            "I4: statement of lift: its shares sum to 16413 fen, its supply is 16414",
            "I4: statement of lift: the company's share, amount",
        ),
    ),
    "the cost of a supply": (
        straight("statement", "amount = amount - 1 WHERE id = 1000001"),
        ("I4: statement of lift: amount of the supply",),
    ),
    "the area of a participant": (
        in_statement("lift", setting("participants", 1, "attributes", "area", "120.26")),
        ("I4: statement of lift: share of unit 201, quantity",),
    ),
    "a participant who is gone": (
        in_statement("lights", lambda document: document["participants"].pop()),
        ("I4: statement of lights: who shares",),
    ),
    "a reading behind a shared supply": (
        in_statement("pump", setting("sources", 0, "segments", 0, "closing", "value", "78")),
        ("I4: statement of pump: use: the bill says 77.4, the evidence gives 77.6",),
    ),
    "what a run counts": (
        straight("community_run", "total = total + 1"),
        ("yard: its run counts 4 bills of 191355 fen, there are 4 bills of 191354 fen",),
    ),
    "the digest of a run": (
        straight("bill_run", "digest = 'f', approved_digest = 'f'"),
        ("I6: run 1: its digest is not that of its communities",),
    ),
    "a posting": (
        straight("posting", "amount = amount + 1 WHERE ledger_account = 'receivable'"),
        (
            "I8: the trial balance is off by 4 fen",
            "I8: entry bill:yard-2026-10-0001 is off by 1 fen",
            "I8: bill yard-2026-10-0001 is of 49704 fen, the journal claims 49705 for it",
        ),
    ),
    "two postings, so that the trial balance holds": (
        straight(
            "posting",
            "amount = amount + CASE reference WHEN 'bill:yard-2026-10-0001' THEN 1 ELSE -1 END"
            " WHERE ledger_account = 'receivable' AND reference < 'bill:yard-2026-10-0003'",
        ),
        ("I8: entry bill:yard-2026-10-0001", "I8: entry bill:yard-2026-10-0002"),
    ),
    "an audit entry": (
        straight("audit", "actor = 'clerk' WHERE position = 4"),
        ("I9: audit entry 4 is not what was written",),
    ),
    "an audit entry that is gone": (
        lambda _: ("audit", "DELETE FROM audit WHERE position = 2", {}),
        ("I9: audit entry 2 is not what was written",),
    ),
}


def test_an_untouched_run_recomputes_to_the_last_line(books: Books) -> None:
    for number, period in enumerate(("2026-10", "2026-11"), start=1):
        run = books.bill(period)

        verified = books.verify(run.id)

        assert verified.failures == []
        (lines,) = books.rows(
            "SELECT count(*) FROM bill_line WHERE bill_id > :id", id=number * 10**6
        )
        assert (verified.lines, verified.statements, verified.usages) == (*lines, 3, 11)
        assert verified.audit_entries == 5 * number


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_found_and_named(what: str, sqlite_books: Books) -> None:
    sqlite_books.bill()
    change, says = TAMPERED[what]

    table, sql, parameters = change(sqlite_books)
    assert tamper(sqlite_books, table, sql, **parameters)

    found = failures(sqlite_books)
    for text in says:
        assert any(text in failure for failure in found), found


def test_tampering_is_found_on_every_database(books: Books) -> None:
    books.bill()

    assert tamper(books, *straight("bill_line", f"amount = amount + 1 {LINE_1}")(books)[:2]) == 1
    assert tamper(books, "audit", "UPDATE audit SET actor = 'x' WHERE position = 4") == 1

    found = failures(books)
    assert any(failure.startswith("I7: bill yard-2026-10-0001, line 1") for failure in found)
    assert any(failure.startswith("I9: audit entry 4") for failure in found)


def test_the_opening_must_be_what_was_last_issued(sqlite_books: Books) -> None:
    sqlite_books.bill("2026-10")
    run = sqlite_books.bill("2026-11")
    ((evidence,),) = sqlite_books.rows("SELECT evidence FROM usage WHERE id = 1000001")
    document = json.loads(evidence)
    closing = document["segments"][0]["closing"]
    closing["value"] = closing["readings"][0]["value"] = "1250.4"

    tamper(
        sqlite_books,
        *rewrite("usage", 1000001, document)[:2],
        text=json.dumps(document),
        id=1000001,
    )

    found = sqlite_books.verify(run.id).failures
    where = "I3: usage of E-101, import_energy"
    assert found == [
        f"{where}: opening: the bill says 1250.5, the evidence gives 1250.4, last issued"
    ]


def test_what_rounding_carries_on_is_what_was_stated_before(sqlite_books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        sqlite_books.bill(period)
    assert sqlite_books.verify(2).failures == []

    change = "UPDATE share SET carried = carried + 1 WHERE statement_id = :id AND position = 0"
    assert tamper(sqlite_books, "share", change, id=1_000_001) == 1

    (failure,) = sqlite_books.verify(2).failures
    assert failure.startswith("I4: statement of lift: carried: the bill says {")


def test_billed_time_has_neither_gap_nor_overlap(sqlite_books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        sqlite_books.bill(period)

    tamper(
        sqlite_books,
        "usage",
        "UPDATE usage SET \"end\" = '2026-10-30 16:00:00.000000' WHERE id = 1000001",
    )

    assert any(
        failure.startswith("I2: E-101, import_energy: billed until 2026-10-30")
        for failure in sqlite_books.verify(2).failures
    )


COLUMNS = {
    "usage": ("register", "unit", "evidence"),
    "statement": ("unit", "evidence"),
    "bill": ("number", "period", "currency"),
    "bill_line": ("charge", "revenue", "unit", "evidence"),
    "audit": ("action", "subject", "detail", "previous", "digest"),
}


def test_no_byte_changes_unnoticed(sqlite_books: Books) -> None:
    sqlite_books.bill()
    for table in COLUMNS:
        for name, _ in sqlite_books.rows(TRIGGERS, table=table):
            sqlite_books.execute(f"DROP TRIGGER {name}")
    chance = random.Random(7)  # noqa: S311  which byte, no secret

    for _ in range(60):
        table = chance.choice(sorted(COLUMNS))
        column = chance.choice(COLUMNS[table])
        rows = sqlite_books.rows(f"SELECT rowid, {column} FROM {table}")  # noqa: S608  names of ours
        row, value = chance.choice(rows)
        place = chance.randrange(len(value))
        other = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
        change = f"UPDATE {table} SET {column} = :value WHERE rowid = :row"  # noqa: S608  names of ours

        sqlite_books.execute(change, value=other, row=row)
        assert failures(sqlite_books), (table, column, value, other)
        sqlite_books.execute(change, value=value, row=row)

    assert failures(sqlite_books) == []


@pytest.mark.parametrize("charge", ["energy", "lights"])
def test_one_line_is_recomputed_by_itself(charge: str, sqlite_books: Books) -> None:
    sqlite_books.bill()
    number = "yard-2026-10-0001"
    ((position,),) = sqlite_books.rows(
        "SELECT position FROM bill_line WHERE bill_id = 1000001 AND charge = :charge",
        charge=charge,
    )
    with sqlite_books.database.snapshot() as connection:
        assert verify_line(connection, number, position) == []

    tamper(
        sqlite_books,
        "bill_line",
        "UPDATE bill_line SET amount = amount + 1 WHERE charge = :charge",
        charge=charge,
    )

    with sqlite_books.database.snapshot() as connection:
        (found,) = verify_line(connection, number, position)
        assert str(found).startswith("amount: the bill says")
        assert len(verify_run(connection, 1).failures) > 1


def test_a_run_that_is_not_issued_yet_is_verified_as_well(sqlite_books: Books) -> None:
    run_id = sqlite_books.create()
    assert sqlite_books.verify(run_id).lines == 0
    sqlite_books.compute(run_id)

    verified = sqlite_books.verify(run_id)

    assert (verified.lines, verified.failures) == (34, [])
