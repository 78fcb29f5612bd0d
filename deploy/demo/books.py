"""The books of the demo: its registry, definitions, logins and bill runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.credentials import Passwords, digest, new_password, new_token
from api.permission import Permission, Role
from api.store import keys, logins
from billing import lifecycle
from billing.community import load_community
from billing.pools.pool import load_pool
from billing.store import changes, definitions, registry, reviews
from billing.tariff import load_tariff
from deploy.demo.community import DEFINITIONS, RESIDENTIAL, WITH_PARKING
from meters.catalog import shipped
from meters.definition import read_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.community import Unit
    from billing.database import Database
    from billing.store.runs import Run
    from deploy.demo.folder import Folder
    from deploy.demo.misreading import Misreading
    from meters.archive.protocol import Archive
    from meters.interval import Period


GIVEN_BACK = 15
"""The day of the month from which a car space is given back."""


@dataclass(frozen=True, slots=True)
class Person:
    """A login of the demo, with the password that only this demo has."""

    name: str
    password: str
    role: Role
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """What the demo's people and its gateway come in with."""

    people: tuple[Person, ...]
    gateway_key: str

    def person(self, role: Role) -> Person:
        """Return the first person of `role`."""
        return next(each for each in self.people if each.role is role)


def open_books(
    database: Database, folder: Folder, *, gateway: str, misread: str, now: datetime
) -> Books:
    """Bring the community and its definitions into a new database, and make its logins.

    `misread`: the unit with the wrong reading, whose owner comes in too.
    """
    database.migrate()
    community = load_community(folder.community)
    passwords = Passwords()
    with database.transaction() as connection:
        community_id = registry.import_community(connection, community)
        for path in sorted(DEFINITIONS.glob("*.toml")):
            if read_document(path)["kind"] == "tariff":
                definitions.add_tariff(connection, load_tariff(path))
            else:
                definitions.add_pool(connection, community_id, load_pool(path))
    owners = [
        Person(f"owner-{unit.code}", new_password(), Role.OWNER, unit.code)
        for unit in _shown(community.unit, misread)
    ]
    staff = [
        Person(role.value, new_password(), role)
        for role in (Role.CLERK, Role.APPROVER, Role.ENGINEER)
    ]
    people = (*owners, *staff)
    key = new_token("key")
    with database.transaction() as connection:
        for person in people:
            account = f"A-{person.unit}"
            logins.add_login(
                connection,
                name=person.name,
                password_hash=passwords.hash(person.password),
                role=person.role,
                accounts=[] if person.unit is None else [logins.account_id(connection, account)],
                now=now,
            )
        keys.add_key(
            connection,
            name=gateway,
            key_digest=digest(key),
            scopes=[Permission.GATEWAY_REPORT],
            gateway=gateway,
            now=now,
        )
    return Books(people, key)


@dataclass(frozen=True, slots=True)
class Office:
    """The people of the property company at work, as their pages let them."""

    database: Database
    archive: Archive
    books: Books
    code: str

    def bill(self, period: Period, *, now: datetime) -> Run:
        """Bill `period`: one computes and reviews, another approves and issues."""
        run_id = lifecycle.create_run(
            self.database, period=period.key, communities=[self.code], actor=self._clerk, now=now
        )
        return self._finish(run_id, now)

    def correct(self, period: Period, unit: Unit, *, now: datetime) -> Run:
        """Hear late that `unit` gave its car space back in the middle of `period`, and correct it.

        The month is issued already, so its bill stays and a correction bill takes part of it back.
        """
        change = changes.Change(
            community=self.code,
            unit=unit.code,
            since=period.first.replace(day=GIVEN_BACK),
            actor=self._clerk,
            reason="car space given back; the form came in after the bills were issued",
            now=now,
        )
        with self.database.transaction() as connection:
            changes.set_class(connection, change, RESIDENTIAL)
        run_id = lifecycle.correct(
            self.database, community=self.code, first=period.key, actor=self._clerk, now=now
        )
        return self._finish(run_id, now)

    def note(self, misreading: Misreading, *, now: datetime) -> None:
        """Take over what the caretaker noted of a meter whose radio was silent."""
        with self.database.transaction() as connection:
            reviews.decide(connection, self.code, misreading.noted(author=self._clerk, now=now))

    @property
    def _clerk(self) -> str:
        return self.books.person(Role.CLERK).name

    def _finish(self, run_id: int, now: datetime) -> Run:
        approver = self.books.person(Role.APPROVER).name
        run = lifecycle.compute_run(
            self.database, self.archive, shipped(), run_id=run_id, actor=self._clerk, now=now
        )
        if run.state == "computed":
            lifecycle.review_run(self.database, run_id=run_id, actor=self._clerk, now=now)
            lifecycle.approve_run(
                self.database, run_id=run_id, digest=str(run.digest), actor=approver, now=now
            )
            run = lifecycle.issue_run(self.database, run_id=run_id, actor=approver, now=now)
        return run


def with_car_space(units: Sequence[Unit]) -> Unit:
    """Return the last of `units` that rents a car space."""
    return [unit for unit in units if unit.customer_class == WITH_PARKING][-1]


def _shown(units: Sequence[Unit], misread: str) -> list[Unit]:
    """Return flats whose bills differ: at the ground floor, with a car space, vacant, misread."""
    lived_in = [unit for unit in units if unit.vacant_from is None]
    vacant = [unit for unit in units if unit.vacant_from is not None]
    wrong = [unit for unit in units if unit.code == misread]
    return list(
        {
            each.code: each for each in (lived_in[0], with_car_space(units), vacant[0], *wrong)
        }.values()
    )
