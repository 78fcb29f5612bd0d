"""Reviews in the database: what validation found in a run, and what clerks decided about it.

A decision is an overlay beside the archive: it names its author and its reason, stands in the audit
log, and is never changed. The next computation of the period reads it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select

from billing import tables
from billing.canonical import canonical, from_canonical, read_json
from billing.store import audit
from billing.store.bulk import insert_rows
from billing.store.ids import insert
from billing.vee.reviews import Decision, Item, Review
from billing.vee.settings import Validation
from meters.estimate import Method
from meters.quantity import plain
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row


class UnknownRegisterError(LookupError):
    """A decision is about a point, or a register of it, that nobody knows."""


def settings_of(connection: Connection, community_id: int) -> Validation:
    """Return what a community holds its usage against; all defaults where it says nothing."""
    table = tables.validation
    text = connection.scalar(select(table.c.settings).where(table.c.community_id == community_id))
    return Validation() if text is None else from_canonical(Validation, text)


def set_settings(connection: Connection, community_id: int, settings: Validation) -> None:
    """Hold the usage of a community against `settings` from its next computation on."""
    table = tables.validation
    connection.execute(delete(table).where(table.c.community_id == community_id))
    connection.execute(
        table.insert().values(community_id=community_id, settings=canonical(settings))
    )


def decided(connection: Connection, community_id: int, period: str) -> tuple[Review, ...]:
    """Return what was decided about a community's usage in `period`, the oldest first."""
    review, point = tables.review, tables.point
    rows = connection.execute(
        select(review, point.c.code.label("point"))
        .join(point, point.c.id == review.c.point_id)
        .where(point.c.community_id == community_id, review.c.period == period)
        .order_by(review.c.id)
    )
    return tuple(map(_review, rows))


def decide(connection: Connection, community: str, review: Review) -> int:
    """Store a decision about a point of `community`, and return the id that it is given.

    Raises `UnknownRegisterError` for a point that the community does not have, and for a register
    that no meter of the point has.
    """
    point_id, community_id = _point(connection, community, review.point)
    known = _registers(connection, point_id)
    if review.register not in known:
        raise UnknownRegisterError(
            told(
                "point '{point}' has no register '{register}'; it has {known}",
                point=review.point,
                register=review.register,
                known=", ".join(sorted(known)) or "–",
            )
        )
    what = {
        "finding": review.finding,
        "method": None if review.method is None else str(review.method),
        "at": review.at,
        "value": None if review.value is None else plain(review.value),
        "use": None if review.use is None else plain(review.use),
    }
    said = {"register": review.register, "period": review.period, "reason": review.reason}
    review_id = insert(
        connection,
        tables.review,
        point_id=point_id,
        decision=str(review.decision),
        author=review.author,
        made_at=review.made_at,
        **said,
        **what,
    )
    decided = {name: str(value) for name, value in what.items() if value is not None}
    audit.append(
        connection,
        at=review.made_at,
        actor=review.author,
        action=f"review.{review.decision}",
        subject=f"point:{community}/{review.point}",
        communities=[community_id],
        detail={"review": review_id, **said, **decided},
    )
    return review_id


def _point(connection: Connection, community: str, point: str) -> tuple[int, int]:
    """Return the ids of a point and of its community; raise `UnknownRegisterError`."""
    table, owner = tables.point, tables.community
    found = connection.execute(
        select(table.c.id, table.c.community_id)
        .join(owner, owner.c.id == table.c.community_id)
        .where(owner.c.code == community, table.c.code == point)
    ).one_or_none()
    if found is None:
        raise UnknownRegisterError(
            told("community '{community}' has no point '{point}'", community=community, point=point)
        )
    return found.id, found.community_id


def _registers(connection: Connection, point_id: int) -> set[str]:
    """Return the registers of a point: those it began with, was billed by, or has findings of."""
    installation, usage, item = tables.installation, tables.usage, tables.review_item
    found: set[str] = set()
    for text in connection.scalars(
        select(installation.c.first).where(installation.c.point_id == point_id)
    ):
        found |= read_json(text).keys()
    for table in (usage, item):
        query = select(table.c.register).where(table.c.point_id == point_id).distinct()
        found.update(connection.scalars(query))
    return found


def items(connection: Connection, community_run_id: int) -> tuple[Item, ...]:
    """Return what the computation of a month found, in order."""
    item, point = tables.review_item, tables.point
    rows = connection.execute(
        select(item, point.c.code.label("point"))
        .join(point, point.c.id == item.c.point_id)
        .where(item.c.community_run_id == community_run_id)
        .order_by(item.c.position)
    )
    return tuple(map(_item, rows))


def replace_items(
    connection: Connection,
    community_run_id: int,
    items: Sequence[Item],
    points: Mapping[str, int],
) -> None:
    """Store what a computation found in place of what an earlier one did; `points`: code → id."""
    table = tables.review_item
    connection.execute(delete(table).where(table.c.community_run_id == community_run_id))
    insert_rows(
        connection,
        table,
        ("community_run_id", "position", "point_id", "register", "finding", "blocks", "text"),
        [
            (
                community_run_id,
                position,
                points[each.point],
                each.register,
                each.finding,
                each.blocks,
                each.text,
            )
            for position, each in enumerate(items, start=1)
        ],
    )


def queue(
    connection: Connection, *, community: str | None = None, period: str | None = None
) -> list[tuple[str, str, Item]]:
    """Return community, period and item of what waits for a clerk in runs that are not issued.

    What blocks comes first. An item leaves the queue when the period is computed again without it.
    """
    item, point, owner = tables.review_item, tables.point, tables.community
    part, run = tables.community_run, tables.bill_run
    query = (
        select(item, point.c.code.label("point"), owner.c.code.label("community"), part.c.period)
        .join(point, point.c.id == item.c.point_id)
        .join(part, part.c.id == item.c.community_run_id)
        .join(owner, owner.c.id == part.c.community_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(run.c.state != "issued")
    )
    if community is not None:
        query = query.where(owner.c.code == community)
    if period is not None:
        query = query.where(part.c.period == period)
    found = [
        (
            str(row.community),
            str(row.period),
            _item(row),
        )
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda each: (not each[2].blocks, *each))


def _item(row: Row[Any]) -> Item:
    return Item(row.point, row.register, row.finding, row.blocks, row.text)


def _review(row: Row[Any]) -> Review:
    return Review(
        id=row.id,
        point=row.point,
        register=row.register,
        period=row.period,
        decision=Decision(row.decision),
        author=row.author,
        made_at=row.made_at,
        reason=row.reason,
        finding=row.finding,
        method=None if row.method is None else Method(row.method),
        at=row.at,
        value=None if row.value is None else Decimal(row.value),
        use=None if row.use is None else Decimal(row.use),
    )
