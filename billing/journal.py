"""The journal as others read it: entries with their day, as CSV and as Beancount.

Beancount's syntax: https://beancount.github.io/docs/beancount_language_syntax.html. Accounts begin
with one of its five roots, each part with a capital letter; amounts are units of the currency.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.money import from_fen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date


@dataclass(frozen=True, slots=True)
class Line:
    """A posting: `amount` fen on a ledger account, and the code of the customer's, if it has one.

    A debit is above zero, a credit below.
    """

    ledger_account: str
    account: str | None
    amount: int


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry as it stands in the journal."""

    reference: str
    day: date
    lines: tuple[Line, ...]


COLUMNS = ("day", "reference", "ledger_account", "account", "debit", "credit")
"""The columns of the CSV."""

_ROOTS = {
    "receivable": "Assets:Receivable",
    "clearing": "Assets:Clearing",
    "bank": "Assets:Bank",
    "credit": "Liabilities:Credit",
    "refunds": "Liabilities:Refunds",
    "revenue": "Income",
    "fee": "Expenses:Fee",
    "rounding": "Expenses:Rounding",
    "opening": "Equity:Opening",
}
"""Where the accounts of our ledger stand among Beancount's, by what their names begin with."""


def as_csv(entries: Iterable[Booked]) -> str:
    """Return the journal as CSV, one line a posting; debits and credits in columns of their own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        for line in entry.lines:
            size = str(from_fen(abs(line.amount)))
            sides = (size, "") if line.amount > 0 else ("", size)
            writer.writerow(
                (
                    entry.day.isoformat(),
                    entry.reference,
                    line.ledger_account,
                    line.account or "",
                    *sides,
                )
            )
    return text.getvalue()


def as_beancount(entries: Sequence[Booked], currency: str, *, title: str) -> str:
    """Return the journal as a Beancount file that opens every account that it uses."""
    opened: dict[str, date] = {}
    for entry in entries:
        for line in entry.lines:
            name = beancount_account(line.ledger_account)
            opened[name] = min(entry.day, opened.get(name, entry.day))
    blocks = [
        f'option "title" {_quoted(title)}\noption "operating_currency" "{currency}"',
        "\n".join(f"{day} open {name} {currency}" for name, day in sorted(opened.items())),
        *(_transaction(entry, currency) for entry in entries),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def beancount_account(ledger_account: str) -> str:
    """Return the name of a ledger account in Beancount: `Income:PropertyFee`.

    Raises `ValueError` for one that has no place among Beancount's roots.
    """
    kind, _, rest = ledger_account.partition(":")
    root = _ROOTS.get(kind)
    if root is None:
        raise ValueError(f"the ledger account {ledger_account!r} has no place in Beancount")
    return f"{root}:{_component(rest)}" if rest else root


def _component(name: str) -> str:
    words = re.split(r"[^0-9A-Za-z]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words)


def _transaction(entry: Booked, currency: str) -> str:
    lines = [f"{entry.day} * {_quoted(entry.reference)}"]
    for line in entry.lines:
        name = beancount_account(line.ledger_account)
        lines.append(f"  {name}  {from_fen(line.amount)} {currency}")
        if line.account is not None:
            lines.append(f"    account: {_quoted(line.account)}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
