"""A meter that went to another project shows each project what it said while it was theirs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from billing import tables
from billing.store import projects

if TYPE_CHECKING:
    from conftest import House

METER = "E-1-201"


def times(house: House, engineer: str) -> list[datetime]:
    answer = house.caller(engineer).get(f"/v1/meters/{METER}/readings?hours=744")
    assert answer.status_code == 200, answer.text
    return [datetime.fromisoformat(each["time"]) for each in answer.json()["readings"]]


def move(house: House, at: datetime) -> None:
    """Take the meter away `at` that time, and let it stand in a community of `other` since."""
    with house.database.transaction() as connection:
        table = tables.installation
        here = table.c.meter == METER
        old = dict(connection.execute(select(table).where(here)).mappings().one())
        other = projects.chosen(connection, "other")
        community = add(
            connection,
            tables.community,
            project_id=other,
            code="far",
            title='{"en": "Far"}',
            zone="Asia/Shanghai",
            currency="CNY",
            due_days=14,
            tariffs="{}",
        )
        point = add(
            connection,
            tables.point,
            community_id=community,
            code="P-1",
            medium="electricity",
            role="check",
        )
        connection.execute(update(table).where(here).values(end=at))
        del old["id"]
        connection.execute(insert(table).values(**old | {"point_id": point, "start": at}))


def add(connection: Any, table: Any, **values: object) -> int:
    found: int = connection.execute(insert(table).values(**values)).inserted_primary_key[0]
    return found


def test_each_project_sees_what_the_meter_said_while_it_was_theirs(strangers: House) -> None:
    all_times = times(strangers, "engineer")
    at = all_times[len(all_times) // 2]
    assert len(set(all_times)) > 3
    unknown = strangers.caller("engineer elsewhere").get(f"/v1/meters/{METER}/readings")
    assert unknown.status_code == 404

    move(strangers, at)

    assert times(strangers, "engineer") == [each for each in all_times if each < at]
    assert times(strangers, "engineer elsewhere") == [each for each in all_times if each >= at]
    page = f"/engineering/meters/{METER}?first=2026-10-01&last=2026-11-30"
    texts = {
        name: strangers.reader(name).get(page).text for name in ("engineer", "engineer elsewhere")
    }
    rows = {name: text.count('class="raw"') for name, text in texts.items()}
    assert rows["engineer"] > 0
    assert rows["engineer elsewhere"] > 0
    before = strangers.reader("engineer elsewhere").get(
        f"/engineering/meters/{METER}?first=2026-10-01&last=2026-10-02"
    )
    assert before.status_code == 200


def test_a_meter_that_has_said_nothing_since_it_came_shows_nothing_from_before(
    strangers: House,
) -> None:
    move(strangers, strangers.now)
    assert times(strangers, "engineer elsewhere") == []
    listed = strangers.reader("engineer elsewhere").get("/engineering/meters").text
    assert METER in listed
    assert "never" in listed
