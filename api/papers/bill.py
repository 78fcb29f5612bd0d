"""A bill on paper: its lines with why each is what it is, and the registers behind them."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from api import terms, wording
from api.formats import Formats
from api.papers.paper import Cell, Column, Paper, Table
from api.papers.sealing import of_bill
from api.papers.typesetting import typeset
from billing.payments.payment_code import payment_code
from billing.store.views import bills
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection

    from api.language import Language
    from api.papers.sealing import Seals
    from billing.store.views.bills import BillView
    from billing.store.views.usages import UsageView


def bill_pdf(
    connection: Connection,
    number: str,
    *,
    language: Language,
    seals: Seals | None,
    scope: Scope | None = None,
) -> bytes | None:
    """Return the bill `number` as PDF; None if there is none, or not in `scope`.

    Without a scope it is any bill that is issued. `seals`: what papers are signed with, if anything
    (`api.papers.sealing.open_seals`). The same bill in the same language gives the same bytes.
    """
    found = bills.bill(connection, scope or Scope(), number)
    return None if found is None else typeset(bill_paper(found, language, seals))


def bill_paper(bill: BillView, language: Language, seals: Seals | None) -> Paper:
    """Return what stands on the paper of `bill`; one not issued is marked, and not sealed."""
    words, head = Formats(language), bill.head
    month = words.month(head.period)
    called = "Correction for %(month)s" if head.correction else "Bill for %(month)s"
    sealed = of_bill(bill)
    return Paper(
        tag=language.tag,
        at=instant_of(head.issued_on or head.period.after, head.period.zone),
        number=head.number,
        above=language.titled(head.community),
        title=language(called) % {"month": month},
        amount=words.money(head.total, head.currency),
        mark="" if head.issued_on else language("not issued yet"),
        facts=tuple(_facts(bill, language)),
        tables=(_lines(bill, language), *_registers(bill, language)),
        seal=None if seals is None or sealed is None else seals.seal(sealed, language),
    )


def instant_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the local midnight at which `day` begins: what a paper of that day is dated by."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def spaced(code: str) -> str:
    """Return a payment code in groups of four digits."""
    return f"{code[:4]} {code[4:8]} {code[8:]}"


def _facts(bill: BillView, language: Language) -> Iterator[tuple[str, str]]:
    words, head = Formats(language), bill.head
    yield language("Unit"), f"{language.titled(head.building)} · {head.unit}"
    yield language("Holder"), head.holder
    yield language("Period"), f"{words.first_day(head.period)}–{words.last_day(head.period)}"
    yield language("Bill number"), head.number
    if head.issued_on and head.due_on:
        yield language("Issued on"), words.day(head.issued_on)
        yield language("Due on"), words.day(head.due_on)
    yield language("Payment code"), spaced(payment_code(head.account_id))


def _lines(bill: BillView, language: Language) -> Table:
    words, head = Formats(language), bill.head
    rows = tuple(
        (
            Cell(wording.title(line, language), wording.sentence(bill, line, language)),
            Cell(words.money(line.amount, head.currency)),
        )
        for line in bill.lines
    )
    return Table(
        title=language("What it is made of"),
        columns=(
            Column(language("Charge"), wide=True),
            Column(language("Amount"), number=True),
        ),
        rows=rows,
        foot=(Cell(language("Total")), Cell(words.money(head.total, head.currency))),
    )


def _registers(bill: BillView, language: Language) -> Iterator[Table]:
    """Yield the registers that the lines count by, each once."""
    zone = bill.head.period.zone
    rows = tuple(row for usage in bill.usages for row in _segments(usage, zone, language))
    if rows:
        yield Table(
            title=language("Registers"),
            columns=(
                Column(language("Meter"), wide=True),
                Column(language("Opening"), number=True),
                Column(language("Closing"), number=True),
                Column(language("Use"), number=True),
            ),
            rows=rows,
            note=language("Each line can be opened and checked on its page in the portal."),
        )


def _segments(usage: UsageView, zone: ZoneInfo, language: Language) -> Iterator[tuple[Cell, ...]]:
    words = Formats(language)
    for segment in usage.evidence["segments"]:
        opening, closing, times = segment["opening"], segment["closing"], segment["multiplier"]
        meter = opening["meter"] if times == "1" else f"{opening['meter']} × {times}"
        ends = [
            Cell(
                words.number(Decimal(end["value"])),
                words.short_day(datetime.fromisoformat(end["at"]).astimezone(zone).date()),
            )
            for end in (opening, closing)
        ]
        used = words.measure(Decimal(segment["quantity"]), usage.unit)
        yield Cell(language(terms.term(terms.MEDIA, usage.medium)), meter), *ends, Cell(used)
