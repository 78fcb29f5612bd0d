"""Where people want to be told what of: stated by them, confirmed from there, told only then."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.delivery.address import checked
from billing.delivery.event import OF_OWNERS, Event, Kind
from billing.delivery_tables import contact, contact_account
from billing.store import audit, delivery_outbox
from billing.store.ids import insert
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Row

CONFIRM_WITHIN = timedelta(days=1)


class UnknownCodeError(LookupError):
    """No address waits for this code, or its day is over."""


class NoAccountError(ValueError):
    """Only who has an account is told what happens to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Where a person is told of `kinds`; nothing is told before it is confirmed."""

    id: int
    person: str
    channel: str
    address: str
    language: str
    kinds: tuple[Kind, ...]
    stated_at: datetime
    confirmed_at: datetime | None


def of_person(connection: Connection, person: str) -> list[Contact]:
    """Return the addresses of a person, by channel."""
    query = select(contact).where(contact.c.person == person).order_by(contact.c.channel)
    return [_contact(row) for row in connection.execute(query)]


def read(connection: Connection, contact_id: int) -> Contact | None:
    """Return an address, None where it is not there any more."""
    row = connection.execute(select(contact).where(contact.c.id == contact_id)).one_or_none()
    return None if row is None else _contact(row)


def state(
    connection: Connection,
    *,
    person: str,
    accounts: Collection[int],
    channel: str,
    address: str,
    language: str,
    kinds: Collection[Kind],
    now: datetime,
) -> Contact:
    """Say where a person is told of what over a channel, in place of what was said before.

    A new address is sent a link first. Raises `AddressError` and `NoAccountError`.
    """
    address = checked(channel, address)
    if not accounts:
        raise NoAccountError(told("only who has an account is told what happens to it"))
    mine = (contact.c.person == person) & (contact.c.channel == channel)
    before = connection.execute(select(contact).where(mine).with_for_update()).one_or_none()
    same = before is not None and before.address == address
    values: dict[str, Any] = {
        "address": address,
        "language": language,
        "kinds": canonical_json([kind.value for kind in OF_OWNERS if kind in kinds]),
    }
    if not same:
        values |= {"stated_at": now, "confirmed_at": None}
    if before is None:
        contact_id = insert(connection, contact, person=person, channel=channel, **values)
    else:
        contact_id = before.id
        connection.execute(contact.update().where(contact.c.id == contact_id).values(**values))
    _bind(connection, contact_id, accounts)
    if before is None or before.confirmed_at is None or not same:
        _ask(connection, contact_id, min(accounts), (channel, address), now)
    detail = {"channel": channel, "new address": not same, "events": sorted(kinds)}
    audit.append(
        connection, at=now, actor=person, action="contact.state", subject=person, detail=detail
    )
    found = read(connection, contact_id)
    if found is None:
        raise RuntimeError(f"contact {contact_id} is gone in its own transaction")
    return found


def project_of(connection: Connection, code: str) -> int | None:
    """Return in which project an address waits for this code; None where none does."""
    found: int | None = connection.scalar(
        select(contact.c.project_id).where(contact.c.code_digest == _digest(code))
    )
    return found


def confirm(connection: Connection, code: str, *, now: datetime) -> Contact:
    """Take it that whoever has the code reads what is sent there. Raises `UnknownCodeError`."""
    waits = (contact.c.code_digest == _digest(code)) & (contact.c.code_until > now)
    row = connection.execute(select(contact).where(waits).with_for_update()).one_or_none()
    if row is None:
        raise UnknownCodeError(
            told("this link has been used, or is older than a day; state it again")
        )
    connection.execute(
        contact.update()
        .where(contact.c.id == row.id)
        .values(confirmed_at=now, code_digest=None, code_until=None)
    )
    detail = {"channel": row.channel}
    audit.append(
        connection,
        at=now,
        actor=row.person,
        action="contact.confirm",
        subject=row.person,
        detail=detail,
        project=row.project_id,
    )
    return _contact(connection.execute(select(contact).where(contact.c.id == row.id)).one())


def drop(connection: Connection, *, person: str, channel: str, now: datetime) -> bool:
    """Tell a person nothing more over a channel; return whether there was something to drop."""
    mine = (contact.c.person == person) & (contact.c.channel == channel)
    contact_id = connection.scalar(select(contact.c.id).where(mine))
    if contact_id is None:
        return False
    connection.execute(delete(contact_account).where(contact_account.c.contact_id == contact_id))
    connection.execute(delete(contact).where(contact.c.id == contact_id))
    audit.append(
        connection,
        at=now,
        actor=person,
        action="contact.drop",
        subject=person,
        detail={"channel": channel},
    )
    return True


def _bind(connection: Connection, contact_id: int, accounts: Collection[int]) -> None:
    connection.execute(delete(contact_account).where(contact_account.c.contact_id == contact_id))
    connection.execute(
        contact_account.insert(),
        [{"contact_id": contact_id, "account_id": each} for each in sorted(accounts)],
    )


def _ask(
    connection: Connection,
    contact_id: int,
    account_id: int,
    where: tuple[str, str],
    now: datetime,
) -> None:
    """Send a link to the address; the newest one counts."""
    code = secrets.token_urlsafe(24)
    until = now + CONFIRM_WITHIN
    connection.execute(
        contact.update()
        .where(contact.c.id == contact_id)
        .values(code_digest=_digest(code), code_until=until)
    )
    account = tables.account
    community_id = connection.scalar(
        select(account.c.community_id).where(account.c.id == account_id)
    )
    delivery_outbox.tell(
        connection,
        Event(
            kind=Kind.ADDRESS_STATED,
            subject=str(contact_id),
            occasion=_digest(code),
            at=now,
            data={"contact": contact_id, "channel": where[0], "address": where[1], "code": code},
            community_id=int(community_id or 0),
            account_id=account_id,
        ),
    )


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _contact(row: Row[Any]) -> Contact:
    return Contact(
        id=row.id,
        person=row.person,
        channel=row.channel,
        address=row.address,
        language=row.language,
        kinds=tuple(Kind(each) for each in read_json(row.kinds)),
        stated_at=row.stated_at,
        confirmed_at=row.confirmed_at,
    )
