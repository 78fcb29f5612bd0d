"""What a person or a group is told of an event: the values of its template, in their language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_currency
from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.delivery.event import Kind
from billing.delivery.shipped import shipped
from billing.delivery.wording import Message, render
from billing.delivery_tables import event
from billing.store import delivery_contacts, delivery_texts
from billing.store.delivery_outbox import CONTACT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from billing.store.delivery_queue import Leased

GROUP = "group:"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to an address, and the zone of the community that it is about."""

    address: str
    language: str
    message: Message
    zone: ZoneInfo


def letter_of(connection: Connection, leased: Leased, links: str) -> Letter | None:
    """Return what a delivery to a contact says; None where the contact is not there any more.

    Raises `TemplateRefusedError`. `links`: where the pages are, such as https://bills.example.com.
    """
    contact_id = int(leased.target.removeprefix(CONTACT))
    found = delivery_contacts.read(connection, contact_id)
    if found is None:
        return None
    asked = leased.kind is Kind.ADDRESS_STATED
    if asked and found.address != leased.data["address"]:
        return None
    if not asked and found.confirmed_at is None:
        return None
    message, zone = written(connection, leased, found.language, links)
    return Letter(found.address, found.language, message, zone)


def written(
    connection: Connection, leased: Leased, language: str, links: str
) -> tuple[Message, ZoneInfo]:
    """Return what is said of an event in `language`, and the zone of its community."""
    community = tables.community
    row = connection.execute(
        select(community.c.title, community.c.zone, community.c.project_id).where(
            community.c.id == leased.community_id
        )
    ).one()
    zone = ZoneInfo(row.zone)
    reader = _Reader(language, links.rstrip("/"), zone, read_json(row.title))
    own = delivery_texts.find(connection, row.project_id, leased.kind, language)
    texts = own or shipped(leased.kind, language)
    return render(leased.kind, texts, reader.values(leased.kind, leased.data)), zone


def values_of_newest(
    connection: Connection,
    project: int,
    kind: Kind,
    *,
    language: str,
    links: str,
    subject: str = "",
) -> Mapping[str, str] | None:
    """Return the values of a project's newest event of `kind`, of that about `subject` if named.

    None where there is no such event. `links`: as `letter_of` takes them.
    """
    community = tables.community
    query = (
        select(event.c.data, community.c.title, community.c.zone)
        .join(community, community.c.id == event.c.community_id)
        .where(event.c.kind == kind.value, community.c.project_id == project)
        .order_by(event.c.id.desc())
        .limit(1)
    )
    row = connection.execute(
        query.where(event.c.subject == subject) if subject else query
    ).one_or_none()
    if row is None:
        return None
    reader = _Reader(language, links.rstrip("/"), ZoneInfo(row.zone), read_json(row.title))
    return reader.values(kind, read_json(row.data))


class _Reader:
    """Writes values as somebody in a community reads them."""

    def __init__(self, language: str, links: str, zone: ZoneInfo, title: Mapping[str, str]) -> None:
        self.locale = Locale.parse(language, sep="-")
        self.links, self.zone = links, zone
        code = self.locale.language
        known = [title[key] for key in (language, code, "en") if key in title]
        self.title = known[0] if known else next(iter(title.values()))

    def values(self, kind: Kind, data: Mapping[str, Any]) -> dict[str, str]:
        """Return the values that templates of `kind` may name, as `wording.SAMPLES` lists."""
        match kind:
            case Kind.BILL_ISSUED | Kind.CORRECTION_ISSUED:
                return {
                    **self._of_account(data),
                    "bill": data["bill"],
                    "month": self._month(data["period"]),
                    "amount": self._money(data["total"], data["currency"]),
                    "due": self._day(date.fromisoformat(data["due_on"])),
                    "link": self._link("bills", data["bill"]),
                }
            case Kind.PAYMENT_POSTED:
                paid_at = datetime.fromisoformat(data["paid_at"]).astimezone(self.zone)
                return {
                    **self._of_account(data),
                    "amount": self._money(data["amount"], data["currency"]),
                    "credit": self._money(data["credit"], data["currency"]),
                    "paid": self._day(paid_at.date()),
                    "link": self._link("receipts", data["payment"]),
                }
            case Kind.RUN_BLOCKED:
                return {
                    "communities": ", ".join(data["communities"]),
                    "month": self._month(data["period"]),
                    "problems": str(data["problems"]),
                    "link": self._link("staff", "runs", data["run"]),
                }
            case Kind.METER_OFFLINE:
                since = datetime.fromisoformat(data["last_answer"]).astimezone(self.zone)
                return {
                    "community": self.title,
                    "meter": data["meter"],
                    "point": data["point"],
                    "since": format_datetime(since, "medium", locale=self.locale),
                    "link": self._link("engineering", "meters", data["meter"]),
                }
            case Kind.ADDRESS_STATED:
                return {
                    "address": data["address"],
                    "link": self._link("notifications", "confirm", data["code"]),
                }

    def _of_account(self, data: Mapping[str, Any]) -> dict[str, str]:
        return {
            "community": self.title,
            "unit": data["unit"],
            "account": data["account"],
            "settings": self._link("settings", "notifications"),
        }

    def _money(self, amount: str, currency: str) -> str:
        return format_currency(Decimal(amount), currency, locale=self.locale)

    def _day(self, day: date) -> str:
        return format_date(day, "long", locale=self.locale)

    def _month(self, period: str) -> str:
        first = date.fromisoformat(f"{period}-01")
        return format_skeleton("yMMMM", first, locale=self.locale)

    def _link(self, *parts: object) -> str:
        return "/".join((self.links, *(quote(str(each), safe="") for each in parts)))
