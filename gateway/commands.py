"""`tallygate gateway …`: run a gateway, and look at one from another process."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.credential import CredentialFile
from gateway.device_list import DeviceList, DeviceListFile, Kept
from gateway.enrolment import EnrolmentError
from gateway.enrolment import enrol as enrol_gateway
from gateway.health import status as gateway_status
from gateway.log_lines import log_to_stderr
from gateway.run import run_until_signalled
from gateway.running import GatewayFailedError
from gateway.settings import Settings
from gateway.site import load_site
from gateway.spool import Spool
from gateway.spool_file import SpoolError
from meters.definition import DefinitionError, read_document, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.site import Site
    from gateway.spool_file import Entry

Answer = TypeVar("Answer")

SITE = click.argument("site", type=click.Path(dir_okay=False, path_type=Path))
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

_PAGE = 1000


@click.group()
def gateway() -> None:
    """Read meters, keep every reading safe and forward it to the archive."""


@gateway.command()
@SITE
@click.option("--verbose", is_flag=True, help="Log every step.")
@click.option(
    "--log", type=click.Choice(["plain", "json"]), default="plain", help="Form of the log."
)
def run(site: Path, *, verbose: bool, log: str) -> None:
    """Run the gateway that the settings file SITE describes, until SIGTERM.

    SIGHUP makes it read SITE anew; where that is wrong it goes on as it is.
    """
    found = _load_to_run(site)
    log_to_stderr(level=logging.DEBUG if verbose else logging.INFO, as_json=log == "json")
    try:
        asyncio.run(run_until_signalled(found, lambda kept: load_site(site, os.environ, kept=kept)))
    except (SpoolError, GatewayFailedError, OSError) as error:
        raise click.ClickException(str(error)) from error


@gateway.command()
@SITE
def check(site: Path) -> None:
    """Say what is wrong with the settings file SITE, or what it describes."""
    found = _load(site, secrets=True)
    on_buses = len(list(found.devices))
    click.echo(
        f"{site}: ok: gateway {found.gateway}, {on_buses} meters on {len(found.buses)} buses, "
        f"{len(found.mqtt_meters)} meters through the broker"
    )


@gateway.command()
@SITE
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
def enrol(site: Path, *, token_stdin: bool) -> None:
    """Get the gateway of SITE its own key from the API, for a token that an engineer made.

    The token counts once. The key is kept beside the spool, readable by its owner alone.
    """
    settings = _settings(site)
    if settings.report is None:
        raise click.ClickException(f"{site} has no [report], which says where the API is")
    if token_stdin:
        token = sys.stdin.readline().strip()
    else:
        token = click.prompt("Enrolment token", hide_input=True).strip()
    file = CredentialFile(site.absolute().parent / settings.spool.path)
    try:
        # before the token is used up
        file.assert_writable()
        file.write(enrol_gateway(settings.report.url, token, gateway=settings.gateway))
    except (EnrolmentError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"gateway {settings.gateway} is enrolled; its key is in {file.path}")


@gateway.command()
@SITE
@AS_JSON
def status(site: Path, *, as_json: bool) -> None:
    """Show how the gateway of SITE does, whether or not it runs."""
    found = _load(site, secrets=False)
    snapshot = _asked_spool(found, lambda: gateway_status(found.gateway, found.spool_path))
    click.echo(json.dumps(snapshot, ensure_ascii=False) if as_json else _readable(snapshot))


@gateway.command()
@SITE
@AS_JSON
def quarantine(site: Path, *, as_json: bool) -> None:
    """List what the gateway of SITE received and could not understand."""
    found = _load(site, secrets=False)
    entries = _asked_spool(found, lambda: list(_quarantine(found)))
    if as_json:
        click.echo(json.dumps([_entry(entry) for entry in entries], ensure_ascii=False))
        return
    for entry in entries:
        item = entry.item
        click.echo(f"{entry.id}  {item.received_at.isoformat()}  {item.reason}  {item.source}")
        click.echo(f"    {item.detail}")
        click.echo(f"    {_text(item.content)}")
    click.echo(f"{len(entries)} items")


def _load(path: Path, *, secrets: bool) -> Site:
    """Return the site in `path`; end with every problem and status 2 where it does not load."""
    try:
        return load_site(path, os.environ if secrets else None)
    except DefinitionError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)


def _load_to_run(path: Path) -> Site:
    """Return the site in `path`; a list beside the spool that is damaged keeps nobody from it.

    The gateway then reads nothing until the API has given it the list again.
    """
    try:
        return load_site(path, os.environ)
    except DefinitionError as error:
        settings = _settings(path)
        beside = str(DeviceListFile(path.absolute().parent / settings.spool.path).path)
        blamed = {each.source.partition(": types.")[0] for each in error.problems}
        if settings.devices is None or blamed != {beside}:
            return _load(path, secrets=True)
        click.echo(f"the device list is not taken: {error}", err=True)
        nothing = Kept("", DeviceList(gateway=settings.gateway))
        return load_site(path, os.environ, kept=nothing)


def _settings(path: Path) -> Settings:
    try:
        return validate(Settings, read_document(path), str(path))
    except DefinitionError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)


def _quarantine(site: Site) -> Iterator[Entry]:
    with Spool(site.spool_path, read_only=True) as spool:
        after = 0
        while page := spool.quarantine(limit=_PAGE, after=after):
            yield from page
            after = page[-1].id


def _asked_spool(site: Site, ask: Callable[[], Answer]) -> Answer:
    if not site.spool_path.exists():
        raise click.ClickException(
            f"{site.spool_path} is not there yet: gateway {site.gateway} has never run here"
        )
    try:
        return ask()
    except SpoolError as error:
        raise click.ClickException(str(error)) from error


def _entry(entry: Entry) -> dict[str, Any]:
    item = entry.item
    return {
        "id": entry.id,
        "received_at": item.received_at.isoformat(),
        "source": item.source,
        "reason": item.reason.value,
        "detail": item.detail,
        "content_base64": base64.b64encode(item.content).decode("ascii"),
        "reported": entry.reported,
    }


def _text(content: bytes) -> str:
    """Return `content` on one line; a terminal shall not obey what a stranger sent."""
    text = content.decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _readable(snapshot: dict[str, Any]) -> str:
    if snapshot["running"]:
        state = f"running, status of {snapshot['updated_at'] or 'no time yet'}"
    else:
        state = f"not running, last status of {snapshot['updated_at'] or 'no time'}"
    tally = "  ".join(f"{name} {count}" for name, count in snapshot["tally"].items())
    archive = snapshot["archive"]
    lines = [
        f"gateway {snapshot['gateway']}: {state}",
        f"  {tally}",
        f"  archive: last forwarded {archive['last_success'] or 'never'}"
        + (f", now away: {archive['error']}" if archive["error"] else ""),
    ]
    if spool := snapshot["spool"]:
        lines.append(f"  spool: {spool['used_bytes']:,} of {spool['quota_bytes']:,} bytes are used")
    if error := snapshot["broker"]["error"]:
        lines.append(f"  broker: {error}")
    lines += [
        f"  alarm: {alarm['detail']}"
        for alarm in snapshot["alarms"]
        if alarm["kind"] not in ("archive", "broker")
    ]
    lines += [
        f"  unknown: {each['source']}, {each['messages']} messages kept, last {each['last']}"
        for each in snapshot["unknown"]
    ]
    for device in snapshot["devices"]:
        line = f"  {device['meter']:<20} {device['state']:<8} {device['last_answer'] or 'never'}"
        lines.append(f"{line}  {device['error']}" if device["error"] else line)
    return "\n".join(lines)
