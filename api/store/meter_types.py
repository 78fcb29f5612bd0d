"""Meter types that engineers have uploaded beside the shipped ones, each proven."""

from __future__ import annotations

import hashlib
import tomllib
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select

from api import tables
from billing.scoping import is_taken
from billing.store import audit
from gateway.device_list import DeviceList, listed_types
from meters.catalog import shipped
from meters.definition import DefinitionError, Problem
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from meters.meter_type import MeterType

SOURCE = "the uploaded file"


def texts(connection: Connection, used: Collection[str] | None = None) -> dict[str, str]:
    """Return the uploaded files by id: those of the types `used`, or all.

    A file may define variants, whose ids begin with its own.
    """
    table = tables.meter_type
    rows = connection.execute(select(table.c.id, table.c.document).order_by(table.c.id))
    return {
        row.id: row.document
        for row in rows
        if used is None or any(each == row.id or each.startswith(f"{row.id}-") for each in used)
    }


def digests(connection: Connection) -> tuple[str, ...]:
    """Return what changes whenever an uploaded type does."""
    table = tables.meter_type
    return tuple(connection.scalars(select(table.c.digest).order_by(table.c.id)))


def parsed(files: Mapping[str, str]) -> dict[str, MeterType]:
    """Return the types in `files`, proven; raise `DefinitionError`."""
    return listed_types(DeviceList(gateway="", types=dict(files)), shipped(), SOURCE)


def put(connection: Connection, text: str, *, actor: str, now: datetime) -> list[str]:
    """Keep the type in the TOML `text` and return the ids that it defines.

    Raises `DefinitionError` with everything that is wrong with it, its proofs included.
    """
    name = _id(text)
    found = parsed({name: text})
    table = tables.meter_type
    connection.execute(delete(table).where(table.c.id == name))
    if is_taken(connection, table.c.id, name):
        raise DefinitionError([Problem(SOURCE, "id", told("is taken by another project's type"))])
    connection.execute(
        insert(table).values(
            id=name,
            document=text,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            created_by=actor,
            created_at=now,
        )
    )
    parsed(texts(connection))  # no variant of one file is another file's type
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="meter-type.put",
        subject=name,
        detail={"types": sorted(found), "document": text},
    )
    return sorted(found)


def drop(connection: Connection, name: str, *, actor: str, now: datetime) -> bool:
    """Remove an uploaded type; return False where there is none."""
    table = tables.meter_type
    if not connection.execute(delete(table).where(table.c.id == name)).rowcount:
        return False
    audit.append(connection, at=now, actor=actor, action="meter-type.drop", subject=name)
    return True


def _id(text: str) -> str:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DefinitionError(
            [Problem(SOURCE, "", told("is not TOML: {why}", why=str(error)))]
        ) from error
    name = document.get("id")
    if not isinstance(name, str) or not name:
        raise DefinitionError([Problem(SOURCE, "id", told("is missing"))])
    return name
