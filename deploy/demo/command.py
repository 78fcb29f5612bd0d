"""`tallygate demo`: from simulated meters to bills on a page, with nothing else installed."""

from __future__ import annotations

import json
import signal
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.permission import Role
from deploy.demo.folder import FolderInUseError, make_folder
from deploy.demo.processes import ProcessError
from deploy.demo.stage import DEFAULT_PORT, Stage

if TYPE_CHECKING:
    from types import FrameType

    from deploy.demo.summary import Summary


@click.command()
@click.option("--once", is_flag=True, help="Run everything once, print a summary and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON; with --once.")
@click.option(
    "--dir",
    "path",
    type=click.Path(path_type=Path),
    help="Folder for its files; an earlier demo there is replaced. A temporary one by default.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which community to make up.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of the pages: {DEFAULT_PORT}, or a free one if that is taken.",
)
def demo(*, once: bool, as_json: bool, path: Path | None, seed: int, port: int | None) -> None:
    """Run a demo community: meters, gateway, bills, pages, all on this machine.

    Nothing leaves the machine, and nothing is kept but the folder of --dir.
    """
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(stderr=as_json)
    try:
        with ExitStack() as exits:
            if path is None:
                path = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="tallygate-")))
            stage = Stage(make_folder(path), seed, _free(port), _Teller(console, exits))
            exits.enter_context(stage)
            _perform(stage, console, once=once, as_json=as_json)
    except (FolderInUseError, ProcessError, _PortTakenError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        console.print("The demo has stopped.")


def _perform(stage: Stage, console: Console, *, once: bool, as_json: bool) -> None:
    stage.prepare()
    if not once:
        stage.tell("")
        _print_welcome(stage, console)
        stage.watch()
        return
    summary = stage.finish(stage.wait_for_readings())
    stage.tell("")
    if as_json:
        click.echo(json.dumps(summary.document(), ensure_ascii=False, indent=2))
    else:
        _print_summary(summary, console)
    if not summary.ok:
        raise SystemExit(1)


class _Teller:
    """Shows what the demo does as a progress bar, until it is told an empty text."""

    def __init__(self, console: Console, exits: ExitStack) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<48}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._exits = exits
        self._task: TaskID | None = None

    def __call__(self, text: str, done: int = 0, total: int = 0) -> None:
        if not text:
            self._progress.stop()
            return
        if self._task is None:
            self._exits.enter_context(self._progress)
            self._task = self._progress.add_task(text)
        self._progress.update(self._task, description=text, completed=done, total=total or None)


def _print_welcome(stage: Stage, console: Console) -> None:
    console.print(f"\n[bold]Tallygate is running at {stage.url}[/bold]\n")
    table = Table("login", "password", "what to look at", box=None, pad_edge=False)
    for person in stage.books.people:
        misread = person.unit == stage.misreading.unit
        look = _what_to_see(person.role, None if misread else person.unit)
        table.add_row(person.name, person.password, look)
    console.print(table)
    console.print(
        f"\nThe gateway goes on reading {stage.meters} meters; its files are in "
        f"{stage.folder.path}\nPress Ctrl+C to stop."
    )


def _what_to_see(role: Role, unit: str | None) -> str:
    match role:
        case Role.OWNER | Role.TENANT if unit is None:
            return "far too much water: look again once the clerk has corrected it"
        case Role.OWNER | Role.TENANT:
            return (
                f"the bill of flat {unit}: check a line, ask about it; press Pay, open the "
                "simulated phone beside the QR code, pay there"
            )
        case Role.COMMITTEE:
            return "what all pools came to, and how they were shared"
        case Role.CLERK:
            return "the last bill run: one reading of it is wrong; find it and correct it"
        case Role.APPROVER:
            return "the same runs with the second pair of eyes: approve the correction"
        case Role.ENGINEER:
            return "every meter's last readings with raw words, and the quarantine"
        case Role.AUDITOR:
            return "all of it and the audit log, to read only"
        case Role.ADMIN:
            return "who may log in, and the keys of programs"


def _print_summary(summary: Summary, console: Console) -> None:
    readings = summary.readings
    console.print(
        f"{summary.meters} meters, {summary.live_readings} readings over their sockets\n"
        f"readings: {readings['received']} received = {readings['stored']} stored + "
        f"{readings['duplicate']} duplicate + {readings['quarantined']} quarantined + "
        f"{readings['dropped']} dropped + {readings['spooled']} spooled\n"
        f"{summary.period}: {summary.bills} bills, ¥{summary.total} in all, "
        f"{summary.lines_recomputed} lines recomputed from their evidence"
    )
    table = Table("pool", "supply", "owners", "company", "balance", box=None, pad_edge=False)
    for pool in summary.pools:
        table.add_row(pool.pool, pool.supply, pool.owners, pool.company, pool.balance)
    console.print(table)
    console.print(f"run digest {summary.digest}", soft_wrap=True)
    for failure in summary.failures:
        console.print(f"[red]FAILED[/red] {failure}", highlight=False)
    if summary.ok:
        console.print("All invariants hold.")


class _PortTakenError(ValueError):
    """The port that was asked for is in use."""


def _free(port: int | None) -> int | None:
    """Return `port` if it is free; raise `_PortTakenError` before anything starts if it is not."""
    if port is None:
        return None
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError as error:
            raise _PortTakenError(
                f"port {port} is taken by another program; stop that, or name another with --port"
            ) from error
    return port


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
