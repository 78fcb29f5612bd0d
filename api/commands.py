"""The commands of the API: run it, and manage who may use it."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api import access
from api.access import AccessError, UnknownKeyError, UnknownLoginError
from api.app import create_app
from api.credentials import Passwords, WeakPasswordError, new_password
from api.permission import Permission, Role
from api.resealing import seal_anew
from api.resources import read_clock
from api.schemas.webhooks import LONGEST_OVERLAP_HOURS, OVERLAP_HOURS
from api.serving import BACKLOG, Patience, server
from api.settings import ApiSettings, OfficeSettings, Settings, load_settings
from api.store import keys
from api.store.logins import LoginExistsError, UnknownAccountError
from api.workers import serve_by_several
from billing.commands.opening import opened
from billing.sealing import Seal, SealError
from billing.store import delivery_webhooks, projects
from billing.store.delivery_webhooks import UnknownWebhookError
from meters.archive.protocol import ArchiveUrlError
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.database import Database

PROJECT = click.option("--project", metavar="CODE", help="Whose; needed where there are several.")

SETTINGS = click.option(
    "--settings",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file with the settings; each may also stand in the environment as TALLYGATE_….",
)


@click.group()
def api() -> None:
    """Serve the API and the pages."""


@api.command()
@SETTINGS
def run(settings: Path | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    chosen = _settings(settings, ApiSettings)
    with opened(chosen.database_url):
        pass  # only to say now, and not at the first call, that it cannot be used
    with _listening(chosen.host, chosen.port) as listener:
        host, port = listener.getsockname()[:2]
        try:
            if chosen.workers > 1:
                # It says here what each process would, and leaves them what it has compiled.
                create_app(chosen, alone=False).state.resources.close()
                serve = partial(serve_by_several, chosen, listener)
            else:
                app = create_app(chosen)
                serve = partial(server(app, Patience.of(chosen)).run, sockets=[listener])
        except (DefinitionError, ArchiveUrlError) as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"listening on http://{host}:{port}")
        serve()


@click.group()
def user() -> None:
    """Manage the logins of people."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option(
    "--account", "accounts", multiple=True, help="Code of an owner's or tenant's account."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@PROJECT
@SETTINGS
def add_user(
    *,
    name: str,
    role: str,
    accounts: tuple[str, ...],
    password_stdin: bool,
    project: str | None,
    settings: Path | None,
) -> None:
    """Add the login NAME. Its password is made at random and printed once.

    An administrator of no project manages the logins and keys of all.
    """
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else new_password()
    try:
        password_hash = Passwords().hash(password)
        with (
            opened(_settings(settings, OfficeSettings).database_url) as database,
            database.transaction() as connection,
        ):
            access.add_login(
                connection,
                name=name,
                password_hash=password_hash,
                role=Role(role),
                accounts=accounts,
                project=project,
                actor=access.COMMAND_LINE,
                now=read_clock(),
            )
    except (AccessError, WeakPasswordError, LoginExistsError, UnknownAccountError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"added {name} ({role})")
    if not password_stdin:
        click.echo(f"password: {password}")


@user.command("reset-second-factor")
@click.argument("name")
@SETTINGS
def reset_second_factor(*, name: str, settings: Path | None) -> None:
    """Take the second factor of the login NAME away, for who has lost phone and recovery codes.

    Its sessions end, and its password alone signs it in again: be sure whom you do it for.
    """
    try:
        with (
            opened(_settings(settings, OfficeSettings).database_url) as database,
            database.transaction() as connection,
        ):
            access.reset_second_factor(
                connection, name, actor=access.COMMAND_LINE, now=read_clock()
            )
    except UnknownLoginError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name} has no second factor now")


@click.group()
def key() -> None:
    """Manage the API keys of clients and gateways."""


@key.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([permission.value for permission in Permission]),
    help="What the key may do; repeat it for several.",
)
@click.option("--gateway", help="The only gateway that the key reports as; NAME if left out.")
@click.option("--days", type=click.IntRange(min=1), help="After how many days it expires.")
@PROJECT
@SETTINGS
def add_key(
    *,
    name: str,
    scopes: tuple[str, ...],
    gateway: str | None,
    days: int | None,
    project: str | None,
    settings: Path | None,
) -> None:
    """Add an API key called NAME and print it once. Two keys may share a name during a change."""
    try:
        with (
            opened(_settings(settings, OfficeSettings).database_url) as database,
            database.transaction() as connection,
        ):
            token = access.add_key(
                connection,
                name=name,
                scopes={Permission(scope) for scope in scopes},
                gateway=gateway,
                days=days,
                project=project,
                actor=access.COMMAND_LINE,
                now=read_clock(),
            )
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"key: {token}")


@key.command("rotate")
@click.argument("name")
@click.option(
    "--overlap-days",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="How long the key before works too.",
)
@click.option("--days", type=click.IntRange(min=1), help="After how many days the new one expires.")
@PROJECT
@SETTINGS
def rotate_key(
    *,
    name: str,
    overlap_days: int,
    days: int | None,
    project: str | None,
    settings: Path | None,
) -> None:
    """Add a key in place of the newest one called NAME and print it once.

    The one before works for some days more; at most two live.
    """
    try:
        with _database_of(project, settings) as database, database.transaction() as connection:
            token = access.rotate_key(
                connection,
                name,
                overlap=timedelta(days=overlap_days),
                days=days,
                actor=access.COMMAND_LINE,
                now=read_clock(),
            )
    except UnknownKeyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"key: {token}")


@key.command("list")
@PROJECT
@SETTINGS
def list_keys(*, project: str | None, settings: Path | None) -> None:
    """List the keys, with what they may do, until when, and when they were used last."""
    now = read_clock()
    with _database_of(project, settings) as database, database.snapshot() as connection:
        found = keys.listed(connection)
    for each in found:
        until = "without end" if each.expires_at is None else f"until {each.expires_at:%Y-%m-%d}"
        used = "never used" if each.last_used_at is None else f"used {each.last_used_at:%Y-%m-%d}"
        state = until if each.live(now) else "ended"
        click.echo(f"{each.id}  {each.name}  {' '.join(sorted(each.scopes))}  {state}  {used}")


@key.command("revoke")
@click.argument("name")
@PROJECT
@SETTINGS
def revoke_key(*, name: str, project: str | None, settings: Path | None) -> None:
    """End every key called NAME now."""
    try:
        with _database_of(project, settings) as database, database.transaction() as connection:
            ended = access.end_keys(connection, name, actor=access.COMMAND_LINE, now=read_clock())
    except UnknownKeyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"ended {ended}")


@click.group()
def webhook() -> None:
    """Manage the webhooks that programs are told by."""


@webhook.command("rotate-secrets")
@click.option(
    "--overlap-hours",
    type=click.IntRange(min=0, max=LONGEST_OVERLAP_HOURS),
    default=OVERLAP_HOURS,
    show_default=True,
    help="How long the secrets before sign too.",
)
@PROJECT
@SETTINGS
def rotate_secrets(*, overlap_hours: int, project: str | None, settings: Path | None) -> None:
    """Give every webhook a new secret, and print its number, address and secret once.

    For when others may have read them, as in a backup from before they were sealed. Hand each
    receiver its own while both sign; without --project, those of all projects are replaced.
    """
    seal, now = Seal(_settings(settings, OfficeSettings).secret_keys), read_clock()
    overlap = timedelta(hours=overlap_hours)
    try:
        with _database_of(project, settings) as database:
            seal_anew(database.whole, seal)  # one in clear would not open, and nothing be sent
            with database.transaction() as connection:
                rotated = [
                    delivery_webhooks.rotate(
                        connection,
                        seal,
                        each.id,
                        overlap=overlap,
                        actor=access.COMMAND_LINE,
                        now=now,
                    )
                    for each in delivery_webhooks.listed(connection)
                ]
    except (SealError, UnknownWebhookError) as error:
        raise click.ClickException(f"{error}; no secret was replaced") from error
    for each in rotated:
        newest, *_ = each.secrets(seal, now)
        click.echo(f"{each.id}  {each.url}  {newest}")
    until = f"those before sign too until {now + overlap:%Y-%m-%d %H:%M} UTC"
    click.echo(f"{len(rotated)} secrets replaced; {until if overlap else 'none before signs now'}")


def _settings(path: Path | None, model: type[Settings]) -> Settings:
    try:
        return load_settings(path, os.environ, model)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _database_of(project: str | None, settings: Path | None) -> Iterator[Database]:
    """Give the database as `project` sees it, the whole for none: keys of several share names."""
    with opened(_settings(settings, OfficeSettings).database_url) as database:
        if project is None:
            yield database
            return
        with database.snapshot() as connection:
            whose = projects.chosen(connection, project)
        yield database.within(whose)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Give a socket that listens, so that a taken port is said before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise click.ClickException(_cannot_listen(host, port, error)) from error
        listener.listen(BACKLOG)
        yield listener


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken; stop what listens there, or set another port in the "
            "settings or in TALLYGATE_PORT"
        )
    return f"cannot listen on {host}:{port}: {error.strerror}; correct host and port"
