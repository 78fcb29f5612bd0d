"""The check of an apportionment, as a workbook and on paper: all that leads to it, and its sums."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from api import apportionment, findings, staff_terms, terms, wording
from api.formats import Formats
from api.papers.figures import Figures, Heading, Measure, money, quantity
from api.papers.statement import bearer, cost, local, meters, paper_of, shares
from billing.pools.basis import KEY_UNITS, Basis
from billing.pools.participant import read_participants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from api.apportionment import Check
    from api.language import Language
    from api.masking import ShownShare
    from api.papers.figures import Value
    from api.papers.paper import Paper
    from billing.pools.participant import Participant
    from billing.store.pool_checks import PoolCheck
    from billing.store.views.statements import StatementView, WholeStatement

AREA, AREA_UNIT = Basis.AREA.value, KEY_UNITS[Basis.AREA]


def check_paper(
    view: WholeStatement, shown: Sequence[ShownShare], said: PoolCheck | None, language: Language
) -> Paper:
    """Return what stands on the paper of the check of `view`; `said`: the last word about it."""
    called, pool = language("Apportionment check"), language.titled(view.head.pool.title)
    tables = check_tables(view, shown, said, language)
    return paper_of(view, tables, language, title=f"{called} · {pool}")


def check_tables(
    view: WholeStatement, shown: Sequence[ShownShare], said: PoolCheck | None, language: Language
) -> list[Figures]:
    """Return the tables of the check, in the order in which they are looked at; none is empty."""
    tables = (
        _overview(view, said, language),
        _sums(view, language),
        _changes(view, language),
        shares(view, shown, language),
        cost(view, language),
        _documents(view, language),
        meters(view, language),
        _readings(view, language),
        _found(view, language),
        _subs(view, language),
        _members(view, language),
        _odd_cents(view, language),
    )
    return [each for each in tables if each.rows]


def _overview(view: StatementView, said: PoolCheck | None, language: Language) -> Figures:
    return Figures(
        title=language("Overview"),
        headings=(
            Heading(title=language("What"), wide=True),
            Heading(title=language("Value"), number=True),
            Heading(title=language("Note")),
        ),
        rows=tuple(_told(view, said, language)),
    )


def _told(
    view: StatementView, said: PoolCheck | None, language: Language
) -> Iterator[tuple[Value, ...]]:
    head, pool, words = view.head, view.head.pool, Formats(language)
    state = language(terms.term(terms.RUN_STATES, head.run_state))
    yield language("Community"), None, language.titled(head.community)
    yield language("Period"), None, head.period.key
    yield language("Pool"), None, f"{language.titled(pool.title)} · {pool.id}, v{pool.version}"
    yield language("Run"), Measure(Decimal(head.run_id), ""), state
    yield language("How it is shared"), None, language(wording.BASES[pool.basis])
    for key in view.keys:
        basis = language(wording.BASES[key.basis])
        yield language("Sum of keys"), quantity(key.total, key.unit), f"{basis} · {key.part}"
    by_company = Measure(pool.borne_by_company, "")
    yield language("Company's share by agreement"), by_company, words.percent(pool.borne_by_company)
    if view.tariff is not None:
        tariff = f"{language.titled(view.tariff.title)} · {view.tariff.id}, v{view.tariff.version}"
        yield language("Tariff"), None, tariff
    for cut in view.cuts:
        yield language("Another price from"), None, words.day(cut.first)
    currency, margin = head.currency, view.margin
    yield language("Owners bear"), money(view.sums.owners, currency), ""
    company = money(view.sums.company, currency)
    yield language("The property company bears"), company, ""
    paid = language("by documents") if margin.documented else language("at its tariff")
    yield language("Paid for it"), money(margin.paid, currency), paid
    if said is None:
        yield language("Sign-off"), None, language("Nobody has signed it off yet.")
    else:
        word = language(terms.term(staff_terms.POOL_WORDS, said.word.value))
        at = words.instant(said.said_at, head.period.zone)
        again = "" if said.current else language("computed again since")
        told = filter(None, (word, again, said.said_by, at, said.reason))
        yield language("Sign-off"), None, " · ".join(told)


def _sums(view: StatementView, language: Language) -> Figures:
    head = view.head
    checks = [
        (language("Amount"), apportionment.amount_check(view), head.currency),
        (language("Quantity"), apportionment.quantity_check(view), head.unit),
        *(
            (language(wording.BASES[key.basis]), check, key.unit)
            for key, check in zip(view.keys, apportionment.key_checks(view), strict=True)
        ),
    ]
    rows = [
        _sum(name, check, unit, language, in_fen=place == 0)
        for place, (name, check, unit) in enumerate(checks)
    ]
    return Figures(
        title=language("Sums"),
        headings=(
            Heading(title=language("What"), wide=True),
            Heading(title=language("Stated"), number=True),
            Heading(title=language("Sum of the shares"), number=True),
            Heading(title=language("Difference"), number=True, signed=True),
            Heading(title=language("Check")),
        ),
        rows=tuple(rows),
    )


def _sum(
    name: str, check: Check, unit: str, language: Language, *, in_fen: bool
) -> tuple[Value, ...]:
    measured = money if in_fen else quantity
    holds = language("the same") if check.holds else language("differs")
    difference = check.found - check.told
    told = [measured(each, unit) for each in (check.told, check.found, difference)]
    return name, *told, holds


def _changes(view: WholeStatement, language: Language) -> Figures:
    currency, words = view.head.currency, Formats(language)
    before = view.earlier
    rows = tuple(
        (
            bearer(each.unit, language),
            money(each.before, currency),
            money(each.now, currency),
            money(each.amount, currency),
        )
        for each in view.changes
    )
    month = "" if before is None else words.month(before.period)
    paid = 0 if before is None else before.amount
    return Figures(
        title=language("What changed since the month before"),
        headings=(
            Heading(title=language("Unit"), wide=True),
            Heading(title=month, number=True),
            Heading(title=words.month(view.head.period), number=True),
            Heading(title=language("Difference"), number=True, signed=True),
        ),
        rows=rows,
        foot=(
            language("Cost of the supply"),
            money(paid, currency),
            money(view.head.amount, currency),
            money(view.head.amount - paid, currency),
        ),
        note=language("The largest differences come first."),
    )


def _documents(view: StatementView, language: Language) -> Figures:
    currency = view.head.currency
    rows = tuple(
        (
            each["document"],
            Measure(Decimal(each["amount"]), currency),
            each["entered_by"],
            each["approved_by"],
        )
        for each in view.evidence.get("costs", ())
    )
    return Figures(
        title=language("Documents of the cost"),
        headings=(
            Heading(title=language("Document"), wide=True),
            Heading(title=language("Amount"), number=True),
            Heading(title=language("Entered by")),
            Heading(title=language("Approved by")),
        ),
        rows=rows,
    )


def _readings(view: StatementView, language: Language) -> Figures:
    """Return every reading behind the registers, with its raw words and its verdict."""
    return Figures(
        title=language("Readings behind the registers"),
        headings=(
            Heading(title=language("Point"), wide=True),
            Heading(title=language("Register"), below=True),
            Heading(title=language("Meter"), below=True),
            Heading(title=language("Of which end")),
            Heading(title=language("Read at"), below=True),
            Heading(title=language("Counter"), number=True),
            Heading(title=language("How it is known"), below=True),
            Heading(title=language("Value"), number=True),
            Heading(title=language("Time"), below=True),
            Heading(title=language("Raw words"), below=True),
            Heading(title=language("Verdict")),
            Heading(title=language("Reason"), below=True),
        ),
        rows=tuple(
            row
            for source in view.evidence.get("sources", ())
            for segment in source["segments"]
            for end in ("opening", "closing")
            for row in _end(view, source, end, segment[end], language)
        ),
    )


def _end(
    view: StatementView,
    source: Mapping[str, Any],
    name: str,
    end: Mapping[str, Any],
    language: Language,
) -> Iterator[tuple[Value, ...]]:
    zone, unit = view.head.period.zone, source["unit"]
    of_end = (
        source["point"],
        source["register"],
        end["meter"],
        language("Opening") if name == "opening" else language("Closing"),
        local(end["at"], zone),
        Measure(Decimal(end["value"]), unit),
        language(terms.term(terms.REGISTER_SOURCES, end["source"])),
    )
    for reading in end["readings"]:
        value = reading["value"]
        reasons = (language(terms.term(terms.REASONS, each)) for each in reading["reasons"])
        yield (
            *of_end,
            None if value is None else Measure(Decimal(value), unit),
            local(reading["time"], zone),
            reading["raw"],
            language(terms.term(terms.VERDICTS, reading["verdict"])),
            "; ".join(reasons),
        )
    if not end["readings"]:
        yield (*of_end, None, "", "", "", "")


def _found(view: StatementView, language: Language) -> Figures:
    zone = view.head.period.zone
    rows = tuple(
        (source["point"], findings.sentence(each, source["unit"], zone, language))
        for source in view.evidence.get("sources", ())
        for each in source["findings"]
    )
    return Figures(
        title=language("What was found"),
        headings=(
            Heading(title=language("Point")),
            Heading(title=language("What"), wide=True),
        ),
        rows=rows,
    )


def _subs(view: StatementView, language: Language) -> Figures:
    """Return the tree of a master and its subs: what each counted, and what nobody did."""
    evidence, unit = view.evidence, view.head.unit
    rows: list[tuple[Value, ...]] = []
    foot: tuple[Value, ...] = ()
    if (lost := evidence.get("loss")) is not None:
        master = ", ".join(view.head.pool.source.points)
        rows.append((language("Master"), master, Measure(Decimal(lost["master"]), unit)))
        for point, use in evidence["subs"].items():
            rows.append(
                (language("Sub-meter"), point, Measure(apportionment.used_by_sub(use), unit))
            )
        approved = (lost.get("approved_by", ""), lost.get("reason", ""))
        told = " · ".join(filter(None, approved))
        foot = (language("Not accounted for"), told, Measure(Decimal(lost["lost"]), unit))
    return Figures(
        title=language("Master and sub-meters"),
        headings=(
            Heading(title=language("What")),
            Heading(title=language("Point"), wide=True),
            Heading(title=language("Use"), number=True),
        ),
        rows=tuple(rows),
        foot=foot,
    )


def _members(view: StatementView, language: Language) -> Figures:
    """Return who was looked at, down the tree of the community, and who takes no part and why."""
    participants = read_participants(view.evidence["participants"])
    inside = [each for each in participants if each in view.head.pool.scope]
    names = sorted({name for each in inside for name in each.attributes})
    reasons = {
        each.unit: language(terms.term(terms.EXCLUSIONS, each.reason.value))
        for each in view.excluded
    }
    return Figures(
        title=language("Who takes part, and who does not"),
        headings=(
            Heading(title=language("Building")),
            Heading(title=language("Entrance"), below=True),
            Heading(title=language("Floor")),
            Heading(title=language("Unit"), wide=True),
            Heading(title=language("Customer class"), below=True),
            Heading(title=language("From day")),
            Heading(title=language("Days"), number=True),
            *(Heading(title=_attribute(name, language), number=True) for name in names),
            Heading(title=language("Note")),
        ),
        rows=tuple(_member(each, names, reasons, language) for each in _by_place(inside)),
    )


def _attribute(name: str, language: Language) -> str:
    """Return what a number of units is called, which stands in the register under `name`."""
    return language("Floor area") if name == AREA else Formats(language).unit(name)


def _by_place(participants: Iterable[Participant]) -> list[Participant]:
    def place(each: Participant) -> tuple[object, ...]:
        return (each.building, each.entrance or "", each.floor or 0, each.unit, each.first_day)

    return sorted(participants, key=place)


def _member(
    each: Participant, names: Sequence[str], reasons: Mapping[str, str], language: Language
) -> tuple[Value, ...]:
    notes = [reasons.get(each.unit, ""), language("vacant") if each.vacant else ""]
    return (
        each.building,
        each.entrance or "",
        "" if each.floor is None else str(each.floor),
        each.unit,
        each.customer_class,
        str(each.first_day),
        Measure(Decimal(each.days), ""),
        *(quantity(each.attributes.get(name), AREA_UNIT if name == AREA else "") for name in names),
        " · ".join(filter(None, notes)),
    )


def _odd_cents(view: WholeStatement, language: Language) -> Figures:
    return Figures(
        title=language("Where the odd cents went"),
        headings=(
            Heading(title=language("Unit"), wide=True),
            Heading(title=language("Odd cents in 12 months"), number=True),
        ),
        rows=tuple(
            (bearer(unit, language), Measure(Decimal(count), ""))
            for unit, count in view.odd_cents.received.items()
        ),
    )
