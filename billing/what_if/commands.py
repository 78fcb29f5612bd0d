"""`tallygate rate` and `apportion`: a tariff or a pool on given numbers, without any database."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from billing.evidence import quantity_text
from billing.importing.cells import UnreadableFileError
from billing.money import from_fen
from billing.pools.apportionment import Statement
from billing.pools.pool import load_pool
from billing.pools.supply import part_document, part_lines
from billing.tariff import load_tariff
from billing.what_if.given import assigned, csv_rows, nested
from billing.what_if.rated import rated
from billing.what_if.shared import shared
from meters.definition import DefinitionError, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from billing.pools.obstacle import Blocked
    from billing.pools.pool import Pool
    from billing.tariff import Tariff
    from billing.what_if.rated import RatedRow

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_NUMBER = "NUMBER or REGISTER=NUMBER"


@click.command()
@click.argument("tariff", type=_FILE)
@click.option("--usage", multiple=True, metavar=_NUMBER, help="The use of a register.")
@click.option("--bands", multiple=True, metavar="BAND=NUMBER", help="The use in a band, in order.")
@click.option("--demand", multiple=True, metavar=_NUMBER, help="The highest demand, kW.")
@click.option("--peak-before", multiple=True, metavar=_NUMBER, help="That of earlier months.")
@click.option("--before", multiple=True, metavar=_NUMBER, help="The use in the year before.")
@click.option("--before-quarter", multiple=True, metavar=_NUMBER, help="In the quarter before.")
@click.option("--area", metavar="NUMBER", help="The area, m2.")
@click.option("--attribute", multiple=True, metavar="NAME=NUMBER", help="persons=4, dwellings=1 …")
@click.option("--class", "customer_class", metavar="CLASS", help="The customer class.")
@click.option("--days", type=int, help="The days that are billed.")
@click.option("--period-days", type=int, help="The days of the whole period; 30 unless said.")
@click.option("--months", type=_FILE, help="CSV: a row a month, the options' names as columns.")
@click.option("--first-month", type=click.IntRange(1, 12), help="Which month the first row is.")
@_json
def rate(
    tariff: Path, months: Path | None, first_month: int | None, as_json: bool, **options: Any
) -> None:
    """Say what the tariff in the file TARIFF bills for some use, or for months of it.

    Months follow each other: what one used counts towards the yearly steps of the next. In CSV a
    column is named usage, or usage.import_energy_t1 for one of several registers, bands.peak,
    demand, before, area, attributes.persons, class, days.
    """
    with _explained():
        loaded = load_tariff(tariff)
        if months is not None and (given := sorted(key for key, each in options.items() if each)):
            raise click.UsageError(f"give either --months or {given[0].replace('_', '-')}")
        rows = [_row(options)] if months is None else csv_rows(months)
        result = rated(loaded, rows, first_month=first_month, source=str(months or "the options"))
    if as_json:
        click.echo(json.dumps(_rated_document(loaded, result), ensure_ascii=False))
        return
    for line in _rated_lines(loaded, result):
        click.echo(line)


@click.command()
@click.argument("pool", type=_FILE)
@click.argument("given", metavar="INPUT", type=_FILE)
@click.option("--period", metavar="MONTH", help="The month of a CSV INPUT, as 2026-10.")
@click.option("--quantity", metavar="NUMBER", help="The units of the supply of a CSV INPUT.")
@click.option("--amount", metavar="MONEY", help="What the supply of a CSV INPUT costs.")
@_json
def apportion(
    pool: Path,
    given: Path,
    period: str | None,
    quantity: str | None,
    amount: str | None,
    as_json: bool,
) -> None:
    """Say how the pool in the file POOL shares a supply among units.

    INPUT is a TOML file with the keys of a pool's example (period, quantity, amount, participants),
    or a CSV file with a row a unit: unit, building, entrance, floor, area, use, vacant, account,
    days, attributes.NAME. The shares are those that units bear if the pool may be charged.
    """
    with _explained():
        loaded = load_pool(pool)
        document = _supply_document(given, period=period, quantity=quantity, amount=amount)
        result = shared(loaded, document, source=str(given))
    if isinstance(result, Statement):
        _print_statement(loaded, result, as_json=as_json)
        return
    _refuse(result, as_json=as_json)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (DefinitionError, UnreadableFileError) as error:
        raise click.ClickException(str(error)) from error


def _row(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the command line as the keys of an example."""
    pairs = [("area", options["area"]), ("class", options["customer_class"])]
    for key in ("usage", "demand", "peak_before", "before", "before_quarter"):
        pairs += assigned(key, options[key])
    pairs += [(f"attributes.{pair}", text) for pair, text in _named(options, "attribute")]
    row = nested((key, text) for key, text in pairs if text is not None)
    if bands := _named(options, "bands"):
        row["bands"] = [list(pair) for pair in bands]
    days = {key: options[key] for key in ("days", "period_days") if options[key] is not None}
    return row | days


def _named(options: dict[str, Any], option: str) -> list[tuple[str, str]]:
    pairs = []
    for value in options[option]:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.UsageError(f"--{option} {value}: write NAME=NUMBER")
        pairs.append((name.strip(), text.strip()))
    return pairs


def _rated_document(tariff: Tariff, rows: Sequence[RatedRow]) -> dict[str, Any]:
    return {
        "tariff": tariff.id,
        "version": tariff.version,
        "rows": [
            {
                "lines": [line.document for line in row.lines],
                "total": str(from_fen(row.total)),
            }
            for row in rows
        ],
        "total": str(from_fen(sum(row.total for row in rows))),
        "currency": tariff.currency,
    }


def _rated_lines(tariff: Tariff, rows: Sequence[RatedRow]) -> Iterator[str]:
    yield f"{tariff.id}, version {tariff.version}, {tariff.currency}"
    for number, row in enumerate(rows, start=1):
        if len(rows) > 1:
            yield f"month {number}"
        for line in row.lines:
            yield f"{from_fen(line.amount):>12}  {line.charge}: {line.way or '0'}"
            for step in line.formula.steps if line.formula is not None else ():
                yield f"{'':>12}    {step}"
        yield f"{from_fen(row.total):>12}  total"
    if len(rows) > 1:
        yield f"{from_fen(sum(row.total for row in rows)):>12}  total of {len(rows)} months"


def _supply_document(given: Path, **supply: str | None) -> dict[str, Any]:
    said = {key: value for key, value in supply.items() if value is not None}
    if given.suffix.lower() != ".csv":
        return read_document(given) | said
    if missing := sorted(supply.keys() - said.keys()):
        raise click.UsageError(f"a CSV names the units only: say --{missing[0]} too")
    return {**said, "participants": csv_rows(given)}


def _print_statement(pool: Pool, statement: Statement, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_statement_document(pool, statement), ensure_ascii=False))
        return
    supply = statement.supply
    click.echo(
        f"{pool.id}, version {pool.version}, {statement.period}: "
        f"{quantity_text(supply.quantity)} units costing {from_fen(supply.amount)}"
    )
    for line in part_lines(map(part_document, supply.parts), "units"):
        click.echo(f"        {line}")
    for share in statement.shares:
        who = share.unit or "the company, by agreement"
        holder = f" ({share.account})" if share.account else ""
        key = "" if share.key is None else f", key {quantity_text(share.key)}"
        click.echo(
            f"{from_fen(share.amount):>12}  {who}{holder}: {quantity_text(share.quantity)} units"
            f"{key}, paid by {share.payer}"
        )
    for excluded in statement.excluded:
        click.echo(f"        none  {excluded.unit}: {excluded.reason}")
    if not pool.charged:
        click.echo(
            "Owners may not be charged yet (see charging in the file): the company bears it."
        )


def _statement_document(pool: Pool, statement: Statement) -> dict[str, Any]:
    return {
        "pool": pool.id,
        "version": pool.version,
        "period": statement.period,
        "quantity": quantity_text(statement.supply.quantity),
        "amount": str(from_fen(statement.supply.amount)),
        "parts": [part_document(part) for part in statement.supply.parts],
        "may_be_charged": pool.charged,
        "shares": [
            {
                "unit": share.unit,
                "account": share.account,
                "payer": share.payer.value,
                "key": None if share.key is None else quantity_text(share.key),
                "quantity": quantity_text(share.quantity),
                "amount": str(from_fen(share.amount)),
                **({"parts": parts} if parts else {}),
            }
            for share, parts in zip(statement.shares, _parts_borne(statement), strict=True)
        ],
        "excluded": [
            {"unit": each.unit, "reason": str(each.reason)} for each in statement.excluded
        ],
    }


def _parts_borne(statement: Statement) -> Iterator[list[dict[str, str]]]:
    """Yield what each share bears of each part of the supply."""
    rows = zip(statement.step_quantities(), statement.step_amounts(), strict=True)
    for quantities, amounts in rows:
        yield [
            {"quantity": quantity_text(quantity), "amount": str(from_fen(amount))}
            for quantity, amount in zip(quantities, amounts, strict=True)
        ]


def _refuse(blocked: Blocked, *, as_json: bool) -> None:
    if not as_json:
        raise click.ClickException("\n".join(map(str, blocked.obstacles)))
    obstacles = [
        {"kind": each.kind.value, "unit": each.unit, "what": each.what}
        for each in blocked.obstacles
    ]
    click.echo(json.dumps({"pool": blocked.pool, "obstacles": obstacles}, ensure_ascii=False))
    raise SystemExit(1)
