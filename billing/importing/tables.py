"""From sheets to rows with values, each with the cell that it came from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from billing.importing.layout import LAYOUTS, NOTES, Column, Layout, spelling
from billing.importing.report import Place
from billing.importing.values import CellError, cleaned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from billing.importing.cells import Cell, Merged, Sheet
    from billing.importing.report import Report
    from billing.importing.values import Reader

MOST_SHOWN = 60
"""Characters of a cell that a message repeats."""


@dataclass(slots=True)
class Row:
    """A row: `values` by the column's key, of a family by `key.member`; blanks are left out.

    `wrong` is set where a cell of it, or a row that it refers to, has a problem.
    """

    table: Table
    number: int
    values: dict[str, Any] = field(default_factory=dict)
    wrong: bool = False

    def place(self, key: str = "") -> Place:
        """Return where the value of `key` stands; the row where there is no such column."""
        column = self.table.positions.get(key)
        heading = self.table.headings.get(column, "") if column else ""
        sheet = self.table.sheet
        return Place(sheet.source, sheet.name, self.number, column, heading)

    def shown(self, key: str) -> str:
        """Return the cell of `key` as it is written, shortened for a message."""
        cell = self.table.sheet.rows[self.number].get(self.table.positions.get(key, 0))
        return "" if cell is None else cell.text[:MOST_SHOWN]

    def document(self) -> dict[str, Any]:
        """Return the values by column, those of a family by their names in a table of their own."""
        made: dict[str, Any] = {}
        for key, value in self.values.items():
            name, is_family, member = key.partition(".")
            if is_family:
                made.setdefault(name, {})[member] = value
            else:
                made[name] = value
        return made


@dataclass(slots=True)
class Table:
    """A sheet as its layout reads it; `positions` are columns by key, `headings` as written."""

    layout: Layout
    sheet: Sheet
    positions: dict[str, int] = field(default_factory=dict)
    headings: dict[int, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def find_tables(sheets: Sequence[Sheet], report: Report) -> dict[str, Table]:
    """Return the sheets that are known, with their columns, by the key of their layout."""
    found: dict[str, Table] = {}
    for sheet in sheets:
        layout = next((each for each in LAYOUTS if each.is_called(sheet.name)), None)
        if layout is None:
            _unknown_sheet(sheet, report)
        elif layout.key in found:
            report.problem(
                Place.of(sheet), f"is the sheet {layout.title} again; keep one of the two"
            )
        elif sheet.rows:
            found[layout.key] = _with_columns(layout, sheet, report)
    for layout in LAYOUTS:
        if layout.required and layout.key not in found:
            source = sheets[0].source if sheets else ""
            report.problem(Place(source), f"the sheet {layout.title} is missing, or is empty")
    return found


def read_rows(table: Table, reader: Reader, report: Report) -> None:
    """Read the rows below the heading of `table`; what a cell cannot mean becomes a problem."""
    columns = {
        position: (key, column)
        for key, position in table.positions.items()
        if (column := column_of(table.layout, key)) is not None
    }
    _, *numbers = table.sheet.rows
    required = [
        (column, [key for key in table.positions if _is_of(column, key)])
        for column in table.layout.columns
        if column.required
    ]
    hidden = _hidden_by_merges(table, report)
    for number in numbers:
        row = Row(table, number)
        for position, cell in table.sheet.rows[number].items():
            if position in columns:
                key, column = columns[position]
                _read_cell(row, cell, column, key, reader=reader, report=report)
            elif cell.text.strip():
                _outside(row, position, report)
        if row.values or row.wrong:
            _assert_complete(row, required, hidden, report)
            table.rows.append(row)


def refuse_doubles(table: Table, report: Report) -> None:
    """Report each row that is known by the same values as an earlier one."""
    seen: dict[tuple[Any, ...], Row] = {}
    identity = table.layout.identity
    for row in table.rows:
        known_by = tuple(row.values.get(key) for key in identity)
        if None in known_by:
            continue
        if (earlier := seen.setdefault(known_by, row)) is not row:
            same = ", ".join(row.shown(key) for key in identity)
            report.problem(
                row.place(identity[0]),
                f"is listed in row {earlier.number} already; keep one of the two",
                same,
            )
            row.wrong = True


def refuse_unknown_references(tables: Mapping[str, Table], report: Report) -> None:
    """Report each reference that leads nowhere, and mark what rests on a wrong row as wrong.

    Where a sheet is missing or has a code that cannot be read, that is the problem already.
    """
    known: dict[str, dict[Any, Row]] = defaultdict(dict)
    for layout in LAYOUTS:
        table = tables.get(layout.key)
        for row in table.rows if table else ():
            for column in layout.columns:
                if column.refers is not None:
                    _follow(row, column, known[column.refers], tables, report)
            known[layout.key].setdefault(row.values.get("code"), row)


def _follow(
    row: Row, column: Column, known: Mapping[Any, Row], tables: Mapping[str, Table], report: Report
) -> None:
    code = row.values.get(column.key)
    if code is None or column.refers is None:
        return
    target = known.get(code)
    if target is not None:
        row.wrong = row.wrong or target.wrong
        return
    row.wrong = True
    table = tables.get(column.refers)
    if table is not None and None not in known:
        report.problem(
            row.place(column.key),
            f"is not in the sheet {table.sheet.name}; correct it, or add it there",
            row.shown(column.key),
        )


def _unknown_sheet(sheet: Sheet, report: Report) -> None:
    if sheet.rows and spelling(sheet.name) not in {spelling(each) for each in NOTES}:
        known = ", ".join(layout.title for layout in LAYOUTS)
        report.problem(
            Place.of(sheet), f"is no sheet of a community; name it one of {known}, or delete it"
        )


def _with_columns(layout: Layout, sheet: Sheet, report: Report) -> Table:
    table = Table(layout, sheet)
    number, heading = next(iter(sheet.rows.items()))
    for position, cell in heading.items():
        text = cleaned(cell.text)
        if not text:
            continue
        place = Place.of(sheet, number, position)
        found = layout.column_called(text)
        if found is None:
            wanted = ", ".join(column.heading(member) for column, member in layout.headings())
            report.problem(
                place, f"is no column of this sheet; columns are {wanted}", text[:MOST_SHOWN]
            )
            continue
        column, member = found
        key = column.names(member)[0]
        if key in table.positions:
            report.problem(place, "heads a second column; keep one of the two", text[:MOST_SHOWN])
            continue
        table.positions[key] = position
        table.headings[position] = text
    for column in layout.columns:
        if column.required and not any(_is_of(column, key) for key in table.positions):
            wanted = " or ".join(column.heading(member) for member in column.family or ("",))
            report.problem(Place.of(sheet, number), f"the column {wanted} is missing; add it")
    return table


def _is_of(column: Column, key: str) -> bool:
    return key.partition(".")[0] == column.key if column.family else key == column.key


def column_of(layout: Layout, key: str) -> Column | None:
    """Return the column of `layout` that `key` belongs to."""
    return next((column for column in layout.columns if _is_of(column, key)), None)


def _read_cell(
    row: Row, cell: Cell, column: Column, key: str, *, reader: Reader, report: Report
) -> None:
    try:
        value = reader.value(column.kind, cell, lambda what: report.remark(row.place(key), what))
    except CellError as error:
        report.problem(row.place(key), str(error), cell.text[:MOST_SHOWN])
        row.values[key] = None
        row.wrong = row.wrong or not column.can_be_left_out
    else:
        if value is not None:
            row.values[key] = value


def _outside(row: Row, position: int, report: Report) -> None:
    sheet = row.table.sheet
    if position in row.table.headings or position in next(iter(sheet.rows.values())):
        return  # the heading of this column is a problem already
    report.problem(
        Place.of(sheet, row.number, position),
        "stands below no heading; give the column a heading, or clear the cell",
        sheet.rows[row.number][position].text[:MOST_SHOWN],
    )
    row.wrong = True


def _assert_complete(
    row: Row,
    required: Sequence[tuple[Column, Sequence[str]]],
    hidden: frozenset[tuple[int, int]],
    report: Report,
) -> None:
    """Report what the row must have and has not; what a merge hides is a problem already."""
    for column, keys in required:
        if not row.values.keys().isdisjoint(keys):
            continue
        row.wrong = True
        if not keys or any((row.number, row.table.positions[key]) in hidden for key in keys):
            continue
        named = column.heading() if column.family else ""
        what = f"is empty; give at least one {named}" if named else "is empty; it must be given"
        report.problem(row.place(keys[0]), what)
    if None in row.values.values():
        row.values = {key: value for key, value in row.values.items() if value is not None}


def _hidden_by_merges(table: Table, report: Report) -> frozenset[tuple[int, int]]:
    """Report every merged range of the table; return the cells that they hide."""
    last = max(table.sheet.rows)
    return frozenset(
        cell
        for merged in table.sheet.merged
        if merged.first_row <= last
        for cell in _cells_of(merged, table, last, report)
    )


def _cells_of(
    merged: Merged, table: Table, last_row: int, report: Report
) -> Iterable[tuple[int, int]]:
    columns = [
        position
        for position in table.positions.values()
        if merged.first_column <= position <= merged.last_column
    ]
    if not columns:
        return ()
    report.problem(
        Place.of(table.sheet, merged.first_row, merged.first_column),
        f"the cells {merged} are merged into one; unmerge them, and fill each",
    )
    return _inside(merged, columns, last_row)


def _inside(merged: Merged, columns: list[int], last_row: int) -> Iterator[tuple[int, int]]:
    for row in range(merged.first_row, min(merged.last_row, last_row) + 1):
        for column in columns:
            yield row, column
