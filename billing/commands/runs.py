"""`tallygate billing run`: a month from draft to issued bills, and its correction."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from billing import lifecycle, previewing
from billing.backend import SchedulerError, run_backend
from billing.commands.opening import database_option, opened
from billing.computing import Site, Sources, Workers, WorkersDieError
from billing.money import from_fen
from billing.months import PeriodError
from billing.store import holds, registry, runs
from billing.store.views import runs as views
from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUnavailableError, ArchiveUrlError
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from billing.anomalies import Anomaly
    from billing.comparison import Difference
    from billing.database import Database
    from billing.previewing import Change, DryRun
    from billing.problem import Problem
    from billing.store.runs import Run

    Command = Callable[..., None]

MENDABLE = (
    ArchiveUnavailableError,
    ArchiveUrlError,
    PeriodError,
    SchedulerError,
    WorkersDieError,
    holds.HeldError,
    holds.UnknownPlaceError,
    lifecycle.FourEyesError,
    lifecycle.ReasonError,
    registry.UnknownCommunityError,
    runs.PeriodTakenError,
    runs.StateError,
)

_archive = click.option(
    "--archive",
    "archive_url",
    envvar="TALLYGATE_ARCHIVE_URL",
    required=True,
    metavar="URL",
    help="Where the readings are, such as sqlite:///archive.sqlite [TALLYGATE_ARCHIVE_URL].",
)
_actor = click.option("--by", "actor", required=True, metavar="NAME", help="Who does it.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_run = click.argument("run_id", type=int, metavar="RUN")
_community = click.option("--community", required=True, metavar="CODE", help="Whose they are.")
_building = click.option("--building", metavar="CODE", help="A whole building.")
_unit = click.option("--unit", metavar="CODE", help="One unit.")
_reason = click.option("--reason", required=True, help="Why; it stands in the audit log.")


def _step(command: Command) -> Command:
    """Add what every step of a run takes: the run, who does it, and the database."""
    for option in (_json, _actor, _run, database_option):
        command = option(command)
    return command


@click.group()
def run() -> None:
    """Bill a month: create, compute, review, approve and issue a run, or correct what is issued.

    These commands know the meter types that are shipped. Where a meter is of one that was uploaded,
    its point stands in the way of its community as UnknownMeterType, and nothing is billed wrong.
    """


@run.command()
@database_option
@_actor
@_json
@click.option("--correct-from", metavar="MONTH", help="Correct issued months on the same bills.")
@click.argument("period", metavar="MONTH")
@click.argument("communities", nargs=-1, required=True, metavar="COMMUNITY...")
def create(
    *,
    url: str,
    actor: str,
    as_json: bool,
    correct_from: str | None,
    period: str,
    communities: tuple[str, ...],
) -> None:
    """Make a draft run of MONTH, such as 2026-10."""
    with _billing(url) as database:
        run_id = lifecycle.create_run(
            database,
            period=period,
            communities=communities,
            correct_from=correct_from,
            actor=actor,
            now=_now(),
        )
        _show(database, run_id, as_json=as_json)


@run.command()
@database_option
@_actor
@_json
@_community
@click.argument("first", metavar="MONTH")
def correct(*, url: str, actor: str, as_json: bool, community: str, first: str) -> None:
    """Make a draft run that corrects the issued months from MONTH on."""
    with _billing(url) as database:
        run_id = lifecycle.create_correction(
            database, community=community, first=first, actor=actor, now=_now()
        )
        _show(database, run_id, as_json=as_json)


@run.command()
@_archive
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes; none by default.")
@click.option("--scheduler", metavar="tcp://…", help="A Dask scheduler instead.")
@_step
def compute(
    *,
    url: str,
    run_id: int,
    actor: str,
    as_json: bool,
    archive_url: str,
    workers: int,
    scheduler: str | None,
) -> None:
    """Compute RUN from the readings, again if need be."""
    types = shipped()
    with _billing(url) as database, run_backend(workers=workers, scheduler=scheduler) as backend:
        archive = open_archive(archive_url)
        site = Site.of(url, archive_url, types)
        elsewhere = Workers(backend, site) if workers or scheduler else None
        lifecycle.compute_run(
            database, archive, types, run_id=run_id, actor=actor, now=_now(), workers=elsewhere
        )
        _show(database, run_id, as_json=as_json)


@run.command(name="dry-run")
@database_option
@_archive
@_json
@_community
@click.argument("period", metavar="MONTH")
def dry_run(*, url: str, archive_url: str, as_json: bool, community: str, period: str) -> None:
    """Say what MONTH would come to, how it differs, and what is unusual; store nothing."""
    with _billing(url) as database:
        sources = Sources(database, open_archive(archive_url), shipped())
        try:
            found = previewing.dry_run(sources, community=community, period=period)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    _print(_dry_run_document(found), _dry_run_texts(found), as_json=as_json)
    if found.problems:
        raise SystemExit(1)


@run.command()
@database_option
@_archive
@_json
@_community
@click.argument("first", metavar="MONTH")
def affected(*, url: str, archive_url: str, as_json: bool, community: str, first: str) -> None:
    """Say what a correction from MONTH on would change, as things are known today."""
    with _billing(url) as database:
        sources = Sources(database, open_archive(archive_url), shipped())
        found = previewing.affected(sources, community=community, first=first)
    texts = [text for each in found for text in _change_texts(each)]
    _print([_change_document(each) for each in found], texts, as_json=as_json)


@run.command()
@_step
def review(*, url: str, run_id: int, actor: str, as_json: bool) -> None:
    """Say that the differences and anomalies of RUN were looked at."""
    with _billing(url) as database:
        lifecycle.review_run(database, run_id=run_id, actor=actor, now=_now())
        _show(database, run_id, as_json=as_json)


@run.command()
@click.option("--digest", required=True, help="The run's digest, as you saw it.")
@_step
def approve(*, url: str, run_id: int, actor: str, as_json: bool, digest: str) -> None:
    """Approve RUN, which somebody else created and computed."""
    with _billing(url) as database:
        lifecycle.approve_run(database, run_id=run_id, digest=digest, actor=actor, now=_now())
        _show(database, run_id, as_json=as_json)


@run.command()
@_step
def issue(*, url: str, run_id: int, actor: str, as_json: bool) -> None:
    """Issue the bills of RUN; nothing changes them any more."""
    with _billing(url) as database:
        lifecycle.issue_run(database, run_id=run_id, actor=actor, now=_now())
        _show(database, run_id, as_json=as_json)


@run.command()
@_reason
@_step
def withdraw(*, url: str, run_id: int, actor: str, as_json: bool, reason: str) -> None:
    """End RUN, which is not issued; its month is free again."""
    with _billing(url) as database:
        lifecycle.withdraw_run(database, run_id=run_id, reason=reason, actor=actor, now=_now())
        _show(database, run_id, as_json=as_json)


@run.command()
@_reason
@_unit
@_building
@_community
@_step
def hold(*, url: str, run_id: int, actor: str, as_json: bool, reason: str, **place: Any) -> None:
    """Leave a unit, a building, or a whole community out of RUN."""
    with _billing(url) as database:
        lifecycle.hold(database, run_id=run_id, reason=reason, actor=actor, now=_now(), **place)
        _show(database, run_id, as_json=as_json)


@run.command()
@_unit
@_building
@_community
@_step
def release(*, url: str, run_id: int, actor: str, as_json: bool, **place: Any) -> None:
    """Let RUN bill a unit or a building that it held."""
    with _billing(url) as database:
        lifecycle.release(database, run_id=run_id, actor=actor, now=_now(), **place)
        _show(database, run_id, as_json=as_json)


@run.command()
@database_option
@_json
@_run
def show(*, url: str, as_json: bool, run_id: int) -> None:
    """Show RUN: its state, problems, differences from the month before, and anomalies."""
    with _billing(url) as database:
        _show(database, run_id, as_json=as_json)


@contextmanager
def _billing(url: str) -> Iterator[Database]:
    with opened(url) as database:
        try:
            yield database
        except MENDABLE as error:
            raise click.ClickException(str(error)) from error


def _now() -> datetime:
    return datetime.now(UTC)


def _show(database: Database, run_id: int, *, as_json: bool) -> None:
    with database.snapshot() as connection:
        found = runs.read(connection, run_id)
        held = holds.of_run(connection, run_id)
        differences = {
            part.id: views.differences(connection, part)
            for part in found.communities
            if part.state == "computed" and not part.revision
        }
    document = {
        **_plain(asdict(found)),
        "holds": [_plain(asdict(each)) for each in held],
        "differences": {
            part.community: [_difference_document(each) for each in differences[part.id]]
            for part in found.communities
            if part.id in differences
        },
    }
    texts = [*_run_texts(found), *(f"held: {each.unit or each.building}" for each in held)]
    for part in found.communities:
        texts += [_difference_text(each) for each in differences.get(part.id, ())]
    _print(document, texts, as_json=as_json)


def _print(document: object, texts: list[str], *, as_json: bool) -> None:
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else "\n".join(texts))


def _run_texts(found: Run) -> list[str]:
    texts = [f"run {found.id} of {found.period} is {found.state}, digest {found.digest}"]
    for part in found.communities:
        what = f", revision {part.revision}" if part.revision else ""
        bills = f"{part.bills} bills of {from_fen(part.total)}"
        texts.append(f"{part.community} {part.period}{what}: {part.state}, {bills}")
        texts += _found_texts(part.problems, part.anomalies)
    return texts


def _found_texts(problems: tuple[Problem, ...], anomalies: tuple[Anomaly, ...]) -> Iterator[str]:
    for problem in problems:
        yield f"  {problem.kind}: {problem.subject}: {problem.text}"
    for anomaly in anomalies:
        yield f"  {anomaly.kind}: {anomaly.unit}, {anomaly.subject}: {anomaly.text}"


def _difference_text(each: Difference) -> str:
    before, now = ("–" if fen is None else from_fen(fen) for fen in (each.before, each.now))
    return f"  {each.unit}, {each.charge}: {before} → {now}"


def _difference_document(each: Difference) -> dict[str, Any]:
    return {
        "unit": each.unit,
        "charge": each.charge,
        "before": None if each.before is None else str(from_fen(each.before)),
        "now": None if each.now is None else str(from_fen(each.now)),
    }


def _dry_run_document(found: DryRun) -> dict[str, Any]:
    return {
        "community": found.community,
        "period": found.period,
        "bills": found.bills,
        "total": str(from_fen(found.total)),
        "problems": [asdict(each) for each in found.problems],
        "differences": [_difference_document(each) for each in found.differences],
        "anomalies": [asdict(each) for each in found.anomalies],
    }


def _dry_run_texts(found: DryRun) -> list[str]:
    bills = f"{found.bills} bills of {from_fen(found.total)}"
    return [
        f"{found.community} {found.period}: {bills}; nothing is stored",
        *_found_texts(found.problems, found.anomalies),
        *(_difference_text(each) for each in found.differences),
    ]


def _change_document(each: Change) -> dict[str, Any]:
    return {
        "period": each.period,
        "total": str(from_fen(each.total)),
        "problems": [asdict(problem) for problem in each.problems],
        "corrections": [
            {
                "unit": one.unit.code,
                "account": one.account.code,
                "total": str(from_fen(one.total)),
                "reversed": [
                    {"bill": line.number, "line": line.position, "charge": line.charge}
                    for line in one.reversed
                ],
                "new": [
                    {"charge": new.line.charge, "amount": str(from_fen(new.line.amount))}
                    for new in one.new
                ],
            }
            for one in each.corrections
        ],
    }


def _change_texts(each: Change) -> Iterator[str]:
    yield f"{each.period}: {from_fen(each.total)} for {len(each.corrections)} accounts"
    yield from _found_texts(each.problems, ())
    for one in each.corrections:
        yield f"  {one.unit.code}, {one.account.code}: {from_fen(one.total)}"


def _plain(value: Any) -> Any:
    """Return a document with times as texts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
