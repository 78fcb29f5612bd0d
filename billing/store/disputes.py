"""Disputes in the database: opened by who pays, answered by staff, each step in the audit log."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, bindparam, func, select

from billing import tables
from billing.canonical import read_json
from billing.dispute_tables import dispute, dispute_word
from billing.disputes import (
    PENDING,
    Dispute,
    DisputeError,
    DisputeState,
    Word,
    assert_step,
    said,
)
from billing.payments.claim import BILL
from billing.store import audit, payments_claims
from billing.store.ids import insert
from billing.store.views import versions
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row, ScalarSelect, Select

    from billing.store.views.scope import Scope

ACTIONS = {
    DisputeState.OPEN: "dispute.open",  # and again by a reply
    DisputeState.ANSWERED: "dispute.answer",
    DisputeState.ACCEPTED: "dispute.accept",
    DisputeState.REJECTED: "dispute.reject",
    DisputeState.WITHDRAWN: "dispute.withdraw",
}


class UnknownDisputeError(LookupError):
    """There is no such dispute, or no such line to dispute."""


def open_dispute(
    connection: Connection,
    scope: Scope,
    number: str,
    position: int,
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> int:
    """Dispute a line of an issued bill in `scope`, and return the dispute's id.

    Raises `UnknownDisputeError` where there is no such line, and `DisputeError` while one is
    pending already, or for a reason that says nothing.
    """
    line = connection.execute(_lines(scope, number, position), scope.values).one_or_none()
    if line is None:
        raise UnknownDisputeError(
            told(
                "bill '{number}' has no line {position} that is issued",
                number=number,
                position=position,
            )
        )
    text = said(reason)
    payments_claims.lock(connection, [line.account_id])
    table = dispute
    pending = connection.scalar(
        select(table.c.id).where(
            table.c.bill_id == line.bill_id,
            table.c.position == position,
            table.c.state.in_(PENDING),
        )
    )
    if pending is not None:
        raise DisputeError(
            told(
                "line {position} of bill {number} is disputed already ({dispute})",
                position=position,
                number=number,
                dispute=pending,
            )
        )
    dispute_id = insert(
        connection,
        table,
        account_id=line.account_id,
        bill_id=line.bill_id,
        position=position,
        state=str(DisputeState.OPEN),
    )
    word = Word(state=DisputeState.OPEN, text=text, by=actor, at=now)
    _say(connection, dispute_id, 1, word, f"line:{number}/{position}")
    return dispute_id


def take_step(
    connection: Connection,
    scope: Scope,
    dispute_id: int,
    to: DisputeState,
    *,
    text: str,
    actor: str,
    now: datetime,
    run_id: int | None = None,
) -> None:
    """Bring a dispute in `scope` into the state `to` with what is said about it.

    `run_id` names the correction run that mends an accepted line. Raises `UnknownDisputeError`, and
    `DisputeError` for a step that it does not take.
    """
    found = read(connection, scope, dispute_id, lock=True)
    assert_step(found.state, to)
    kept = "" if to is DisputeState.WITHDRAWN and not text.strip() else said(text)
    if run_id is not None:
        _assert_corrects(connection, found, to, run_id)
    connection.execute(
        dispute.update().where(dispute.c.id == dispute_id).values(state=str(to), bill_run_id=run_id)
    )
    word = Word(state=to, text=kept, by=actor, at=now)
    subject = f"line:{found.bill}/{found.position}"
    _say(connection, dispute_id, len(found.words) + 1, word, subject, run_id=run_id)


def read(connection: Connection, scope: Scope, dispute_id: int, *, lock: bool = False) -> Dispute:
    """Return a dispute; `lock` keeps others from changing it. Raises `UnknownDisputeError`."""
    if lock:
        mine = select(dispute.c.id).where(dispute.c.id == dispute_id)
        connection.execute(mine.with_for_update()).all()
    query = _disputes(scope.shape).where(dispute.c.id == dispute_id)
    rows = connection.execute(query, scope.values).all()
    if not rows:
        raise UnknownDisputeError(told("there is no dispute {dispute}", dispute=dispute_id))
    return _whole(connection, rows)[0]


def listed(
    connection: Connection,
    scope: Scope,
    *,
    limit: int,
    pending: bool | None = None,
    before_id: int | None = None,
) -> list[Dispute]:
    """Return disputes in `scope`, the newest first; `pending`: only those, or only the others."""
    query = _disputes(scope.shape).order_by(dispute.c.id.desc()).limit(limit)
    if pending is not None:
        has_not_ended = dispute.c.state.in_(PENDING)
        query = query.where(has_not_ended if pending else ~has_not_ended)
    if before_id is not None:
        query = query.where(dispute.c.id < before_id)
    return _whole(connection, connection.execute(query, scope.values).all())


def of_bill(connection: Connection, scope: Scope, number: str) -> Mapping[int, Dispute]:
    """Return the last dispute of each line of a bill that has one, by position."""
    rows = connection.execute(_of_bill(scope.shape), {"number": number, **scope.values}).all()
    return {each.position: each for each in _whole(connection, rows)}


def frozen(connection: Connection, account_id: int) -> Mapping[str, int]:
    """Return what an account disputes of its claims, in fen: nobody reminds it of that.

    By the claim's reference; lines that give money back dispute nothing. It can be more than what
    is still due of the claim.
    """
    rows = connection.execute(_frozen(), {"account_id": account_id})
    return {f"{BILL}{number}": int(amount) for number, amount in rows}


def frozen_of_bill() -> ScalarSelect[Any]:
    """Return what is disputed of each `bill` of a statement, as `frozen` does; None for nothing."""
    bill = tables.bill
    amount = select(func.sum(tables.bill_line.c.amount)).where(dispute.c.bill_id == bill.c.id)
    return _pending(amount).correlate(bill).scalar_subquery()


@cache
def _frozen() -> Select[Any]:
    bill = tables.bill
    amounts = (
        select(bill.c.number, func.sum(tables.bill_line.c.amount))
        .join(bill, bill.c.id == dispute.c.bill_id)
        .where(dispute.c.account_id == bindparam("account_id"))
        .group_by(bill.c.number)
    )
    return _pending(amounts)


def _pending(amounts: Select[Any]) -> Select[Any]:
    """Return `amounts` of the lines alone that somebody asks about."""
    line = tables.bill_line
    is_of = and_(line.c.bill_id == dispute.c.bill_id, line.c.position == dispute.c.position)
    return (
        amounts.select_from(dispute)
        .join(line, is_of)
        .where(dispute.c.state.in_(PENDING), line.c.amount > 0)
    )


def corrections(connection: Connection, account_id: int) -> Mapping[int, str]:
    """Return the correction runs of an account's community, the newest first: id → state."""
    run, part, account = tables.bill_run, tables.community_run, tables.account
    rows = connection.execute(
        select(run.c.id, run.c.state)
        .join(part, part.c.bill_run_id == run.c.id)
        .join(account, account.c.community_id == part.c.community_id)
        .where(
            account.c.id == account_id,
            run.c.kind == "correction",
            run.c.state != "withdrawn",
        )
        .distinct()
        .order_by(run.c.id.desc())
    )
    return {row.id: row.state for row in rows}


def _lines(scope: Scope, number: str, position: int) -> Select[Any]:
    """Return the query of an issued line of an account that `scope` holds."""
    bill, line = tables.bill, tables.bill_line
    part, run = tables.community_run, tables.bill_run
    return (
        select(bill.c.id.label("bill_id"), bill.c.account_id)
        .join(line, line.c.bill_id == bill.c.id)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(
            bill.c.number == number,
            line.c.position == position,
            run.c.state == "issued",
            *scope.conditions(),
        )
    )


@cache
def _of_bill(shape: Scope) -> Select[Any]:
    numbered = tables.bill.c.number == bindparam("number")
    return _disputes(shape).where(numbered).order_by(dispute.c.id)


@cache
def _disputes(shape: Scope) -> Select[Any]:
    bill, line, unit = tables.bill, tables.bill_line, tables.unit
    part, run, community = tables.community_run, tables.bill_run, tables.community
    tariff, statement, pool = tables.tariff_version, tables.statement, tables.pool_version
    return (
        select(
            dispute,
            bill.c.number,
            bill.c.period,
            bill.c.currency,
            line.c.amount,
            line.c.charge,
            tariff.c.document.label("tariff"),
            pool.c.document.label("pool"),
            unit.c.code.label("unit"),
            community.c.title.label("community"),
            community.c.zone,
        )
        .join(bill, bill.c.id == dispute.c.bill_id)
        .join(line, and_(line.c.bill_id == bill.c.id, line.c.position == dispute.c.position))
        .outerjoin(tariff, tariff.c.id == line.c.tariff_version_id)
        .outerjoin(statement, statement.c.id == line.c.statement_id)
        .outerjoin(pool, pool.c.id == statement.c.pool_version_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .join(community, community.c.id == unit.c.community_id)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(*shape.conditions())
    )


def _whole(connection: Connection, rows: Sequence[Row[Any]]) -> list[Dispute]:
    if not rows:
        return []
    ids = [row.id for row in rows]
    words: dict[int, list[Word]] = defaultdict(list)
    for row in connection.execute(
        select(dispute_word)
        .where(dispute_word.c.dispute_id.in_(ids))
        .order_by(dispute_word.c.dispute_id, dispute_word.c.position)
    ):
        words[row.dispute_id].append(
            Word(state=DisputeState(row.state), text=row.text, by=row.said_by, at=row.said_at)
        )
    mended = _mended(connection, ids)
    return [
        Dispute(
            id=row.id,
            account_id=row.account_id,
            bill=row.number,
            position=row.position,
            title=_title(row),
            period=row.period,
            unit=row.unit,
            community=read_json(row.community),
            zone=row.zone,
            amount=row.amount,
            currency=row.currency,
            state=DisputeState(row.state),
            words=tuple(words[row.id]),
            run_id=row.bill_run_id,
            mended_by=mended.get(row.id),
        )
        for row in rows
    ]


def _title(row: Row[Any]) -> Mapping[str, str] | None:
    """Return the title of the pool, charge or tax that a line is of."""
    if row.pool is not None:
        return versions.pool(row.pool).title
    tariff = None if row.tariff is None else versions.tariff(row.tariff)
    known = () if tariff is None else (*tariff.charges, *(tariff.taxes or ()))
    return next((each.title for each in known if each.name == row.charge), None)


def _mended(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Return by dispute the bill and position of the issued line that took its line back."""
    correction, bill = tables.correction, tables.bill
    part, run = tables.community_run, tables.bill_run
    rows = connection.execute(
        select(dispute.c.id, bill.c.number, correction.c.position)
        .join(
            correction,
            and_(
                correction.c.of_bill_id == dispute.c.bill_id,
                correction.c.of_position == dispute.c.position,
                correction.c.reversal,
            ),
        )
        .join(bill, bill.c.id == correction.c.bill_id)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(dispute.c.id.in_(ids), run.c.state == "issued")
    )
    return {dispute_id: (number, position) for dispute_id, number, position in rows}


def _assert_corrects(connection: Connection, found: Dispute, to: DisputeState, run_id: int) -> None:
    """Raise `DisputeError` unless `run_id` is a correction of the dispute's community."""
    if to is not DisputeState.ACCEPTED:
        raise DisputeError(told("only a dispute that is accepted names the run that corrects it"))
    if run_id not in corrections(connection, found.account_id):
        raise DisputeError(
            told(
                "run {run} corrects nothing of this community; name a correction run, or none",
                run=run_id,
            )
        )


def _say(
    connection: Connection,
    dispute_id: int,
    position: int,
    word: Word,
    subject: str,
    *,
    run_id: int | None = None,
) -> None:
    connection.execute(
        dispute_word.insert().values(
            dispute_id=dispute_id,
            position=position,
            state=str(word.state),
            text=word.text,
            said_by=word.by,
            said_at=word.at,
        )
    )
    detail = {"dispute": dispute_id, "text": word.text}
    audit.append(
        connection,
        at=word.at,
        actor=word.by,
        action=ACTIONS[word.state],
        subject=subject,
        detail=detail if run_id is None else {**detail, "run": run_id},
    )
