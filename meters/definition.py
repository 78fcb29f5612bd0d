"""Definitions: one TOML file each, strict, and proven by the examples that it holds.

A definition is read, validated and proven in one go. What is wrong is returned as problems that say
where it stands, what was expected and what was found; a definition with a problem does not load.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from meters.told import joined, text_of, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from meters.told import Told


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition, in words that say what to do.

    `source` is the file, `where` the key inside it; `expected` and `actual` are set where a proof
    or example gave another result.
    """

    source: str
    where: str
    what: str
    expected: str | None = None
    actual: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> Told:
        """Where and what, as a text that can be said in another language."""
        where = (self.source, self.where) if self.where else (self.source,)
        text = joined([*where, self.what], by=": ")
        if self.expected is None:
            return text
        return told(
            "{text} (expected {expected}, got {actual})",
            text=text,
            expected=self.expected,
            actual=self.actual,
        )


class DefinitionError(ValueError):
    """A definition did not load; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(joined((problem.text for problem in self.problems), by="\n"))


MOST_DIGITS = 18
"""Numbers of definitions stay exact in every product: decimals are computed with 28 digits."""


def exact(value: object) -> Decimal:
    """Return the number that a definition states; raise `ValueError` where it is not exact."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError(told("must be a number, got {value}", value=repr(value)))
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(
            told('must be a number such as "0.01", got {value}', value=repr(value))
        ) from None
    if not number.is_finite():
        raise ValueError(told("must be finite, got {value}", value=repr(value)))
    count, first = len(number.as_tuple().digits), number.adjusted()
    if count > MOST_DIGITS or first >= MOST_DIGITS or count - first > MOST_DIGITS + 1:
        raise ValueError(
            told(
                "must have at most {most} digits before and after the point together, got {value}",
                most=MOST_DIGITS,
                value=shown(value),
            )
        )
    return number


Exact = Annotated[Decimal, BeforeValidator(exact)]
"""A `Decimal` written as a string, an integer or a TOML decimal; never through a float."""


class Definition(BaseModel):
    """The base of every table in a definition: unknown keys are refused, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


LONGEST_SHOWN = 80
Model = TypeVar("Model", bound=BaseModel)


def read_document(path: Path) -> dict[str, Any]:
    """Return the TOML document at `path`, decimals exact; raise `DefinitionError` if it is none."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DefinitionError(
            [Problem(str(path), "", told("cannot be read: {why}", why=error.strerror))]
        ) from error
    except UnicodeDecodeError as error:
        raise DefinitionError(
            [
                Problem(
                    str(path), f"byte {error.start}", told("is not UTF-8; save the file as UTF-8")
                )
            ]
        ) from error
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> dict[str, Any]:
    """Return the TOML `text`, read from `source`, as `read_document` returns that of a file."""
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(
            [Problem(source, "", told("is not TOML: {why}", why=str(error)))]
        ) from error
    except (InvalidOperation, RecursionError, ValueError) as error:
        raise DefinitionError(
            [Problem(source, "", told("holds a number that is too long, or is nested too deeply"))]
        ) from error


def validate(model: type[Model], document: dict[str, Any], source: str) -> Model:
    """Return `document` as `model`; raise `DefinitionError` with every problem found."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise DefinitionError(
            Problem(source, _where(entry["loc"]), _what(model, entry))
            for entry in error.errors(include_url=False)
        ) from error


def _where(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _what(model: type[BaseModel], entry: Any) -> str:
    match entry["type"]:
        case "extra_forbidden":
            key = str(entry["loc"][-1])
            schema = model.model_json_schema()
            here, everywhere = _keys_at(schema, entry["loc"][:-1]), _keys_of(_tables(schema))
            if close := difflib.get_close_matches(key, sorted(here - {key}), n=1):
                return told("unknown key; did you mean '{key}'?", key=close[0])
            if key in everywhere - here:
                return told("unknown key here; it belongs into another table")
            return told("unknown key")
        case "missing":
            return told("is missing")
        case "value_error":
            return text_of(entry["ctx"]["error"])
        case _:
            return f"{entry['msg']}, got {shown(entry['input'])}"


def shown(value: object) -> str:
    """Return `value` for a message, shortened to a line."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number that is too long"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _tables(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [schema, *schema.get("$defs", {}).values()]


def _keys_of(tables: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return every key that one of `tables` knows, as the file spells it."""
    return {key for table in tables for key in table.get("properties", {})}


def _keys_at(schema: Mapping[str, Any], location: tuple[int | str, ...]) -> set[str]:
    """Return the keys of the table at `location`, of each kind that it may be of."""
    tables = list(_each(schema, schema))
    for part in location:
        within = [
            found
            for table in tables
            for held in _held(table, part)
            for found in _each(held, schema)
        ]
        tables = within or tables  # else it names a kind of table, which stands in no file
    return _keys_of(tables)


def _held(table: Mapping[str, Any], part: int | str) -> Iterator[Mapping[str, Any]]:
    """Yield what `table` holds under a key, or at a place of a list."""
    if isinstance(part, int):
        yield from (each for each in [table.get("items")] if isinstance(each, dict))
        yield from table.get("prefixItems", ())[part : part + 1]
    elif part in table.get("properties", {}):
        yield table["properties"][part]
    elif isinstance(other := table.get("additionalProperties"), dict):
        yield other


def _each(table: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every table that `table` may stand for."""
    if "$ref" in table:
        yield from _each(schema["$defs"][table["$ref"].rpartition("/")[2]], schema)
        return
    yield table
    for kind in ("anyOf", "oneOf", "allOf"):
        for each in table.get(kind, ()):
            yield from _each(each, schema)
