"""From rows to the definition of a community, and from its problems back to cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.community import parse_community
from billing.importing.cells import Sort
from billing.importing.draft import STAND_IN_ZONE, Draft, by_place, standing
from billing.importing.layout import COMMUNITY, LAYOUTS
from billing.importing.report import ImportRefusedError, Place, Report
from billing.importing.tables import (
    column_of,
    find_tables,
    read_rows,
    refuse_doubles,
    refuse_unknown_references,
)
from billing.importing.values import Reader
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.community import Community
    from billing.importing.cells import Sheet
    from billing.importing.tables import Table
    from meters.definition import Problem


@dataclass(frozen=True, slots=True)
class Imported:
    """A community as its sheets say it, and how their cells were understood."""

    community: Community
    report: Report


def assemble(sheets: Sequence[Sheet]) -> Imported:
    """Return the community that `sheets` describe; raise `ImportRefusedError` with every problem.

    Rows that are right are checked against each other even where others are wrong, so that one
    report says as much as can be known.
    """
    report = Report()
    tables = find_tables(sheets, report)
    reader = Reader(_zone(tables.get(COMMUNITY.key)))
    for layout in LAYOUTS:
        if (table := tables.get(layout.key)) is not None:
            read_rows(table, reader, report)
            refuse_doubles(table, report)
    refuse_unknown_references(tables, report)
    _refuse_ratios_without_meter(tables, report)
    _assert_one_community(tables, report)
    community = _checked(tables, sheets[0].source if sheets else "", report)
    if community is None or report.problems:
        raise ImportRefusedError(report)
    return Imported(community, report)


MOST_ROUNDS = 3
"""Rows that are wrong by themselves hide what is wrong between rows; then they are left out."""


def _checked(tables: Mapping[str, Table], source: str, report: Report) -> Community | None:
    for _ in range(MOST_ROUNDS):
        draft = Draft.of(tables)
        try:
            return parse_community(draft.document, source)
        except DefinitionError as error:
            if not _report_new(error.problems, draft, report):
                return None
        refuse_unknown_references(tables, Report())  # what rests on a row that is wrong now
    return None


def _report_new(problems: Sequence[Problem], draft: Draft, report: Report) -> bool:
    """Report `problems` by their cells; return whether rows can be left out to find more."""
    any_row = False
    unreadable = {
        layout.key: any("code" not in row.values for row in draft.read.get(layout.key, ()))
        for layout in LAYOUTS
    }
    for problem in problems:
        row, key = draft.row_of(problem.where)
        if row is None:
            if not report.problems:  # else it is what the rows left out are missed for
                report.problem(Place(problem.source), f"{problem.where}: {problem.what}")
            continue
        any_row = True
        column = column_of(row.table.layout, key)
        if column is not None and column.refers is not None and unreadable[column.refers]:
            row.wrong = True  # what it refers to may be what cannot be read
            continue
        report.problem(row.place(key), problem.what, row.shown(key))
        if column is not None and column.can_be_left_out and row.values.pop(key, None) is not None:
            continue
        row.wrong = True
    return any_row


def _zone(table: Table | None) -> ZoneInfo:
    """Return the community's zone; what is wrong with it is reported when it is validated."""
    cells = []
    if table is not None and "zone" in table.positions:
        _, *rows = table.sheet.rows.values()
        cells = [row.get(table.positions["zone"]) for row in rows]
    for cell in cells:
        if cell is not None and cell.sort is Sort.TEXT:
            try:
                return ZoneInfo(cell.text.strip())
            except (KeyError, ValueError, OSError):
                break
    return ZoneInfo(STAND_IN_ZONE)


def _assert_one_community(tables: Mapping[str, Table], report: Report) -> None:
    table = tables.get(COMMUNITY.key)
    if table is None:
        return
    if not table.rows:
        report.problem(Place.of(table.sheet), "has no row below its heading; fill in the community")
    for row in table.rows[1:]:
        report.problem(
            row.place("code"),
            "is a second community; import each from a file of its own",
            row.shown("code"),
        )


def _refuse_ratios_without_meter(tables: Mapping[str, Table], report: Report) -> None:
    """Report each ratio of a meter that does not stand at its point then."""
    ratios, meters = tables.get("ratios"), tables.get("meters")
    if ratios is None:
        return
    rows = meters.rows if meters else []
    places = by_place(rows)
    any_wrong = any(row.wrong for row in rows)
    for ratio in ratios.rows:
        if ratio.wrong:
            continue
        found = standing(ratio, places)
        if found is not None:
            ratio.wrong = found.wrong
            continue
        ratio.wrong = True
        if not any_wrong:
            report.problem(
                ratio.place("meter"),
                "does not stand at this point then; correct it, or add it to the meters",
                ratio.shown("meter"),
            )
