"""What the lines of a run refer to in the database, for those who hold lines against it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from billing import tables
from billing.canonical import read_json
from billing.store import definitions, usages
from meters.interval import Period

if TYPE_CHECKING:
    from billing.pools.pool import Pool
    from billing.tariff import Tariff

_usage_evidence = lru_cache(maxsize=16)(read_json)
"""Several lines, one after another, count the same usage."""


class Referred:
    """What lines refer to; tariffs and pools by the id of their version, each read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tariffs: dict[int, Tariff] = {}
        self._pools: dict[int, Pool] = {}
        self._ids: dict[tuple[str, int], int] = {}

    def tariff(self, version_id: int) -> Tariff:
        if version_id not in self._tariffs:
            self._tariffs[version_id] = definitions.tariff(self._connection, version_id)
        return self._tariffs[version_id]

    def tariff_named(self, code: str, version: int) -> Tariff:
        if (code, version) not in self._ids:
            self._ids[code, version] = definitions.tariff_id(self._connection, code, version)
        return self.tariff(self._ids[code, version])

    def pool(self, version_id: int) -> Pool:
        if version_id not in self._pools:
            self._pools[version_id] = definitions.pool(self._connection, version_id)
        return self._pools[version_id]

    def month(self, unit_id: int, key: str) -> Period:
        """Return the month `key` of the community of a unit."""
        unit = tables.unit
        query = select(unit.c.community_id).where(unit.c.id == unit_id)
        return month(self._connection, int(self._connection.scalar(query) or 0), key)

    def usages(self, line: Row[Any], registers: list[str]) -> dict[str, Any]:
        """Return the evidence of what `line` counts, by register."""
        if line.usage_id is None:
            return {}
        if len(registers) == 1:
            return {registers[0]: _usage_evidence(line.usage_evidence)}
        beside = usages.beside(self._connection, line.usage_id, registers)
        return {register: read_json(text) for register, (_, text) in beside.items()}

    def statement(self, statement_id: int) -> Any:
        """Return the evidence of a statement, which holds everybody who shares."""
        query = select(tables.statement.c.evidence).where(tables.statement.c.id == statement_id)
        return read_json(str(self._connection.scalar(query)))


def month(connection: Connection, community_id: int, key: str) -> Period:
    """Return the month `key` of a community."""
    community = tables.community
    zone = connection.scalar(select(community.c.zone).where(community.c.id == community_id))
    return Period.month(key, ZoneInfo(str(zone)))
