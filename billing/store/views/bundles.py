"""What a bundle of a bill holds, read from the database: see `billing.bundle`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, and_, func, select

from billing import tables
from billing.canonical import read_json
from billing.masking import Known, masked
from billing.store import definitions, runs, usages
from meters.interval import Period
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from billing.masking import Masked

Document = dict[str, Any]

_SHARE = ("payer", "quantity", "amount", "carried")


def bundle_document(connection: Connection, number: str) -> Document | None:
    """Return what the bundle of bill `number` holds, without its digest; None for no such bill."""
    bill = connection.execute(_bills().where(tables.bill.c.number == number)).one_or_none()
    if bill is None:
        return None
    rows = connection.execute(
        _lines().where(tables.bill_line.c.bill_id == bill.id).order_by(tables.bill_line.c.position)
    ).all()
    taken = [row for row in rows if row.reversal]
    earlier = [_line_of(connection, row.of_bill_id, row.of_position) for row in taken]
    gathered = _Gathered(connection, bill)
    lines = [gathered.line(row) for row in rows]
    reversed_lines = [{"bill": row.number, "line": gathered.line(row)} for row in earlier]
    return {
        "bill": _head(bill),
        "lines": lines,
        "reversed": reversed_lines,
        "usages": gathered.usages,
        "statements": gathered.statements,
        "tariffs": gathered.tariffs(),
    }


def _bills() -> Select[Any]:
    bill, unit, account, community = tables.bill, tables.unit, tables.account, tables.community
    return (
        select(
            bill,
            unit.c.code.label("unit"),
            account.c.code.label("account"),
            community.c.id.label("community_id"),
            community.c.code.label("community"),
            community.c.zone,
        )
        .join(unit, unit.c.id == bill.c.unit_id)
        .join(account, account.c.id == bill.c.account_id)
        .join(community, community.c.id == unit.c.community_id)
    )


def _head(bill: Row[Any]) -> Document:
    names = ("number", "community", "zone", "currency", "period", "unit", "account", "total")
    head = {name: getattr(bill, name) for name in names}
    for name in ("issued_on", "due_on"):
        if (day := getattr(bill, name)) is not None:
            head[name] = day.isoformat()
    return head


def _lines() -> Select[Any]:
    line, bill, correction = tables.bill_line, tables.bill, tables.correction
    of = tables.bill.alias("of_bill")
    version = tables.tariff_version
    return (
        select(
            line,
            bill.c.number,
            func.coalesce(correction.c.period, bill.c.period).label("period"),
            correction.c.reversal,
            correction.c.of_bill_id,
            correction.c.of_position,
            of.c.number.label("of_number"),
            version.c.code.label("tariff"),
            version.c.version,
        )
        .join(bill, bill.c.id == line.c.bill_id)
        .outerjoin(version, version.c.id == line.c.tariff_version_id)
        .outerjoin(
            correction,
            and_(correction.c.bill_id == line.c.bill_id, correction.c.position == line.c.position),
        )
        .outerjoin(of, of.c.id == correction.c.of_bill_id)
    )


def _line_of(connection: Connection, bill_id: int, position: int) -> Row[Any]:
    line = tables.bill_line
    return connection.execute(
        _lines().where(line.c.bill_id == bill_id, line.c.position == position)
    ).one()


class _Gathered:
    """What the lines of one bill rest on, each once, in the order in which they name it."""

    def __init__(self, connection: Connection, bill: Row[Any]) -> None:
        self._connection = connection
        self._bill = bill
        self._known = Known(unit=bill.unit, account=bill.account)
        self._openings = _Openings(connection, bill.community_id, bill.zone)
        self._versions: dict[tuple[str, int], None] = {}
        self._usages: dict[int, int] = {}
        self._statements: dict[int, tuple[int, Mapping[int, int]]] = {}
        self.usages: list[Document] = []
        self.statements: list[Document] = []

    def line(self, row: Row[Any]) -> Document:
        """Return a line; what it rests on is gathered."""
        names = ("position", "period", "charge", "revenue", "quantity", "unit", "amount")
        document = {name: getattr(row, name) for name in names}
        document["evidence"] = read_json(row.evidence)
        if row.tariff is not None:
            document["tariff"] = [row.tariff, row.version]
            self._versions[row.tariff, row.version] = None
        if row.usage_id is not None:
            document["usages"] = self._usages_of(row)
        if row.statement_id is not None:
            place, positions = self._statement(row.statement_id)
            document |= {"statement": place, "share": positions[row.share]}
        if row.reversal is not None:
            document["corrects"] = {"reversal": bool(row.reversal)}
            if row.of_number is not None:
                document["corrects"] |= {"bill": row.of_number, "line": row.of_position}
        return document

    def tariffs(self) -> list[Document]:
        """Return every tariff version that lines and statements were rated by."""
        version = tables.tariff_version
        found = []
        for code, number in sorted(self._versions):
            row = self._connection.execute(
                select(version).where(version.c.code == code, version.c.version == number)
            ).one()
            found.append({"digest": row.digest, "document": read_json(row.document)})
        return found

    def _usages_of(self, row: Row[Any]) -> list[int]:
        """Return the places of what a line counts, in the order of its registers."""
        tariff = definitions.tariff(self._connection, row.tariff_version_id)
        found = usages.beside(self._connection, row.usage_id, tariff.registers_of(row.charge))
        return [self._usage(usage_id) for usage_id, _ in found.values()]

    def _usage(self, usage_id: int) -> int:
        if usage_id not in self._usages:
            usage, point = tables.usage, tables.point
            row = self._connection.execute(
                select(usage, point.c.code)
                .join(point, point.c.id == usage.c.point_id)
                .where(usage.c.id == usage_id)
            ).one()
            opening = self._openings.of(row.community_run_id, row.point_id, row.register, row.start)
            document = {
                "point": row.code,
                "register": row.register,
                "start": _instant(row.start),
                "end": _instant(row.end),
                "quantity": row.quantity,
                "unit": row.unit,
                "evidence": read_json(row.evidence),
            }
            if opening is not None:
                document["opens_with"] = opening
            self._usages[usage_id] = len(self.usages)
            self.usages.append(document)
        return self._usages[usage_id]

    def _statement(self, statement_id: int) -> tuple[int, Mapping[int, int]]:
        """Return the place of a statement, and where each of its shares went."""
        if statement_id not in self._statements:
            statement, part, version = tables.statement, tables.community_run, tables.pool_version
            row = self._connection.execute(
                select(statement, part.c.period, version.c.document.label("pool"))
                .join(part, part.c.id == statement.c.community_run_id)
                .join(version, version.c.id == statement.c.pool_version_id)
                .where(statement.c.id == statement_id)
            ).one()
            evidence, pool = read_json(row.evidence), read_json(row.pool)
            known = Known(
                unit=self._known.unit,
                account=self._known.account,
                private=self._private(evidence.get("subs", ())),
            )
            hidden = masked(pool, evidence, period=row.period, known=known)
            shares, positions = self._shares(statement_id, hidden)
            self._statements[statement_id] = len(self.statements), positions
            self.statements.append(
                {
                    "period": row.period,
                    "pool": hidden.pool,
                    "quantity": row.quantity,
                    "unit": row.unit,
                    "amount": row.amount,
                    "shares": shares,
                    "openings": self._of_sources(row.community_run_id, evidence),
                    "evidence": hidden.evidence,
                }
            )
            self._versions |= {
                (each["tariff"], each["version"]): None for each in evidence.get("rated", ())
            }
        return self._statements[statement_id]

    def _shares(self, statement_id: int, hidden: Masked) -> tuple[list[Document], dict[int, int]]:
        """Return the shares in the order of their numbers, and where each position went."""
        share, unit = tables.share, tables.unit
        rows = self._connection.execute(
            select(share, unit.c.code)
            .outerjoin(unit, unit.c.id == share.c.unit_id)
            .where(share.c.statement_id == statement_id)
            .order_by(share.c.position)
        ).all()
        names = [hidden.names.get(row.code) for row in rows]
        order = sorted(range(len(rows)), key=lambda at: (names[at] is None, names[at] or "", at))
        shares = []
        for at in order:
            row = rows[at]
            document = {name: getattr(row, name) for name in _SHARE}
            if row.code is not None:
                document["unit"] = hidden.names[row.code]
            shares.append(document)
        return shares, {rows[at].position: place for place, at in enumerate(order)}

    def _private(self, points: Iterable[str]) -> frozenset[str]:
        """Return which of `points` belong to other units."""
        point = tables.point
        return frozenset(
            self._connection.scalars(
                select(point.c.code).where(
                    point.c.community_id == self._bill.community_id,
                    point.c.code.in_(list(points)),
                    point.c.unit_id.is_not(None),
                    point.c.unit_id != self._bill.unit_id,
                )
            )
        )

    def _of_sources(self, part_id: int, evidence: Mapping[str, Any]) -> list[Document | None]:
        """Return what each source of a statement opened with, as it was closed before."""
        usage, point = tables.usage, tables.point
        rows = self._connection.execute(
            select(usage.c.point_id, usage.c.register, usage.c.start, point.c.code)
            .join(point, point.c.id == usage.c.point_id)
            .where(usage.c.community_run_id == part_id, point.c.unit_id.is_(None))
        )
        known = {(row.code, row.register, _instant(row.start)): row for row in rows}
        found = []
        for each in evidence.get("sources", ()):
            row = known[each["point"], each["register"], each["segments"][0]["opening"]["at"]]
            found.append(self._openings.of(part_id, row.point_id, row.register, row.start))
        return found


class _Openings:
    """What closed the usage before another, as its run saw it."""

    def __init__(self, connection: Connection, community_id: int, zone: str) -> None:
        self._connection = connection
        self._community_id = community_id
        self._zone = ZoneInfo(zone)
        self._before: dict[int, tuple[datetime, Mapping[tuple[int, str], str]]] = {}

    def of(self, part_id: int, point_id: int, register: str, start: datetime) -> Document | None:
        """Return the register that `point_id` closed with before `start`; None for the first."""
        usage = tables.usage
        evidence = self._connection.scalar(
            select(usage.c.evidence).where(
                usage.c.community_run_id == part_id,
                usage.c.point_id == point_id,
                usage.c.register == register,
                usage.c.end == start,
            )
        )
        if evidence is None:
            begun, closed = self._closed_before(part_id)
            evidence = closed.get((point_id, register)) if start == begun else None
        if evidence is None:
            return None
        closing = usages.closing(evidence)
        return {"meter": closing.meter, "value": plain(closing.value)}

    def _closed_before(self, part_id: int) -> tuple[datetime, Mapping[tuple[int, str], str]]:
        """Return when the month of a run's part begins, and what closed the one before."""
        if part_id not in self._before:
            part = tables.community_run
            row = self._connection.execute(select(part).where(part.c.id == part_id)).one()
            counting = runs.counting(self._connection, self._community_id, seen_by=row.bill_run_id)
            period = Period.month(row.period, self._zone)
            closed = usages.closings_before(self._connection, counting, period)
            self._before[part_id] = period.interval.start, closed
        return self._before[part_id]


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
