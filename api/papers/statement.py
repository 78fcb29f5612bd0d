"""The statement of a pool on paper: the supply, what it cost, who bears what, and that it adds up.

It says what the reader's page says: for owners and their committee other rooms are masked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from api import terms, wording
from api.formats import Formats
from api.papers.bill import instant_of
from api.papers.figures import Figures, Heading, Measure, money, on_paper, quantity
from api.papers.paper import Paper
from api.papers.sealing import of_pool
from billing.money import from_price

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo
    from typing import Any

    from api.language import Language
    from api.masking import ShownShare
    from api.papers.figures import Value
    from api.papers.sealing import Seals
    from billing.store.views.statements import StatementView, WholeStatement

ISSUED = "issued"


def statement_paper(
    view: WholeStatement,
    shown: Sequence[ShownShare],
    language: Language,
    seals: Seals | None,
    *,
    masked: bool,
) -> Paper:
    """Return what stands on the paper of a statement. `shown`: its shares as the reader sees them.

    One not issued is marked, and not sealed.
    """
    sealed = of_pool(view)
    tables = (meters(view, language), cost(view, language), shares(view, shown, language))
    advice = language(
        "Other rooms are masked and ordered by size, so that nobody's figures can be told."
    )
    paper = paper_of(
        view,
        tuple(each for each in (*tables, balance(view, language)) if each.rows),
        language,
        title=language.titled(view.head.pool.title),
        notes=(advice,) if masked else (),
    )
    if sealed is None:
        return paper
    return replace(
        paper,
        number=sealed.number,
        facts=(*paper.facts, (language("Statement number"), sealed.number)),
        seal=None if seals is None else seals.seal(sealed, language),
    )


def paper_of(
    view: StatementView,
    tables: Sequence[Figures],
    language: Language,
    *,
    title: str,
    notes: tuple[str, ...] = (),
) -> Paper:
    """Return a paper about the statement `view` with `tables`, dated by the end of its month."""
    head, words = view.head, Formats(language)
    return Paper(
        tag=language.tag,
        at=instant_of(head.period.after, head.period.zone),
        number=f"{head.pool.id}-{head.period.key}",
        above=f"{language.titled(head.community)} · {words.month(head.period)}",
        title=title,
        amount=words.money(head.amount, head.currency),
        mark="" if head.run_state == ISSUED else language("not issued yet"),
        facts=tuple(_facts(view, language)),
        tables=tuple(on_paper(each, language) for each in tables),
        notes=notes,
    )


def _facts(view: StatementView, language: Language) -> Iterator[tuple[str, str]]:
    words, head, pool = Formats(language), view.head, view.head.pool
    yield language("Supply"), words.quantity(head.quantity, head.unit)
    yield language("How it is shared"), language(wording.BASES[pool.basis])
    for key in view.keys:
        basis = f"{language(wording.BASES[key.basis])} · " if len(view.keys) > 1 else ""
        yield basis + language("Sum of keys"), words.quantity(key.total, key.unit)
    yield language("Company's share by agreement"), words.percent(pool.borne_by_company)
    if view.tariff is not None:
        yield language("Tariff"), f"{language.titled(view.tariff.title)}, v{view.tariff.version}"
    yield language("Pool"), f"{pool.id}, v{pool.version}"


def meters(view: StatementView, language: Language) -> Figures:
    """Return what the shared meters showed at both ends, and what they counted."""
    zone = view.head.period.zone
    return Figures(
        title=language("What the shared meters counted"),
        headings=(
            Heading(title=language("Point"), wide=True),
            Heading(title=language("Meter"), below=True),
            Heading(title=language("Opening"), number=True),
            Heading(title=language("Read at"), below=True),
            Heading(title=language("Closing"), number=True),
            Heading(title=language("Read until"), below=True),
            Heading(title=language("Multiplier"), number=True),
            Heading(title=language("Use"), number=True),
        ),
        rows=tuple(
            (source["point"], segment["opening"]["meter"], *_ends(source, segment, zone))
            for source in view.evidence.get("sources", ())
            for segment in source["segments"]
        ),
    )


def _ends(source: dict[str, Any], segment: dict[str, Any], zone: tzinfo) -> tuple[Value, ...]:
    unit = source["unit"]
    opening, closing = segment["opening"], segment["closing"]
    return (
        Measure(Decimal(opening["value"]), unit),
        local(opening["at"], zone),
        Measure(Decimal(closing["value"]), unit),
        local(closing["at"], zone),
        Measure(Decimal(segment["multiplier"]), ""),
        Measure(Decimal(segment["quantity"]), unit),
    )


def local(at: str, zone: tzinfo) -> str:
    """Return an instant of the evidence in local time, to the second."""
    return datetime.fromisoformat(at).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def cost(view: StatementView, language: Language) -> Figures:
    """Return the steps and bands of the supply, whose amounts sum to what it cost."""
    head = view.head
    rows = [
        (
            wording.charge_title(view.tariff, part.charge, language),
            "" if part.step is None else f"{language('Step')} {part.step}",
            "" if part.band is None else language(terms.term(terms.BANDS, part.band)),
            None if part.price is None else quantity(part.quantity, part.unit or head.unit),
            None if part.price is None else Measure(from_price(part.price), head.currency),
            money(part.amount, head.currency),
        )
        for part in view.parts
    ]
    foot = (language("Cost of the supply"), "", "", None, None, money(head.amount, head.currency))
    return Figures(
        title=language("What it cost"),
        headings=(
            Heading(title=language("Charge"), wide=True),
            Heading(title=language("Step"), below=True),
            Heading(title=language("Time of day"), below=True),
            Heading(title=language("Quantity"), number=True),
            Heading(title=language("Price"), number=True),
            Heading(title=language("Amount"), number=True),
        ),
        rows=tuple(rows),
        foot=foot,
    )


def shares(view: StatementView, shown: Sequence[ShownShare], language: Language) -> Figures:
    """Return every share as the reader sees it, and their sums."""
    head, keys = view.head, view.keys
    several = len(keys) > 1

    def key_title(place: int) -> str:
        basis = language(wording.BASES[keys[place].basis])
        return f"{language('Key')} · {basis}" if several else language("Key")

    return Figures(
        title=language("Who bears what"),
        headings=(
            Heading(title=language("Unit"), wide=True),
            Heading(title=language("Note"), below=True),
            Heading(title=language("Bill"), below=True),
            *(Heading(title=key_title(place), number=True) for place in range(len(keys))),
            Heading(title=language("Amount"), number=True),
            Heading(title=language("Use"), number=True),
            Heading(title=language("Odd cent"), number=True, signed=True),
            Heading(title=language("Borne by")),
        ),
        rows=tuple(_share(view, each, language) for each in shown),
        foot=(
            language("Sum of the shares"),
            "",
            "",
            *(quantity(key.total, key.unit) for key in keys),
            money(view.sums.amount, head.currency),
            quantity(view.sums.quantity, head.unit),
            money(view.sums.odd_amount, head.currency),
            "",
        ),
    )


def _share(view: StatementView, shown: ShownShare, language: Language) -> tuple[Value, ...]:
    head, share = view.head, shown.share
    notes = (language("mine") * shown.mine, language("vacant") * shown.vacant)
    return (
        bearer(shown.unit, language),
        " · ".join(filter(None, notes)),
        shown.bill or "",
        *(
            quantity(own, key.unit)
            for own, key in zip((share.key, share.rest_key), view.keys, strict=False)
        ),
        money(share.amount, head.currency),
        quantity(share.quantity, head.unit),
        money(share.odd_amount or None, head.currency),
        language(terms.term(terms.PAYERS, share.payer.value)),
    )


def bearer(unit: str | None, language: Language) -> str:
    """Return who bears a share: the unit, or the company by agreement."""
    return language("Company's share by agreement") if unit is None else unit


def balance(view: StatementView, language: Language) -> Figures:
    """Return what owners and the company bear, against what the supply cost."""
    currency, head = view.head.currency, view.head
    rows = (
        (language("Owners bear"), view.sums.owners),
        (language("The property company bears"), view.sums.company),
        (language("Sum of the shares"), view.sums.amount),
        (language("Cost of the supply"), head.amount),
    )
    return Figures(
        title=language("Does it add up?"),
        headings=(
            Heading(title=language("What"), wide=True),
            Heading(title=language("Amount"), number=True),
        ),
        rows=tuple((name, money(amount, currency)) for name, amount in rows),
        foot=(language("Difference"), money(view.sums.amount - head.amount, currency)),
    )
