"""All webhooks get new secrets by one command, and the ones before sign a while longer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from api.commands import webhook
from api.resources import read_clock
from billing.database import Database
from billing.delivery.event import Kind
from billing.delivery.signing import headers, new_secret, verify
from billing.sealing import Seal
from billing.store import audit, delivery_webhooks, projects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

KEY = "k" * 40
SEAL = Seal([KEY])


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with three webhooks, of which the second has ended."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/billing.sqlite"
    else:
        url = str(request.getfixturevalue("copied_postgresql_url"))
    with Database(url) as opened:
        opened.migrate()
        with opened.transaction() as connection:
            whose = projects.chosen(connection, None)
        with opened.within(whose).transaction() as connection:
            for number in (1, 2, 3):
                delivery_webhooks.add(
                    connection,
                    SEAL,
                    url=f"https://client.example.com/{number}",
                    title="Client",
                    kinds=[Kind.BILL_ISSUED],
                    actor="admin",
                    now=read_clock(),
                )
            delivery_webhooks.end(connection, 2, actor="admin", now=read_clock())
        yield opened


def rotate(database: Database, *arguments: str, secret_keys: str | None = KEY) -> Result:
    environment = {"TALLYGATE_DATABASE_URL": database.url, "TALLYGATE_SECRET_KEYS": secret_keys}
    command = ["rotate-secrets", *arguments]
    return CliRunner().invoke(webhook, command, env=environment)


def signing(database: Database, webhook_id: int, hours: int = 0) -> tuple[str, ...]:
    with database.snapshot() as connection:
        found = delivery_webhooks.read(connection, webhook_id)
    return found.secrets(SEAL, read_clock() + timedelta(hours=hours))


def held(database: Database) -> str:
    with database.snapshot() as connection:
        rows = connection.execute(text("SELECT secret, secret_before FROM webhook")).all()
        entries = connection.execute(text("SELECT * FROM audit")).all()
    return repr((rows, entries))


def test_all_webhooks_sign_by_a_new_secret_and_by_the_one_before_for_a_while(
    database: Database,
) -> None:
    before = {each: signing(database, each) for each in (1, 3)}

    said = rotate(database)
    assert said.exit_code == 0, said.output
    *lines, last = said.stdout.splitlines()
    assert last.startswith("2 secrets replaced; those before sign too until ")
    assert [line.split()[:2] for line in lines] == [
        ["1", "https://client.example.com/1"],
        ["3", "https://client.example.com/3"],
    ]
    for line in lines:
        number, new = int(line.split()[0]), line.split()[2]
        assert signing(database, number) == (new, *before[number])
        assert signing(database, number, hours=25) == (new,)
        at = int(read_clock().timestamp())
        sent = headers("m-1", at, b"{}", signing(database, number))
        received = {name.lower(): value for name, value in sent.items()}
        for secret in (new, *before[number]):
            assert verify(received, b"{}", secret, now_s=at) == "m-1"
    assert "whsec_" not in held(database)
    with database.snapshot() as connection:
        audit.verify(connection)
        told = connection.execute(
            text(
                "SELECT actor, subject FROM audit WHERE action = 'webhook.rotate' ORDER BY position"
            )
        )
        assert [tuple(each) for each in told] == [
            ("command line", "1"),
            ("command line", "3"),
        ]


def test_what_was_in_clear_is_sealed_and_still_signs_during_the_overlap(database: Database) -> None:
    clear = new_secret()
    with database.transaction() as connection:
        connection.execute(text("UPDATE webhook SET secret = :it WHERE id = 1"), {"it": clear})

    assert rotate(database, "--overlap-hours", "2").exit_code == 0
    assert signing(database, 1)[1:] == (clear,)
    assert len(signing(database, 1, hours=3)) == 1
    assert "whsec_" not in held(database)


def test_without_an_overlap_none_before_signs(database: Database) -> None:
    said = rotate(database, "--overlap-hours", "0")
    assert said.stdout.splitlines()[-1] == "2 secrets replaced; none before signs now"
    assert [len(signing(database, each)) for each in (1, 3)] == [1, 1]


@pytest.mark.parametrize(
    ("secret_keys", "why"), [(None, "secret_keys"), ("o" * 40, "no longer lists")]
)
def test_without_the_keys_nothing_is_replaced(
    database: Database, secret_keys: str | None, why: str
) -> None:
    before = held(database)
    said = rotate(database, secret_keys=secret_keys)
    assert (said.exit_code, why in said.output) == (1, True)
    assert "no secret was replaced" in said.output
    assert held(database) == before


def test_only_the_webhooks_of_a_project_that_is_named_are_replaced(database: Database) -> None:
    with database.transaction() as connection:
        projects.add(connection, "other", "Other", actor="admin", now=read_clock())
    said = rotate(database, "--project", "other")
    assert said.stdout.startswith("0 secrets replaced")
    assert rotate(database, "--project", "nobody").output.startswith("Error: there is no project")
