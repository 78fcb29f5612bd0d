"""The statement of an account on paper: what was owed, what changed day by day, what is owed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from api import payer_terms, terms
from api.formats import Formats
from api.papers.bill import instant_of, spaced
from api.papers.paper import Cell, Column, Paper, Table
from billing.payments.claim import BILL

if TYPE_CHECKING:
    from api.language import Language
    from billing.store.journal_views import AccountStatement, StatementLine


def account_paper(found: AccountStatement, language: Language) -> Paper:
    """Return what stands on the paper of a statement, which says how things stood after its days.

    It has no seal: a statement is issued under no number, and is made anew for whatever days.
    """
    words, who = Formats(language), found.payer
    days = f"{words.day(found.first)}–{words.day(found.last)}"
    closing = words.money(found.closing, who.currency)
    return Paper(
        tag=language.tag,
        at=instant_of(found.last + timedelta(days=1), who.zone),
        number=f"{who.payment_code} {found.first}–{found.last}",
        above=language.titled(who.community_title),
        title=language("Statement of account"),
        amount=closing,
        facts=(
            (language("Unit"), who.unit),
            (language("Holder"), who.holder),
            (language("Payment code"), spaced(who.payment_code)),
        ),
        tables=(
            Table(
                title=days,
                columns=(
                    Column(language("Day")),
                    Column(language("What"), wide=True),
                    Column(language("Amount"), number=True),
                ),
                rows=(
                    (
                        Cell(words.day(found.first)),
                        Cell(language("Owed before")),
                        Cell(words.money(found.opening, who.currency)),
                    ),
                    *(_row(line, who.currency, language) for line in found.lines),
                ),
                foot=(
                    Cell(words.day(found.last)),
                    Cell(language("Owed after")),
                    Cell(closing),
                ),
            ),
        ),
    )


def _row(line: StatementLine, currency: str, language: Language) -> tuple[Cell, ...]:
    words = Formats(language)
    kind = language(terms.term(payer_terms.STATEMENT_KINDS, line.kind.value))
    return (
        Cell(words.day(line.day)),
        Cell(kind, line.reference.removeprefix(BILL)),
        Cell(words.money(line.amount, currency)),
    )
