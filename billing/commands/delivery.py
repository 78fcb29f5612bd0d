"""`tallygate delivery`: what messages say, who is told, and what is still to be sent."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.commands.opening import database_option, opened
from billing.commands.till import as_json_option, by_option, print_json
from billing.delivery.event import Kind
from billing.delivery.shipped import shipped
from billing.delivery.wording import (
    LANGUAGES,
    SAMPLES,
    TemplateRefusedError,
    Texts,
    check,
    parts_of,
    render,
)
from billing.store import delivery_desk, delivery_texts, projects
from meters.definition import DefinitionError, read_document, validate

if TYPE_CHECKING:
    from sqlalchemy import Connection

KINDS = click.Choice([kind.value for kind in Kind])
project_option = click.option(
    "--project", metavar="CODE", help="Whose texts they are; the only project without."
)
language_option = click.option(
    "--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True
)


@click.group()
def delivery() -> None:
    """What messages say, and what is still to be sent."""


@delivery.command()
@database_option
@as_json_option
@project_option
@language_option
@click.option(
    "--texts",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with other texts, to be looked at before they are stored.",
)
@click.argument("kind", type=KINDS)
def preview(
    url: str, as_json: bool, project: str | None, language: str, path: Path | None, kind: str
) -> None:
    """Print what people are told of a KIND of event, with sample values."""
    known = Kind(kind)
    with opened(url) as database, database.snapshot() as connection:
        texts = _texts(connection, project, known, path, language)
    try:
        check(known, texts)
        message = render(known, texts, SAMPLES[known])
    except TemplateRefusedError as error:
        raise click.ClickException(f"{path or 'the stored texts'}: {error}") from error
    made = {part: getattr(message, part) for part in parts_of(texts)}
    if as_json:
        print_json(made)
        return
    for part, text in made.items():
        click.echo(f"--- {part}\n{text.strip()}")


@delivery.command()
@database_option
@by_option
@project_option
@language_option
@click.argument("kind", type=KINDS)
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def texts(url: str, actor: str, project: str | None, language: str, kind: str, path: Path) -> None:
    """Store the texts in the file PATH for a KIND of event, in place of those before.

    The file has the keys subject, text, html and short. One that names what its event does not
    have, or that holds more than values and conditions, is refused.
    """
    with opened(url) as database, database.transaction() as connection:
        found = _texts(connection, project, Kind(kind), path, language)
        try:
            delivery_texts.put(
                connection,
                projects.chosen(connection, project),
                Kind(kind),
                language,
                found,
                actor=actor,
                now=datetime.now(UTC),
            )
        except TemplateRefusedError as error:
            raise click.ClickException(f"{path}: {error}") from error
    click.echo(f"{kind} in {language} says so from now on")


@delivery.command("drop-texts")
@database_option
@by_option
@project_option
@language_option
@click.argument("kind", type=KINDS)
def drop_texts(url: str, actor: str, project: str | None, language: str, kind: str) -> None:
    """Go back to the texts that Tallygate brings for a KIND of event."""
    with opened(url) as database, database.transaction() as connection:
        dropped = delivery_texts.drop(
            connection,
            projects.chosen(connection, project),
            Kind(kind),
            language,
            actor=actor,
            now=datetime.now(UTC),
        )
    click.echo("they are gone" if dropped else "there were none but those that Tallygate brings")


@delivery.command()
@database_option
@as_json_option
def status(url: str, as_json: bool) -> None:
    """Print how many messages wait, were sent, have failed, or are unsure, by channel."""
    with opened(url) as database, database.snapshot() as connection:
        found = delivery_desk.counted(connection)
    rows = [{"channel": each[0], "state": each[1], "messages": each[2]} for each in found]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['channel']:<8} {row['state']:<8} {row['messages']:>8}")


@delivery.command()
@database_option
@as_json_option
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
def stuck(url: str, as_json: bool, limit: int) -> None:
    """Print messages that have failed, or of which nobody knows whether they have arrived."""
    with opened(url) as database, database.snapshot() as connection:
        found = delivery_desk.stuck(connection, limit=limit)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    for each in found:
        click.echo(
            f"{each.id:>8}  {each.state:<7} {each.channel:<8} {each.kind} {each.subject} "
            f"to {each.target}"
        )


@delivery.command()
@database_option
@by_option
@click.argument("number", type=int)
def again(url: str, actor: str, number: int) -> None:
    """Send message NUMBER again, which is unsure or has failed."""
    with opened(url) as database, database.transaction() as connection:
        try:
            delivery_desk.send_again(connection, number, actor=actor, now=datetime.now(UTC))
        except delivery_desk.NothingToSendError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"message {number} is sent within seconds")


def _texts(
    connection: Connection, project: str | None, kind: Kind, path: Path | None, language: str
) -> Texts:
    if path is None:
        own = delivery_texts.find(connection, projects.chosen(connection, project), kind, language)
        return own or shipped(kind, language)
    try:
        return validate(Texts, read_document(path), str(path))
    except DefinitionError as error:
        raise click.ClickException(str(error)) from error
