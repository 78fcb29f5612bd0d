"""`tallygate bill explain`: what the pages say of a bill and its lines, in a terminal.

`pdf` writes a bill as PDF, `seal-key` makes what papers are sealed with.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import TypeAdapter, ValidationError

from api import explanation, findings, terms, wording
from api.formats import Formats
from api.language import languages
from api.papers.bill import bill_pdf
from api.papers.sealing import add_key, open_seals
from api.schemas.bills import Bill, LineExplained
from billing.commands.bills import NUMBER, bill
from billing.commands.opening import database_option, opened
from billing.money import from_fen
from billing.payments.wechat.settings import Address
from billing.store.verification import verify_line
from billing.store.views import bills, reversals
from billing.store.views.scope import Scope
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from api.language import Language
    from billing.difference import Difference
    from billing.store.views.bills import BillView, LineView, ShareOfLine
    from billing.store.views.reversals import TakenBack

__all__ = ["bill"]

INDENT = "    "

language_option = click.option(
    "--language",
    "tag",
    type=click.Choice(sorted(languages())),
    default="en",
    show_default=True,
    help="What it is said in.",
)


@bill.command()
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers.")
@language_option
@click.argument("number", metavar="BILL")
def explain(url: str, as_json: bool, tag: str, number: str) -> None:
    """Say why BILL is what it is: each line in a sentence, and the arithmetic under it."""
    language = languages()[tag]
    with opened(url) as database, database.snapshot() as connection:
        found = bills.bill(connection, Scope(unissued=True), number)
        if found is None:
            raise click.ClickException(f"there is no bill {number}; numbers are like {NUMBER}")
        back = reversals.taken_back(connection, found.head.id)
        if as_json:
            checks = [verify_line(connection, number, line.position) for line in found.lines]
            click.echo(json.dumps(_answer(found, checks, back, language), ensure_ascii=False))
            return
    for text in explained(found, back, language):
        click.echo(text)


def _address(_context: click.Context, _option: click.Parameter, stated: str | None) -> str | None:
    """Return the address that was stated; raise `click.BadParameter` unless the API takes it."""
    try:
        return TypeAdapter(Address | None).validate_python(stated)
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"]) from error


@bill.command()
@database_option
@click.option(
    "--seal-keys",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TALLYGATE_SEAL_KEYS",
    help="The keys that papers are sealed with; without them the paper has no code.",
)
@click.option(
    "--public-address",
    callback=_address,
    envvar="TALLYGATE_PUBLIC_ADDRESS",
    help="Where the pages are for everybody; without it the paper has no QR code.",
)
@language_option
@click.argument("number", metavar="BILL")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def pdf(
    url: str, seal_keys: Path | None, public_address: str | None, tag: str, number: str, path: Path
) -> None:
    """Write BILL as PDF to FILE; one that is not issued yet is marked as such."""
    try:
        seals = open_seals(seal_keys, public_address)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from error
    with opened(url) as database, database.snapshot() as connection:
        made = bill_pdf(
            connection,
            number,
            language=languages()[tag],
            seals=seals,
            scope=Scope(unissued=True),
        )
    if made is None:
        raise click.ClickException(f"there is no bill {number}; numbers are like {NUMBER}")
    try:
        path.write_bytes(made)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"bill {number} in {path}, {len(made)} bytes")


@bill.command("seal-key")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def seal_key(path: Path) -> None:
    """Put a new key before those in FILE, which the setting `seal_keys` names.

    New papers are sealed with it; those that were sealed with the others still verify. Keep a copy
    where the backups are: without its key no paper can be told from a forged one.
    """
    try:
        count = add_key(path)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"{path} holds {count} {'key' if count == 1 else 'keys'}; restart the API")


def _answer(
    found: BillView,
    checks: Sequence[Sequence[Difference]],
    taken_back: Mapping[int, TakenBack],
    language: Language,
) -> dict[str, Any]:
    """Return what the API answers of the bill and of each of its lines."""
    answer = Bill.whole(found, language).model_dump(mode="json")
    answer["lines"] = [
        LineExplained.whole(found, line, differences, language).model_dump(mode="json")
        | {"taken_back_by": _back(taken_back.get(line.position))}
        for line, differences in zip(found.lines, checks, strict=True)
    ]
    return answer


def _back(by: TakenBack | None) -> dict[str, Any] | None:
    return None if by is None else {"bill": by.bill, "line": by.position}


def explained(
    found: BillView, taken_back: Mapping[int, TakenBack], language: Language
) -> Iterator[str]:
    """Yield what there is to say of a bill, line by line of text, in `language`."""
    words, head = Formats(language), found.head
    month = words.month(head.period)
    yield f"{head.number} · {month} · {head.unit} · {words.money(head.total, head.currency)}"
    for line in found.lines:
        amount = words.money(line.amount, head.currency)
        yield f"{line.position}. {wording.title(line, language)} {amount}"
        yield INDENT + wording.sentence(found, line, language)
        for text in _arithmetic(found, line, language):
            yield INDENT * 2 + text
        if line.position in taken_back:
            text = language("Taken back by line {position} of bill {number}.")
            by = taken_back[line.position]
            yield INDENT + text.format(position=by.position, number=by.bill)


def _arithmetic(found: BillView, line: LineView, language: Language) -> Iterator[str]:
    """Yield how the line came about; what takes another back was not reckoned."""
    if line.correction is not None and line.correction.reversal:
        return
    words = Formats(language)
    yield from _registers(line, found.head.period.zone, language)
    yield from _parts(line, language)
    yield from _share(line.share, words)


def _registers(line: LineView, zone: ZoneInfo, language: Language) -> Iterator[str]:
    """Yield (closing − opening) × multiplier of each meter, and what was found or decided."""
    if line.usage is None:
        return
    words = Formats(language)
    for segment in line.usage.evidence["segments"]:
        ends = [
            f"{words.number(Decimal(end['value']))} "
            f"({words.instant(datetime.fromisoformat(end['at']), zone)}, "
            f"{language(terms.term(terms.REGISTER_SOURCES, end['source']))})"
            for end in (segment["opening"], segment["closing"])
        ]
        times, rolled = Decimal(segment["multiplier"]), ""
        if Decimal(segment["closing"]["value"]) < Decimal(segment["opening"]["value"]):
            rolled = f" + {words.number(Decimal(segment['modulus'] or 0))}"
        counted = words.measure(Decimal(segment["quantity"]), line.usage.unit)
        yield (
            f"{segment['opening']['meter']}: ({ends[1]}{rolled} − {ends[0]}) × "
            f"{words.number(times)} = {counted}"
        )
    for finding in line.usage.evidence["findings"]:
        yield findings.sentence(finding, line.usage.unit, zone, language)


def _parts(line: LineView, language: Language) -> Iterator[str]:
    """Yield the quantities at prices, and how their sum was rounded."""
    words = Formats(language)
    if line.tariff is None:
        return
    found = [part for part in explanation.parts(line) if part.quantity]
    for part in found:
        divided = "" if part.divisor == 1 else f" ÷ {part.divisor}"
        band = "" if part.band is None else language(terms.term(terms.BANDS, part.band)) + ": "
        yield (
            f"{band}{words.number(part.quantity)} × {words.exact_money(part.price)}{divided} = "
            f"{words.exact_money(part.amount)}"
        )
    exact, amount = explanation.unrounded(line), from_fen(line.amount)
    carried = explanation.carried(line)
    if carried is not None:
        yield f"+ {words.fraction(carried.exact - Fraction(carried.billed), '¥')}"
    if found and (len(found) > 1 or exact != amount):
        yield f"{words.exact_money(exact)} → {words.exact_money(amount)}"
    yield f"{line.tariff.id} {line.tariff.version}"


def _share(share: ShareOfLine | None, words: Formats) -> Iterator[str]:
    """Yield supply × what owners bear × key ÷ sum of keys, and how that was cut."""
    if share is None:
        return
    working = explanation.share_working(share)
    keys = " + ".join(
        f"{words.fraction(key.of.part)} × {words.quantity(key.key)} ÷ "
        f"{words.quantity(key.of.total, key.of.unit)}"
        for key in share.keys
    )
    yield (
        f"{words.exact_money(working.supply_amount)} × {words.number(working.borne_by_owners)} × "
        f"({keys}) = {words.fraction(working.exact, '¥')}"
    )
    if share.odd_amount:
        yield f"{share.odd_amount:+d} × ¥0.01"
    yield f"{share.pool.id} {share.pool.version}"
