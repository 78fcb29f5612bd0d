"""`tallygate billing run`: a month from draft to issued bills, and its correction."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from billing import holding, lifecycle, previewing
from billing.backend import SchedulerError, run_backend
from billing.commands.opening import database_option, opened
from billing.commands.run_report import show_changes, show_dry_run, show_run
from billing.computing import Site, Sources, Workers, WorkersDieError
from billing.months import PeriodError
from billing.store import holds, registry, runs
from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUnavailableError, ArchiveUrlError
from meters.catalog.choice import known_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from billing.database import Database

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
    runs.MixedProjectsError,
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
_types = click.option(
    "--types",
    "folders",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="TALLYGATE_METER_TYPES",
    multiple=True,
    help="A folder of own meter types; more than once [TALLYGATE_METER_TYPES, with : between].",
)
_actor = click.option("--by", "actor", required=True, metavar="NAME", help="Who does it.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_run = click.argument("run_id", type=int, metavar="RUN")
_community = click.argument("community", metavar="COMMUNITY")
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

    Meters are of the types that are shipped, or of your own in the folders of --types. Where one is
    of another type, as one that was uploaded to the API, its point stands in the way of its
    community as UnknownMeterType, and nothing is billed wrong.
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
        show_run(database, run_id, as_json=as_json)


@run.command()
@database_option
@_actor
@_json
@click.argument("first", metavar="MONTH")
@_community
def correct(*, url: str, actor: str, as_json: bool, community: str, first: str) -> None:
    """Make the draft run that corrects the issued months from MONTH on.

    It is a run of corrections, or that of the next month where the community has them on its next
    bills.
    """
    with _billing(url) as database:
        run_id = lifecycle.correct(
            database, community=community, first=first, actor=actor, now=_now()
        )
        show_run(database, run_id, as_json=as_json)


@run.command()
@_archive
@_types
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes; none by default.")
@click.option("--scheduler", metavar="tcp://…", help="A Dask scheduler instead.")
@click.option("--resume", is_flag=True, help="Only what a computation that was cut off has left.")
@_step
def compute(
    *,
    url: str,
    run_id: int,
    actor: str,
    as_json: bool,
    archive_url: str,
    folders: tuple[Path, ...],
    workers: int,
    scheduler: str | None,
    resume: bool,
) -> None:
    """Compute RUN from the readings, again if need be."""
    with (
        _sources(url, archive_url, folders) as (database, archive, types),
        run_backend(workers=workers, scheduler=scheduler) as backend,
    ):
        site = Site.of(url, archive_url, types)
        elsewhere = Workers(backend, site) if workers or scheduler else None
        lifecycle.compute_run(
            *(database, archive, types),
            run_id=run_id,
            actor=actor,
            now=_now(),
            workers=elsewhere,
            resume=resume,
        )
        show_run(database, run_id, as_json=as_json)


@run.command(name="dry-run")
@database_option
@_archive
@_types
@_json
@click.argument("period", metavar="MONTH")
@_community
def dry_run(
    *,
    url: str,
    archive_url: str,
    folders: tuple[Path, ...],
    as_json: bool,
    community: str,
    period: str,
) -> None:
    """Say what MONTH would come to, how it differs, and what is unusual; store nothing."""
    with _sources(url, archive_url, folders) as sources:
        try:
            found = previewing.dry_run(sources, community=community, period=period)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    show_dry_run(found, as_json=as_json)
    if found.problems:
        raise SystemExit(1)


@run.command()
@database_option
@_archive
@_types
@_json
@click.argument("first", metavar="MONTH")
@_community
def affected(
    *,
    url: str,
    archive_url: str,
    folders: tuple[Path, ...],
    as_json: bool,
    community: str,
    first: str,
) -> None:
    """Say what a correction from MONTH on would change, as things are known today."""
    with _sources(url, archive_url, folders) as sources:
        found = previewing.affected(sources, community=community, first=first)
    show_changes(found, as_json=as_json)


@run.command()
@_step
def review(*, url: str, run_id: int, actor: str, as_json: bool) -> None:
    """Say that the differences and anomalies of RUN were looked at."""
    with _billing(url) as database:
        lifecycle.review_run(database, run_id=run_id, actor=actor, now=_now())
        show_run(database, run_id, as_json=as_json)


@run.command()
@click.option("--digest", required=True, help="The run's digest, as you saw it.")
@_step
def approve(*, url: str, run_id: int, actor: str, as_json: bool, digest: str) -> None:
    """Approve RUN, which somebody else created and computed."""
    with _billing(url) as database:
        lifecycle.approve_run(database, run_id=run_id, digest=digest, actor=actor, now=_now())
        show_run(database, run_id, as_json=as_json)


@run.command()
@_step
def issue(*, url: str, run_id: int, actor: str, as_json: bool) -> None:
    """Issue the bills of RUN; nothing changes them any more."""
    with _billing(url) as database:
        lifecycle.issue_run(database, run_id=run_id, actor=actor, now=_now())
        show_run(database, run_id, as_json=as_json)


@run.command()
@_reason
@_step
def withdraw(*, url: str, run_id: int, actor: str, as_json: bool, reason: str) -> None:
    """End RUN, which is not issued; its month is free again."""
    with _billing(url) as database:
        lifecycle.withdraw_run(database, run_id=run_id, reason=reason, actor=actor, now=_now())
        show_run(database, run_id, as_json=as_json)


@run.command()
@_reason
@_unit
@_building
@_step
@_community
def hold(*, url: str, run_id: int, actor: str, as_json: bool, reason: str, **place: Any) -> None:
    """Leave a unit, a building, or a whole community out of RUN."""
    with _billing(url) as database:
        holding.hold(database, run_id=run_id, reason=reason, actor=actor, now=_now(), **place)
        show_run(database, run_id, as_json=as_json)


@run.command()
@_unit
@_building
@_step
@_community
def release(*, url: str, run_id: int, actor: str, as_json: bool, **place: Any) -> None:
    """Let RUN bill a unit or a building that it held."""
    with _billing(url) as database:
        holding.release(database, run_id=run_id, actor=actor, now=_now(), **place)
        show_run(database, run_id, as_json=as_json)


@run.command()
@database_option
@_json
@_run
def show(*, url: str, as_json: bool, run_id: int) -> None:
    """Show RUN: its state, problems, differences from the month before, and anomalies."""
    with _billing(url) as database:
        show_run(database, run_id, as_json=as_json)


@contextmanager
def _billing(url: str) -> Iterator[Database]:
    with opened(url) as database:
        try:
            yield database
        except MENDABLE as error:
            raise click.ClickException(str(error)) from error


@contextmanager
def _sources(url: str, archive_url: str, folders: Sequence[Path]) -> Iterator[Sources]:
    """Open what a month is computed from; own meter types go before the shipped ones."""
    with _billing(url) as database:
        types = known_types(*folders)
        archive = open_archive(archive_url)
        try:
            yield Sources(database, archive, types)
        finally:
            archive.close()


def _now() -> datetime:
    return datetime.now(UTC)
