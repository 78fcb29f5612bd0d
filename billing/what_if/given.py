"""What is given to try a definition on: numbers of a command line or the rows of a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing.importing.csv_files import read_csv
from billing.importing.values import cleaned, half_width
from meters.definition import DefinitionError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

WHOLE = frozenset({"days", "days_before", "period_days", "floor"})
"""Keys whose values are whole numbers; `vacant` is yes or no, all others are texts or exact."""
TRUTHS = {"true": True, "yes": True, "1": True, "是": True}
TRUTHS |= {"false": False, "no": False, "0": False, "否": False}


def nested(flat: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return `key` and `table.key` with their values as a document has them."""
    document: dict[str, Any] = {}
    for key, text in flat:
        table, dot, name = key.partition(".")
        if dot:
            document.setdefault(table, {})[name] = text
        else:
            document[key] = _value(key, text)
    return document


def assigned(key: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """Return values of an option, `5000` or `import_energy_t1=3000`, as keys with their values."""
    pairs = []
    for value in values:
        name, equals, text = value.partition("=")
        pairs.append((f"{key}.{name.strip()}", text.strip()) if equals else (key, value.strip()))
    return pairs


def csv_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a CSV file as documents, by the keys in its first line; blanks left out.

    Raises `UnreadableFileError` for what is no CSV, and `DefinitionError` for a value without key.
    """
    rows = dict(read_csv(path).rows)
    if not rows:
        raise DefinitionError([Problem(str(path), "", "is empty; the first line names the keys")])
    number, heading = next(iter(rows.items()))
    del rows[number]
    keys = {at: half_width(cleaned(cell.text)) for at, cell in heading.items()}
    for number, row in rows.items():
        if unnamed := sorted(set(row) - set(keys)):
            what = f"column {unnamed[0]} has a value and no key in the first line"
            raise DefinitionError([Problem(str(path), f"line {number}", what)])
    return [nested(_texts(keys, row)) for row in rows.values()]


def _texts(keys: Mapping[int, str], row: Mapping[int, Any]) -> Iterable[tuple[str, str]]:
    for at, cell in row.items():
        if text := half_width(cleaned(cell.text)):
            yield keys[at], text


def _value(key: str, text: str) -> Any:
    if key in WHOLE and text.removeprefix("-").isdecimal():
        return int(text)
    return TRUTHS.get(text.lower(), text) if key == "vacant" else text
