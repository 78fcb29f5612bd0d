"""A bill as a bundle: one file that holds all it rests on, to be checked without a database.

The file is canonical JSON: sorted keys, no spaces, whole numbers and texts. It holds the bill with
its lines, the tariff versions, the usages down to raw words with what the period before closed
with, and the statements of the pools with all that take part (see `billing.masking`). Its digest is
the SHA-256 of all the rest; it is what whoever got the file compares with what the company says.

A file may come from anybody: what is too large, too deep or no bundle raises `BundleError`.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from billing.canonical import evidence_json
from billing.fields import Day, Month
from billing.pools.policy import Payer
from meters.definition import Definition, DefinitionError, Exact, validate
from meters.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BYTES = 64 * 2**20
"""A bill of a thousand homes' pools takes less than one of these megabytes."""
DEEPEST = 32
LONGEST_TEXT = 20_000
_FAR_EXPONENT = re.compile(r"\s*[-+]?[0-9_.]+[eE][-+]?[0-9_]{5,}\s*")
"""A number of ten thousand digits and more, written short."""

_NAME = "name"
_NAMES = frozenset(
    {
        *(_NAME, "account", "bill", "building", "digest", "document", "entrance", "meter"),
        *("number", "photo", "point", "raw", "reason", "text", "unit", "units"),
    }
)
"""What may look like such a number and is none: hexadecimal words, meters, homes."""
_HALF = re.compile("[\ud800-\udfff]")
"""Half of a character that takes two: it has no form in UTF-8."""


class BundleError(ValueError):
    """A file is no bundle, or is damaged beyond reading; says what, where, and what to do."""


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones
        raise ValueError(f"{name!r} is no time zone") from error
    return name


Whole = Annotated[StrictInt, Field(ge=-INT64_MAX, le=INT64_MAX)]
Place = Annotated[StrictInt, Field(ge=0)]
Position = Annotated[StrictInt, Field(ge=1)]
Moment = Annotated[StrictStr, AfterValidator(_moment)]
Document = dict[str, Any]
"""Evidence; what is wrong inside is found by recomputing."""


class Head(Definition):
    """The bill itself. `total`: fen."""

    number: StrictStr
    community: StrictStr
    zone: Annotated[StrictStr, AfterValidator(_zone)]
    currency: StrictStr
    period: Month
    unit: StrictStr
    account: StrictStr
    total: Whole
    issued_on: Day | None = None
    due_on: Day | None = None


class Corrects(Definition):
    """What a line does to an issued one: takes it back, or stands in its place.

    `bill` and `line` are missing where nothing was billed before.
    """

    reversal: StrictBool
    bill: StrictStr | None = None
    line: Position | None = None


class BundledLine(Definition):
    """A line. `period`: the month that it is of; `quantity`: 10⁻⁴ of `unit`; `amount`: fen.

    `usages`, one a register, and `statement` are places in the bundle's lists, `share` one in the
    statement's.
    """

    position: Position
    period: Month
    charge: StrictStr
    revenue: StrictStr
    quantity: Whole
    unit: StrictStr
    amount: Whole
    tariff: tuple[StrictStr, StrictInt] | None = None
    usages: tuple[Place, ...] = ()
    statement: Place | None = None
    share: Place | None = None
    corrects: Corrects | None = None
    evidence: Document


class EarlierLine(Definition):
    """A line of an earlier bill that this one takes back."""

    bill: StrictStr
    line: BundledLine


class BundledTariff(Definition):
    """A tariff version as it was defined, and the digest that it is known by."""

    digest: StrictStr
    document: Document


class Opening(Definition):
    """What the usage before closed with, as it was issued: the register `value` of `meter`."""

    meter: StrictStr
    value: Exact


class BundledUsage(Definition):
    """A usage of `quantity`, 10⁻⁴ of `unit`; no `opens_with` where nothing was used before."""

    point: StrictStr
    register_name: Annotated[StrictStr, Field(alias="register")]
    start: Moment
    end: Moment
    quantity: Whole
    unit: StrictStr
    evidence: Document
    opens_with: Opening | None = None


class BundledShare(Definition):
    """What one takes of a supply: `quantity` in 10⁻⁴, `amount` in fen; `unit` None: the company.

    `carried`: 10⁻⁶ fen, what rounding has owed it or given it so far.
    """

    unit: StrictStr | None = None
    payer: Payer
    quantity: Whole
    amount: Whole
    carried: Whole


class BundledStatement(Definition):
    """A pool's statement, neighbours masked; `openings` of its sources, one for each."""

    period: Month
    pool: Document
    quantity: Whole
    unit: StrictStr
    amount: Whole
    shares: tuple[BundledShare, ...]
    openings: tuple[Opening | None, ...]
    evidence: Document


class Bundle(Definition):
    """A bill with all that it rests on."""

    kind: Literal["bill-bundle"]
    version: Literal[1]
    bill: Head
    lines: tuple[BundledLine, ...]
    reversed_lines: Annotated[tuple[EarlierLine, ...], Field(alias="reversed")]
    tariffs: tuple[BundledTariff, ...]
    usages: tuple[BundledUsage, ...]
    statements: tuple[BundledStatement, ...]
    digest: StrictStr


def sealed(document: Mapping[str, Any]) -> bytes:
    """Return the file of a bundle whose `document` has no digest yet, or one that is replaced."""
    content = {"kind": "bill-bundle", "version": 1, **document}
    return (evidence_json({**content, "digest": digest_of(content)}) + "\n").encode()


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the SHA-256, as hex, of all of a bundle but its digest."""
    content = {"kind": "bill-bundle", "version": 1, **document}
    content.pop("digest", None)
    return hashlib.sha256(evidence_json(content).encode()).hexdigest()


def read_bundle(file: bytes) -> tuple[Bundle, tuple[str, ...]]:
    """Return the bundle in `file`, and in words what is not as it was written.

    Raises `BundleError` for what cannot be read.
    """
    document = _document(file)
    _hold_within_bounds(document)
    differences = []
    if not isinstance(document, dict) or document.get("kind") != "bill-bundle":
        raise BundleError(
            "is no bundle of a bill: its kind is not 'bill-bundle'; give the file that "
            "`tallygate bill export` wrote"
        )
    if (evidence_json(document) + "\n").encode() != file:
        differences.append(
            "file: it was written again by another program, or holds a key twice; ask for it anew"
        )
    try:
        bundle = validate(Bundle, document, "bundle")
    except DefinitionError as error:
        raise BundleError(str(error)) from error
    if (found := digest_of(document)) != bundle.digest:
        differences.append(f"digest: the bundle says {bundle.digest}, its content gives {found}")
    return bundle, tuple(differences)


def _document(file: bytes) -> Any:
    if len(file) > LARGEST_BYTES:
        raise BundleError(f"is larger than {LARGEST_BYTES} bytes; no bundle is")
    try:
        return json.loads(
            file.decode(), parse_int=_whole, parse_float=_no_number, parse_constant=_no_number
        )
    except UnicodeDecodeError as error:
        raise BundleError(f"byte {error.start} is not UTF-8; the file is damaged") from error
    except json.JSONDecodeError as error:
        raise BundleError(
            f"is no JSON, or was cut off: {error.msg}, line {error.lineno}, column {error.colno}; "
            "ask for it anew"
        ) from error
    except RecursionError as error:
        raise BundleError(f"is nested more than {DEEPEST} deep; no bundle is") from error


def _whole(text: str) -> int:
    if len(text) > len(str(-INT64_MAX)) or abs(int(text)) > INT64_MAX:
        raise BundleError(f"holds the number {text[:24]}…, which is beyond 64 bits")
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise BundleError(f"holds the number {text[:24]}; bundles hold whole numbers and texts")


def _hold_within_bounds(document: Any) -> None:
    """Refuse what would take for ever to read, level by level."""
    level: list[tuple[str, Any]] = [("", document)]
    for _ in range(DEEPEST):
        below: list[tuple[str, Any]] = []
        for key, value in level:
            if isinstance(value, dict):
                below += [*value.items(), *((_NAME, each) for each in value)]
            elif isinstance(value, list):
                below += ((key, each) for each in value)
            elif isinstance(value, str):
                _hold_text(key, value)
        level = below
    if level:
        raise BundleError(f"is nested more than {DEEPEST} deep; no bundle is")


def _hold_text(key: str, text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise BundleError(f"holds a text of {len(text)} characters: {text[:24]}…; no bundle does")
    if key not in _NAMES and _FAR_EXPONENT.fullmatch(text):
        raise BundleError(f"holds the number {text[:24]}, which nothing can be")
    if _HALF.search(text):
        raise BundleError("holds half a character; the file is damaged")
