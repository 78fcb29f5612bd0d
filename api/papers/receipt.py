"""The receipt of a payment on paper: who paid what, and what it has paid."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from api import payer_terms, terms
from api.formats import Formats
from api.papers.paper import Cell, Column, Paper, Table
from api.papers.sealing import of_receipt
from billing.payments.claim import BILL

if TYPE_CHECKING:
    from api.language import Language
    from api.papers.sealing import Seals
    from billing.store.payments_book import Payment
    from billing.store.payments_due import Payer
    from billing.store.payments_receipts import Receipt


def receipt_paper(
    receipt: Receipt, paid: Payment, who: Payer, language: Language, seals: Seals | None
) -> Paper:
    """Return what stands on the paper of `receipt`, which `who` has for the payment `paid`."""
    words, told = Formats(language), receipt.document
    day = receipt.issued_at.astimezone(who.zone).date()
    sealed = of_receipt(receipt, paid.amount, paid.currency, day)
    return Paper(
        tag=language.tag,
        at=receipt.issued_at,
        number=receipt.number,
        above=language.titled(who.community_title),
        title=language("Receipt"),
        amount=words.money(paid.amount, paid.currency),
        mark=language("undone since") if receipt.reversed else "",
        facts=(
            (language("Unit"), told["unit"]),
            (language("Holder"), told["holder"]),
            (language("Receipt number"), receipt.number),
            (language("Paid at"), words.instant(paid.paid_at, who.zone)),
            (
                language("Paid by"),
                f"{_channel(paid, language)} · {paid.transaction_id}",
            ),
            (language("Issued on"), words.day(day)),
        ),
        tables=(_pays(receipt, paid, language),),
        seal=None if seals is None else seals.seal(sealed, language),
    )


def _channel(paid: Payment, language: Language) -> str:
    return language(terms.term(payer_terms.CHANNELS, paid.channel))


def _pays(receipt: Receipt, paid: Payment, language: Language) -> Table:
    words, told = Formats(language), receipt.document
    rows = [
        (
            Cell(each["claim"].removeprefix(BILL)),
            Cell(words.exact_money(Decimal(each["amount"]), paid.currency)),
        )
        for each in told["pays"]
    ]
    credit = words.exact_money(Decimal(told["credit"]), paid.currency)
    return Table(
        title=language("What it has paid"),
        columns=(
            Column(language("Bill"), wide=True),
            Column(language("Amount"), number=True),
        ),
        rows=(*rows, (Cell(language("Credit for the next bills")), Cell(credit))),
        foot=(Cell(language("Total")), Cell(words.money(paid.amount, paid.currency))),
    )
