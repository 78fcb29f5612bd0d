"""My data: everything that is kept about the accounts of a login, as the files of one archive.

The files are made one after another from one snapshot, so that no copy of the whole stands in
memory. Neighbours appear in none: evidence numbers them, statements mask their rooms.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from api import language
from api.language import mark as _
from api.schemas.bills import Bill, UsageOfBill
from api.schemas.disputes import DisputeShown
from api.schemas.notifications import NotificationShown
from api.schemas.payments import AccountStatementShown, DuesShown, PaymentShown, ReceiptShown
from api.store import logins
from billing.bundle import sealed
from billing.store import (
    audit,
    delivery_contacts,
    disputes,
    journal_views,
    payments_book,
    payments_due,
)
from billing.store import payments_receipts as receipts
from billing.store.views import bills, statements, usages
from billing.store.views.bundles import bundle_document
from billing.store.views.publication import publication
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic import BaseModel
    from sqlalchemy import Connection

    from api.language import Language
    from api.principal import Principal
    from billing.database import Database

File = tuple[str, bytes]

AT_ONCE = 100
BACK = timedelta(days=3650)
ALL = 100_000
"""More disputes than anybody has."""

README = (
    _("Your data at Tallygate"),
    _("Made on {time}. Times are UTC, money and quantities are exact texts."),
    _("login.json: your login, the settings of this browser, and where you are told of what"),
    _("accounts.json, accounts.csv: your accounts, what they owed and owe"),
    _("bills/, bill-lines.csv: every issued bill with its lines"),
    _("evidence/: what each bill rests on; `tallygate bill verify FILE` computes it again"),
    _("usage.json, usage.csv: what your meters counted, with the registers behind it"),
    _("payments.json, payments.csv, receipts.json: what was paid"),
    _("account-statements.json, account-statements.csv: what was owed and paid, day by day"),
    _("pool-statements/: how shared costs were shared; other rooms are masked"),
    _("disputes.json, disputes.csv: what you asked and what was answered"),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose data is exported, when, in which language, and how their browser shows pages."""

    caller: Principal
    accounts: frozenset[int]
    now: datetime
    reader: Language
    settings: Mapping[str, Any]

    @property
    def scope(self) -> Scope:
        return Scope(accounts=self.accounts)


def note(database: Database, wish: Wish) -> None:
    """Tell the audit log that the data was handed out."""
    with database.transaction() as connection:
        audit.append(
            connection,
            at=wish.now,
            actor=wish.caller.name,
            action="data.export",
            subject=f"login:{wish.caller.name}",
            detail={"accounts": sorted(wish.accounts)},
        )


def archive(database: Database, wish: Wish) -> Iterator[bytes]:
    """Yield the archive piece by piece."""
    sink = _Sink()
    stamp = wish.now.timetuple()[:6]
    with database.snapshot() as connection, ZipFile(sink, "w", ZIP_DEFLATED) as zipped:
        for name, content in files(connection, wish):
            zipped.writestr(ZipInfo(name, stamp), content, ZIP_DEFLATED)
            yield sink.taken()
    yield sink.taken()


def files(connection: Connection, wish: Wish) -> Iterator[File]:
    """Yield every file of the archive."""
    yield "README.txt", _readme(wish).encode()
    yield _json("login.json", _login(connection, wish))
    yield from _of_accounts(connection, wish)
    yield from _of_bills(connection, wish)
    yield from _of_usage(connection, wish)
    yield from _of_statements(connection, wish)
    asked = disputes.listed(connection, wish.scope, limit=ALL)
    yield from _both("disputes", [DisputeShown.of(each, wish.caller) for each in asked])


class _Sink(io.RawIOBase):
    """Takes what a ZIP file writes, and gives it on."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        found = bytes(self._held)
        self._held.clear()
        return found


def _readme(wish: Wish) -> str:
    parts = []
    for each in language.languages().values():
        title, made, *said = README
        time = wish.now.isoformat(timespec="seconds")
        lines = [each(title), "", each(made).format(time=time), ""]
        parts.append("\n".join([*lines, *(f"- {each(text)}" for text in said)]))
    return "\n\n".join(parts) + "\n"


def _login(connection: Connection, wish: Wish) -> dict[str, Any]:
    head = next((each for each in logins.heads(connection) if each.name == wish.caller.name), None)
    return {
        "name": wish.caller.name,
        "role": wish.caller.role,
        "created_at": None if head is None else head.created_at.isoformat(),
        "accounts": [] if head is None else list(head.accounts),
        "settings": dict(wish.settings),
        "notifications": [
            _document(NotificationShown.of(each))
            for each in delivery_contacts.of_person(connection, wish.caller.name)
        ],
    }


def _of_accounts(connection: Connection, wish: Wish) -> Iterator[File]:
    dues, books, payments, issued = [], [], [], []
    last = wish.now.date() + timedelta(days=1)  # it is tomorrow already in some zones
    for account in sorted(wish.accounts):
        found = payments_due.dues(connection, account, settled=True)
        dues.append({"holder": found.payer.holder, **_document(DuesShown.of(found))})
        book = journal_views.statement_of(connection, account, last - BACK, last)
        books.append(AccountStatementShown.of(book))
        for paid in payments_book.of_account(connection, account):
            payments.append(PaymentShown.of(paid, people=False))
            receipt = receipts.receipt_of(connection, paid.id)
            if receipt is not None:
                issued.append(ReceiptShown.of(receipt))
    yield from _both("accounts", dues)
    yield from _both("payments", payments)
    yield _json("receipts.json", [_document(each) for each in issued])
    documents = [_document(each) for each in books]
    yield _json("account-statements.json", documents)
    lines = [{"account": each["account"], **line} for each in documents for line in each["lines"]]
    yield "account-statements.csv", _csv(lines)


def _of_bills(connection: Connection, wish: Wish) -> Iterator[File]:
    lines: list[dict[str, Any]] = []
    after = None
    while True:
        heads = bills.heads(connection, wish.scope, limit=AT_ONCE, after=after)
        for head in heads:
            found = bills.bill(connection, wish.scope, head.number)
            evidence = bundle_document(connection, head.number)
            if found is None or evidence is None:
                continue
            document = _document(Bill.whole(found, wish.reader))
            name = head.number.replace("/", "-")
            yield _json(f"bills/{name}.json", document)
            yield f"evidence/{name}.json", sealed(evidence)
            lines += [
                {"bill": head.number, "period": head.period.key, "unit": head.unit}
                | {"line": line["position"], "charge": line["charge"]}
                | {"quantity": line["quantity"], "of": line["unit"], "amount": line["amount"]}
                | {"currency": head.currency, "due_on": document["due_on"]}
                | {"sentence": line["sentence"]}
                for line in document["lines"]
            ]
        if len(heads) < AT_ONCE:
            break
        after = bills.After(heads[-1].period.key, heads[-1].id)
    yield "bill-lines.csv", _csv(lines)


def _of_usage(connection: Connection, wish: Wish) -> Iterator[File]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        rows = usages.billed(connection, wish.scope, limit=AT_ONCE, after=after)
        found += [_document(UsageOfBill.of(each, wish.reader)) for each in rows]
        if len(rows) < AT_ONCE:
            break
        after = usages.After(rows[-1].period, rows[-1].bill_id, rows[-1].id)
    yield _json("usage.json", found)
    flat = [
        {name: value for name, value in {**each, **each["usage"]}.items() if name != "usage"}
        for each in found
    ]
    yield "usage.csv", _csv(flat)


def _of_statements(connection: Connection, wish: Wish) -> Iterator[File]:
    before = None
    while True:
        heads = statements.heads(connection, wish.scope, limit=AT_ONCE, before_id=before)
        for head in heads:
            view = statements.whole(connection, wish.scope, head.id)
            if view is not None:
                shown = publication(view, hide_rooms=True)
                yield _json(f"pool-statements/{head.period.key}-{head.pool.id}.json", shown)
        if len(heads) < AT_ONCE:
            return
        before = heads[-1].id


def _both(name: str, found: Sequence[BaseModel | dict[str, Any]]) -> Iterator[File]:
    """Yield rows as JSON, and as CSV without what is no single value."""
    documents = [each if isinstance(each, dict) else _document(each) for each in found]
    yield _json(f"{name}.json", documents)
    yield f"{name}.csv", _csv(documents)


def _document(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True)


def _json(name: str, document: Any) -> File:
    return name, (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV with a mark that spreadsheets know UTF-8 by; lists are left to JSON."""
    kept = [
        {name: _cell(value) for name, value in row.items() if not isinstance(value, list | dict)}
        for row in rows
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(kept[0]) if kept else [], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(kept)
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    """Return a value as a spreadsheet may open it: a text that looks like a formula is quoted."""
    if isinstance(value, str) and value[:1] in {"=", "+", "@", "\t", "\r"}:
        return f"'{value}"
    return value
