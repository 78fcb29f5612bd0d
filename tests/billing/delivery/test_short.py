"""SMS and messages to groups go out over HTTP, at most once, as the settings say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from loopback import HOST
from scripted_server import ScriptedServer
from told import NOW, SEAL, Clock

from billing.delivery.calling import UnansweredError
from billing.delivery.channels import open_channels
from billing.delivery.destination import Reach
from billing.delivery.dispatching import Dispatcher
from billing.delivery.event import Event, Kind
from billing.store import delivery_contacts, delivery_outbox
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

    from small_community import Books

    from billing.delivery.channels import Channels

ENVIRONMENT = {"GROUP_KEY": "k-1", "SMS_KEY": "s-1"}


def channels(folder: Path, port: int, *of_group: str) -> Channels:
    """Return the channels of an installation whose gateways are at `port`.

    `of_group`: further lines of the group's settings.
    """
    path = folder / "delivery.toml"
    path.write_text(
        f"""
links = "https://bills.example.com"
[sms]
definition = "sms-json"
url = "http://{HOST}:{port}/sms"
secret_env = "SMS_KEY"
[[group]]
name = "office"
definition = "wecom-robot"
url = "http://{HOST}:{port}/send?key={{secret}}"
secret_env = "GROUP_KEY"
events = ["run.blocked", "meter.offline"]
{"".join(of_group)}
""",
        "utf-8",
    )
    return open_channels(path, Reach.THIS_MACHINE, ENVIRONMENT, seal=SEAL)


def deliver(books: Books, found: Channels) -> None:
    Dispatcher(books.database, found.senders, Clock(), found.groups).deliver()


def blocked(books: Books) -> None:
    event = Event(
        kind=Kind.RUN_BLOCKED,
        subject="1",
        at=NOW,
        data={"run": 1, "period": "2026-10", "communities": ["yard"], "problems": 2},
        community_id=1,
    )
    with books.database.transaction() as connection:
        delivery_outbox.tell(connection, event)


def state_number(books: Books) -> None:
    with books.database.transaction() as connection:
        delivery_contacts.state(
            connection,
            person="li",
            accounts=[1],
            channel="sms",
            address="13800001234",
            language="zh-CN",
            kinds=[Kind.BILL_ISSUED],
            now=NOW,
        )


def test_a_group_hears_of_a_blocked_run(sqlite_books: Books, tmp_path: Path) -> None:
    blocked(sqlite_books)
    with ScriptedServer(lambda _: (200, '{"errcode": 0}')) as server:
        deliver(sqlite_books, channels(tmp_path, server.port))

    (asked,) = server.asked
    assert (asked.path, asked.parameters) == ("/send", {"key": "k-1"})
    assert json.loads(asked.content) == {
        "msgtype": "text",
        "text": {
            "content": "yard 2026年10月出账受阻，2 个问题。https://bills.example.com/staff/runs/1"
        },
    }
    assert sqlite_books.rows("SELECT target, state FROM delivery") == [("group:office", "sent")]


@pytest.mark.parametrize(("project", "told"), [("default", 1), ("another", 0)])
def test_a_group_hears_of_its_project_alone(
    sqlite_books: Books, tmp_path: Path, project: str, told: int
) -> None:
    blocked(sqlite_books)
    with ScriptedServer(lambda _: (200, '{"errcode": 0}')) as server:
        deliver(sqlite_books, channels(tmp_path, server.port, f'project = "{project}"'))

    assert len(server.asked) == told
    assert sqlite_books.rows("SELECT count(*) FROM delivery") == [(told,)]


def test_an_sms_holds_the_link_that_confirms_a_number(sqlite_books: Books, tmp_path: Path) -> None:
    state_number(sqlite_books)
    with ScriptedServer(lambda _: (202, "")) as server:
        deliver(sqlite_books, channels(tmp_path, server.port))

    (asked,) = server.asked
    said = json.loads(asked.content)
    assert asked.headers["authorization"] == "Bearer s-1"
    assert said["to"] == "13800001234"
    assert "https://bills.example.com/notifications/confirm/" in said["text"]
    assert said["reference"].startswith("msg_")


@pytest.mark.parametrize(("status", "state"), [(503, "waiting"), (400, "failed"), (202, "sent")])
def test_what_a_gateway_answers_counts(
    sqlite_books: Books, tmp_path: Path, status: int, state: str
) -> None:
    state_number(sqlite_books)
    with ScriptedServer(lambda _: (status, "")) as server:
        deliver(sqlite_books, channels(tmp_path, server.port))

    assert sqlite_books.rows("SELECT state FROM delivery") == [(state,)]


def test_a_gateway_that_says_nothing_is_not_asked_twice(
    sqlite_books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> None:
        raise UnansweredError("no answer")

    monkeypatch.setattr("billing.delivery.short.call", silent)
    state_number(sqlite_books)
    found = channels(tmp_path, 1)
    deliver(sqlite_books, found)
    deliver(sqlite_books, found)

    assert sqlite_books.rows("SELECT state, tries FROM delivery") == [("unsure", 1)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("sms-json", "none-such"), "must be one of sms-json, wecom-robot"),
        (('"SMS_KEY"', '"EMPTY"'), "names the variable EMPTY, which is empty"),
        (("http://127", "http://10"), "url"),
        (('"meter.offline"', '"address.stated"'), "told to nobody outside"),
    ],
)
def test_settings_that_are_wrong_are_named(
    tmp_path: Path, change: tuple[str, str], why: str
) -> None:
    channels(tmp_path, 80)
    path = tmp_path / "delivery.toml"
    path.write_text(path.read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(DefinitionError, match=why):
        open_channels(path, Reach.PUBLIC, ENVIRONMENT, seal=SEAL)


def test_people_choose_among_what_is_set_up(tmp_path: Path) -> None:
    assert open_channels(None, Reach.PUBLIC, {}, seal=SEAL).people == ()
    assert channels(tmp_path, 80).people == ("sms",)
