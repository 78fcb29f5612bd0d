"""The statement of an account on paper: what was owed, what changed day by day, what is owed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from api import payer_terms, terms
from api.formats import Formats
from api.papers.bill import instant_of, spaced
from api.papers.paper import Cell, Column, Paper, Table
from api.papers.sealing import of_account
from billing.payments.claim import BILL

if TYPE_CHECKING:
    from api.language import Language
    from api.papers.sealing import Seals
    from billing.store.journal_views import AccountStatement, StatementLine


def account_paper(found: AccountStatement, language: Language, seals: Seals | None) -> Paper:
    """Return what stands on the paper of a statement, which says how things stood after its days.

    Its number says of which days and of how many entries it is made.
    """
    words, who, sealed = Formats(language), found.payer, of_account(found)
    days = f"{words.day(found.first)}–{words.day(found.last)}"
    closing = words.money(found.closing, who.currency)
    return Paper(
        tag=language.tag,
        at=instant_of(found.last + timedelta(days=1), who.zone),
        number=sealed.number,
        above=language.titled(who.community_title),
        title=language("Statement of account"),
        amount=closing,
        facts=(
            (language("Unit"), who.unit),
            (language("Holder"), who.holder),
            (language("Payment code"), spaced(who.payment_code)),
            (language("Statement number"), sealed.number),
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
        seal=None if seals is None else seals.seal(sealed, language),
    )


def _row(line: StatementLine, currency: str, language: Language) -> tuple[Cell, ...]:
    words = Formats(language)
    kind = language(terms.term(payer_terms.STATEMENT_KINDS, line.kind.value))
    return (
        Cell(words.day(line.day)),
        Cell(kind, line.reference.removeprefix(BILL)),
        Cell(words.money(line.amount, currency)),
    )
