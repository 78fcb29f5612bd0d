"""A community from whatever file describes it: TOML, an XLSX workbook, or a folder of CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.community import load_community
from billing.importing.assembling import Imported, assemble
from billing.importing.cells import UnreadableFileError
from billing.importing.csv_files import read_folder
from billing.importing.report import ImportRefusedError, Place, Report
from billing.importing.workbook import read_workbook
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

    from billing.importing.cells import Sheet

WORKBOOKS = (".xlsx", ".xlsm")


def read_community(path: Path) -> Imported:
    """Return the community at `path`; raise `ImportRefusedError` with every problem found."""
    report = Report()
    try:
        sheets = _sheets(path)
        if sheets is not None:
            return assemble(sheets)
        return Imported(load_community(path), report)
    except UnreadableFileError as error:
        report.problem(Place(str(path)), str(error).removeprefix(f"{path}: "))
    except DefinitionError as error:
        for problem in error.problems:
            report.problem(Place(problem.source), str(problem).removeprefix(f"{problem.source}: "))
    raise ImportRefusedError(report)


def _sheets(path: Path) -> list[Sheet] | None:
    """Return the sheets of a workbook or folder, None where `path` is neither."""
    if path.is_dir():
        return read_folder(path)
    match path.suffix.lower():
        case ".csv":
            raise UnreadableFileError(
                "is one sheet of several; give the folder in which all of them are"
            )
        case ".xls":
            raise UnreadableFileError("is an old workbook; save it as .xlsx")
        case suffix if suffix in WORKBOOKS:
            return read_workbook(path)
    return None
