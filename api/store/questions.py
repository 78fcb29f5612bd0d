"""Questions of gateways that only a person can answer, and the answers with their reasons."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select

from api import tables
from api.gateway_report import Question
from api.store import gateway_requests
from billing.store import audit
from billing.store import ids as rows
from meters.interval import utc
from meters.quantity import plain
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence


class Cause(StrEnum):
    """What a person found that a counter fell for."""

    RESET = "reset"
    """The meter was reset and counts on from below."""
    EXCHANGE = "exchange"
    """Another meter stands there."""
    MAP = "map"
    """The registers are not where the meter type says; the type is to be corrected."""
    GLITCH = "glitch"
    """What it shows is wrong; the last good value stays what is counted on from."""

    @property
    def rebases(self) -> bool:
        """Whether the gateway counts on from what the meter shows now."""
        return self in (Cause.RESET, Cause.EXCHANGE)


class NoSuchQuestionError(LookupError):
    """Nobody asks this, or not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A question with the answer that its gateway has not acted on yet, if there is one."""

    gateway: str
    question: Question
    answer: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person said to a question."""

    id: int
    gateway: str
    question: Question
    cause: Cause
    reason: str
    answered_by: str
    answered_at: datetime
    done_at: datetime | None
    """When the gateway had acted on it; None where it has not, or has nothing to do."""


def replace(connection: Connection, gateway: str, questions: Sequence[Question]) -> None:
    """Keep `questions` as all that the gateway asks now."""
    table = tables.gateway_question
    connection.execute(delete(table).where(table.c.gateway == gateway))
    if questions:
        connection.execute(
            insert(table),
            [
                {
                    "gateway": gateway,
                    "meter": each.meter,
                    "register": each.register,
                    "document": _written(each),
                }
                for each in questions
            ],
        )


def open_questions(connection: Connection, *, meter: str | None = None) -> list[Open]:
    """Return what gateways ask now (of `meter`), each with its newest answer if it still holds."""
    table = tables.gateway_question
    query = select(table).order_by(table.c.meter, table.c.register)
    if meter is not None:
        query = query.where(table.c.meter == meter)
    found = connection.execute(query).all()
    given: dict[tuple[str, str, datetime], Answer] = {}
    for each in answers(connection, limit=None, meter=meter):
        key = (each.question.meter, each.question.register, each.question.since)
        given.setdefault(key, each)
    asked = [(row.gateway, _read(row.document)) for row in found]
    return [
        Open(
            gateway=gateway,
            question=each,
            answer=given.get((each.meter, each.register, each.since)),
        )
        for gateway, each in asked
    ]


def answers(connection: Connection, *, limit: int | None, meter: str | None = None) -> list[Answer]:
    """Return what people answered, the newest first."""
    table, request = tables.question_answer, tables.gateway_request
    query = (
        select(table, request.c.answered_at.label("done_at"))
        .outerjoin(request, request.c.id == table.c.request_id)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    if meter is not None:
        query = query.where(table.c.meter == meter)
    return [
        Answer(
            id=row.id,
            gateway=row.gateway,
            question=_read(row.question),
            cause=Cause(row.cause),
            reason=row.reason,
            answered_by=row.answered_by,
            answered_at=row.answered_at,
            done_at=row.done_at,
        )
        for row in connection.execute(query)
    ]


def answer(
    connection: Connection,
    *,
    meter: str,
    register: str,
    cause: Cause,
    reason: str,
    actor: str,
    now: datetime,
) -> int:
    """Keep what `actor` found, and ask the gateway to act on it; return the answer's number.

    Raises `NoSuchQuestionError` where the gateway asks no such thing.
    """
    table, subject = tables.gateway_question, f"{meter}/{register}"
    row = connection.execute(
        select(table).where(table.c.meter == meter, table.c.register == register)
    ).first()
    if row is None:
        raise NoSuchQuestionError(told("no gateway asks about '{what}'", what=subject))
    request = None
    if cause.rebases:
        asked = _read(row.document)
        time, value = asked.time.isoformat(), plain(asked.value)
        request = gateway_requests.ask_to_rebase(
            connection,
            gateway=row.gateway,
            meter=meter,
            detail={"register": register, "time": time, "value": value},
            actor=actor,
            now=now,
        )
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="question.answer",
        subject=subject,
        detail={"cause": cause.value, "reason": reason, "question": json.loads(row.document)},
    )
    return rows.insert(
        connection,
        tables.question_answer,
        gateway=row.gateway,
        meter=meter,
        register=register,
        question=row.document,
        cause=cause.value,
        reason=reason,
        answered_by=actor,
        answered_at=now,
        request_id=request,
    )


def _written(question: Question) -> str:
    return json.dumps(
        {
            "meter": question.meter,
            "register": question.register,
            "unit": question.unit,
            "likely": question.likely,
            "known": plain(question.known),
            "known_at": question.known_at.isoformat(),
            "first": plain(question.first),
            "since": question.since.isoformat(),
            "value": plain(question.value),
            "time": question.time.isoformat(),
            "readings": question.readings,
        }
    )


def _read(text: str) -> Question:
    held: dict[str, Any] = json.loads(text)
    for name in ("known_at", "since", "time"):
        held[name] = utc(datetime.fromisoformat(held[name]))
    for name in ("known", "first", "value"):
        held[name] = Decimal(held[name])
    return Question(**held)
