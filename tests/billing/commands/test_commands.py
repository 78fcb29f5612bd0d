"""`tallygate billing`: what it prints, and that what a user can mend is one clear line."""

from __future__ import annotations

import json
import re
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from click.testing import CliRunner, Result
from small_community import FEE, LIFT, POOLS, TARIFFS, Books, changed, community_document
from sqlalchemy import NullPool, create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

from billing.commands.main import billing
from billing.database import Database
from billing.tables import project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from meters.archive.sql import SqlArchive

Run = Any


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, dict[str, Any]], str]:
    def written(name: str, document: dict[str, Any]) -> str:
        path = tmp_path / f"{name}.toml"
        path.write_text(tomli_w.dumps(document), "utf-8")
        return str(path)

    return written


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a database that no file holds yet."""
    return f"sqlite:///{tmp_path / 'new' / 'billing.sqlite'}"


@pytest.fixture
def migrated(url: str) -> str:
    with Database(url) as database:
        database.migrate()
    return url


def run(url: str | None, *arguments: str) -> Result:
    environment = {"TALLYGATE_DATABASE_URL": url}
    return CliRunner().invoke(billing, arguments, env=environment)


def says(result: Result) -> str:
    """Return the one line that a user is told of what went wrong."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def test_from_an_empty_database_to_a_verified_run(
    empty_url: str, write: Callable[[str, dict[str, Any]], str], archive: SqlArchive
) -> None:
    tariffs = [write(each["id"], each) for each in TARIFFS]
    pools = [write(f"pool-{each['id']}", each) for each in POOLS]

    done = [
        run(empty_url, "migrate"),
        run(empty_url, "import", write("yard", community_document())),
        run(empty_url, "define", *tariffs),
        run(empty_url, "define", "--community", "yard", *pools),
    ]

    assert [result.exit_code for result in done] == [0, 0, 0, 0], done
    assert done[0].output == "The billing database is at the newest version.\n"
    assert done[1].output == "yard: 4 units, 11 points, 4 accounts\n"
    assert done[2].output.splitlines()[0] == "tariff power, version 1"
    assert done[3].output.splitlines()[-1] == "pool pump, version 1"

    with Database(empty_url) as database:
        Books(database, archive).bill()
    verified = run(empty_url, "verify", "1")
    assert verified.exit_code == 0
    assert verified.output == (
        "34 lines recomputed, 3 statements and 11 usages checked, 12 audit entries unbroken\n"
    )
    assert json.loads(run(empty_url, "verify", "1", "--json").output) == {
        "lines": 34,
        "statements": 3,
        "usages": 11,
        "audit_entries": 12,
        "failures": [],
    }


def test_verify_fails_where_something_differs(migrated: str, archive: SqlArchive) -> None:
    with Database(migrated) as database:
        books = Books(database, archive)
        books.define()
        books.compute(books.create())
        books.execute("UPDATE bill SET total = 1 WHERE id = 1000001")

    result = run(migrated, "verify", "1")

    assert result.exit_code == 1
    assert "bill yard-2026-10-0001: claims 1, its lines 49704" in result.stderr.splitlines()
    failures = json.loads(run(migrated, "verify", "1", "--json").stdout)["failures"]
    assert failures == result.stderr.splitlines()


@pytest.mark.parametrize("arguments", [("verify", "1"), ("import", "{file}"), ("define", "{file}")])
def test_a_database_that_is_not_migrated_is_said_with_the_command(
    arguments: tuple[str, ...], url: str, write: Callable[[str, dict[str, Any]], str]
) -> None:
    file = write("fee", FEE)

    line = says(run(url, *(each.format(file=file) for each in arguments)))

    assert "version none" in line
    assert "run `tallygate billing migrate`" in line


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "sqlite:///path/of/billing.sqlite or postgresql+pg8000://"),
        ("mysql+nothing://host/db", "sqlite:///path/of/billing.sqlite or postgresql+pg8000://"),
        ("postgresql+psycopg2://host/db", "postgresql+pg8000://user:password@host/database"),
        ("postgresql+pg8000://nobody@127.0.0.1:1/db", "the database cannot be used"),
        ("sqlite:////proc/nowhere/x.sqlite", "the database cannot be made"),
    ],
)
def test_a_database_that_cannot_be_reached(url: str, words: str) -> None:
    for arguments in (("migrate",), ("verify", "1")):
        assert words in says(run(url, *arguments))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "poem.sqlite").write_text("roses are red" * 100)

    line = says(run(f"sqlite:///{tmp_path / 'poem.sqlite'}", "migrate"))

    assert "the database cannot be used: file is not a database" in line


@pytest.fixture
def plain_owner(fresh_postgresql_url: str, postgresql_url: str) -> Iterator[tuple[str, str]]:
    """The URL of a database at PostgreSQL as its owner has it, who is nothing else; and whose."""
    name = f"owner_{uuid.uuid4().hex[:8]}"
    at = make_url(fresh_postgresql_url)
    with superuser(postgresql_url) as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN"))
        connection.execute(text(f"ALTER DATABASE {at.database} OWNER TO {name}"))
    yield at.set(username=name).render_as_string(hide_password=False), name
    with superuser(postgresql_url) as connection:
        connection.execute(text(f"ALTER DATABASE {at.database} OWNER TO CURRENT_USER"))
    with superuser(fresh_postgresql_url) as connection:
        connection.execute(text(f"DROP OWNED BY {name}"))
        connection.execute(text(f"DROP ROLE {name}"))


@contextmanager
def superuser(url: str) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def test_an_owner_without_the_role_is_told_what_a_superuser_does_and_then_it_works(
    plain_owner: tuple[str, str], postgresql_url: str
) -> None:
    url, name = plain_owner

    line = says(run(url, "migrate"))

    assert f"the user {name} at PostgreSQL may not make the role" in line
    commands = re.findall(r"`(.*?)`", line)
    assert commands == [
        "CREATE ROLE tallygate_caller NOLOGIN",
        f'GRANT tallygate_caller TO "{name}"',
    ]
    with superuser(postgresql_url) as connection:
        for command in commands:
            with suppress(DBAPIError):  # the first, where another test's server has the role
                connection.execute(text(command))
    assert run(url, "migrate").exit_code == 0
    with Database(url) as database, database.within(1).snapshot() as connection:
        assert connection.scalars(select(project.c.code)).all() == ["default"]


def test_what_postgresql_says_is_told_without_its_fields(postgresql_url: str) -> None:
    url = make_url(postgresql_url).set(database="nowhere").render_as_string(hide_password=False)

    line = says(run(url, "migrate"))

    assert line == 'Error: the database cannot be used: database "nowhere" does not exist'


def test_without_a_database_the_option_is_named() -> None:
    result = run(None, "migrate")

    assert result.exit_code == 2
    assert "--database" in result.output


def test_a_database_of_a_newer_program(migrated: str) -> None:
    with Database(migrated) as database, database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    assert "version 9999, which this program does not know" in says(run(migrated, "migrate"))


def test_a_community_that_is_wrong_or_there_already(
    migrated: str, write: Callable[[str, dict[str, Any]], str]
) -> None:
    wrong = changed(community_document(), unit={"101": {"building": "b9"}})
    line = says(run(migrated, "import", write("wrong", wrong)))
    assert "wrong.toml: unit[1].building: unit 101 names the unknown building 'b9'" in line

    file = write("yard", community_document())
    assert run(migrated, "import", file).exit_code == 0
    assert "community 'yard' is there already" in says(run(migrated, "import", file))
    other = write("other", community_document("other"))
    assert "meter E-101 of point E-101 stands at" in says(run(migrated, "import", other))


def test_a_file_that_is_no_toml(migrated: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("kind = community", "utf-8")
    for command in ("import", "define"):
        assert "broken.toml: is not TOML" in says(run(migrated, command, str(file)))

    file.write_bytes(b"kind = '\xff'")
    assert "byte 8: is not UTF-8" in says(run(migrated, "import", str(file)))


def test_a_file_that_does_not_exist(migrated: str) -> None:
    result = run(migrated, "import", "nowhere.toml")

    assert result.exit_code == 2
    assert "nowhere.toml" in result.output


def test_a_pool_says_whose_it_is(
    migrated: str, write: Callable[[str, dict[str, Any]], str]
) -> None:
    run(migrated, "import", write("yard", community_document()))
    file = write("lift", LIFT)

    for options in ((), ("--community", "zoo")):
        line = says(run(migrated, "define", *options, file))
        assert "lift.toml is a pool: say with --community whose it is; known are yard" in line
    nowhere = write("nowhere", {**LIFT, "source": {**LIFT["source"], "points": ["attic"]}})
    line = says(run(migrated, "define", "--community", "yard", nowhere))
    assert "pool lift measures at attic, which the community does not have" in line


def test_a_version_with_other_content_stores_nothing_of_the_whole_call(
    migrated: str, write: Callable[[str, dict[str, Any]], str]
) -> None:
    assert run(migrated, "define", write("fee", FEE)).exit_code == 0
    power = write("power", TARIFFS[0])
    other = write("other", {**FEE, "title": {"en": "Another title"}})

    line = says(run(migrated, "define", power, other))

    assert "version 1 of tariff fee is stored with other content; raise its version" in line
    with Database(migrated) as database, database.snapshot() as connection:
        stored = connection.exec_driver_sql("SELECT code FROM tariff_version").scalars().all()
    assert stored == ["fee"]


def test_who_defined_what_stands_in_the_audit_log_once(
    migrated: str, write: Callable[[str, dict[str, Any]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "wang")
    run(migrated, "import", write("yard", community_document()))
    fee, lift = write("fee", FEE), write("lift", LIFT)
    assert run(migrated, "define", fee).exit_code == 0
    for _ in range(2):
        again = run(migrated, "define", "--by", "mei", "--community", "yard", fee, lift)
        assert again.exit_code == 0, again.output
    refused = write("other", {**FEE, "title": {"en": "Another title"}})
    assert run(migrated, "define", refused).exit_code == 1

    with Database(migrated) as database, database.snapshot() as connection:
        told = connection.exec_driver_sql(
            "SELECT actor, action, subject FROM audit WHERE action LIKE '%.publish' ORDER BY 1 DESC"
        ).all()
    assert told == [
        ("wang", "tariff.publish", "tariff:fee"),
        ("mei", "pool.publish", "pool:lift"),
    ]


def test_a_wrong_example_is_said_with_what_was_expected(
    migrated: str, write: Callable[[str, dict[str, Any]], str]
) -> None:
    wrong = write("fee", {**FEE, "example": [{"area": "10", "expect": "29.49"}]})

    line = says(run(migrated, "define", wrong))

    assert "fee.toml: example[1].expect" in line
    assert "(expected 29.49, got 29.50)" in line


def test_a_run_that_does_not_exist(migrated: str) -> None:
    assert "there is no bill run 5" in says(run(migrated, "verify", "5"))
