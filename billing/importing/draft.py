"""The document of a community made of rows, and which row each part of it came from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from billing.importing.tables import Row, Table

STAND_IN_ZONE = "Asia/Shanghai"
"""Where times are taken to be while the community's own zone cannot be read."""
_STAND_IN = {"code": "community", "title": {"en": "?"}, "zone": STAND_IN_ZONE}
"""What a community is called while its own row is wrong, to check the other rows all the same."""
_HEADER = ""


@dataclass(slots=True)
class Draft:
    """The `document` of those rows of what was `read` that are right; `rows` by their place."""

    document: dict[str, Any]
    read: Mapping[str, Sequence[Row]]
    rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Mapping[str, Table]) -> Draft:
        right: dict[str, list[Row]] = defaultdict(list)
        for key, table in tables.items():
            right[key] = [row for row in table.rows if not row.wrong]
        draft = cls({"kind": "community"}, {key: table.rows for key, table in tables.items()})
        draft._add_header(right["community"], right["classes"])
        draft._add("building", right["buildings"])
        draft._add_units(right["units"], right["changes"])
        draft._add("account", right["accounts"])
        draft._add_points(right["points"], right["meters"], right["ratios"])
        return draft

    def row_of(self, where: str) -> tuple[Row | None, str]:
        """Return the row that `where` of the document came from, and the key of its column."""
        owner = max((path for path in _prefixes(where) if path in self.rows), key=len, default=None)
        if owner is None:
            return None, ""
        row, rest = self.rows[owner], where[len(owner) :].lstrip(".")
        if owner.startswith("tariffs."):
            rest = "tariffs"
        keys = [key for key in row.table.positions if f"{rest}.".startswith((f"{key}.", f"{key}["))]
        if owner == _HEADER and not keys:
            return None, ""
        return row, max(keys, key=len, default="")

    def _add_header(self, community: Sequence[Row], classes: Iterable[Row]) -> None:
        self.document |= community[0].document() if community else _STAND_IN
        if community:
            self.rows[_HEADER] = community[0]
        self.document["tariffs"] = tariffs = {}
        for row in classes:
            tariffs[row.values["code"]] = row.values.get("tariffs", [])
            self.rows[f"tariffs.{row.values['code']}"] = row

    def _add(self, key: str, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Add `rows` as the tables `key` of the document, and return these."""
        made: list[dict[str, Any]] = []
        self.document[key] = made
        for number, row in enumerate(rows, start=1):
            made.append(row.document())
            self.rows[f"{key}[{number}]"] = row
        return made

    def _add_units(self, units: Sequence[Row], changes: Iterable[Row]) -> None:
        made = self._add("unit", units)
        at = {row.values["code"]: number for number, row in enumerate(units)}
        for row in sorted(changes, key=lambda each: each.values["day"]):
            number = at[row.values["unit"]]
            change = row.document()
            del change["unit"]
            if change.get("tariffs") == ["class"]:
                change["tariffs"] = "class"
            since = made[number].setdefault("since", [])
            since.append(change)
            self.rows[f"unit[{number + 1}].since[{len(since)}]"] = row

    def _add_points(
        self, points: Sequence[Row], meters: Sequence[Row], ratios: Iterable[Row]
    ) -> None:
        made = self._add("point", points)
        at = {row.values["code"]: number for number, row in enumerate(points)}
        installed: dict[int, tuple[str, dict[str, Any]]] = {}
        for row in sorted(meters, key=lambda each: each.values["start"]):
            number = at[row.values["point"]]
            installation = row.document()
            del installation["point"]
            installations = made[number].setdefault("installation", [])
            installations.append(installation)
            path = f"point[{number + 1}].installation[{len(installations)}]"
            self.rows[path] = row
            installed[id(row)] = path, installation
        places = by_place(meters)
        for row in sorted(ratios, key=lambda each: each.values["since"]):
            meter = standing(row, places)
            if meter is None:
                continue  # its meter's row is wrong
            path, installation = installed[id(meter)]
            ratio = row.document()
            del ratio["point"], ratio["meter"]
            changed = installation.setdefault("ratio", [])
            changed.append(ratio)
            self.rows[f"{path}.ratio[{len(changed)}]"] = row


Places: TypeAlias = "Mapping[tuple[str, str], Sequence[Row]]"
"""Rows of meters by their point and meter."""


def by_place(meters: Iterable[Row]) -> Places:
    """Return the rows of `meters` by where they stand."""
    places: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in meters:
        places[row.values.get("point", ""), row.values.get("meter", "")].append(row)
    return places


def standing(ratio: Row, places: Places) -> Row | None:
    """Return the row of the meter that stands at the ratio's point when the ratio begins."""
    since = ratio.values["since"]
    for row in places.get((ratio.values["point"], ratio.values["meter"]), ()):
        start, end = row.values.get("start"), row.values.get("end")
        if start is not None and start <= since and (end is None or since < end):
            return row
    return None


def _prefixes(where: str) -> Iterable[str]:
    """Yield the places of tables that hold `where`: "", "point[1]", "point[1].installation[2]"."""
    yield _HEADER
    for at, letter in enumerate(where):
        if letter == "." or (letter == "[" and at):
            yield where[:at]
    yield where
