"""Tariffs: dated, versioned sets of charges, one TOML file each, proven by worked examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, TypeAdapter, ValidationError

from billing import canonical
from billing.fields import (
    MEDIUM_UNITS,
    Day,
    Medium,
    Money,
    Name,
    NotEmpty,
    Quantity,
    Title,
    Version,
)
from billing.money import OverflowInMoneyError, Rounding, from_fen, to_fen
from billing.rating.charge import Charge, Counts
from billing.rating.fixed import Fixed
from billing.rating.per_area import PerArea
from billing.rating.per_unit import PerUnit
from billing.rating.percentage import Percentage
from billing.rating.proration import NOMINAL_DAYS, Proration
from billing.rating.rate import ROUNDING, rate, total
from billing.rating.steps import Steps
from billing.rating.subjects import AREA, Needs, Subjects
from meters.definition import Definition, DefinitionError, Problem, read_document, validate
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal
    from pathlib import Path

AnyCharge = Annotated[PerUnit | Steps | Fixed | PerArea | Percentage, Field(discriminator="kind")]

AREA_UNIT = "m2"
PERIOD_UNIT = "month"


_ONE_REGISTER: TypeAdapter[Decimal] = TypeAdapter(Quantity)


def _by_register(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    try:
        return {"": _ONE_REGISTER.validate_python(value)}
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["ctx"]["error"])) from error


def _as_written(value: dict[str, Any]) -> Any:
    return value.get("", value)


ByRegister = Annotated[
    dict[str, Quantity], BeforeValidator(_by_register), PlainSerializer(_as_written)
]
"""`5000` where the tariff reads one register, else `{ import_energy_t1 = 3000, … }`."""


class Example(Definition):
    """A worked example: what a subject uses and has, and what it must be billed.

    `usage`: in the period; `before`: in the year before the period, 0 unless said; `area` in m²;
    `expect`: the total; `charges`: amounts of single charges, by name.
    """

    usage: ByRegister | None = None
    before: ByRegister | None = None
    area: Quantity | None = None
    expect: Money
    charges: dict[str, Money] | None = None


class Tariff(Definition):
    """A tariff as its file says it. It is rated by `billing.rating.rate.rate`."""

    kind: Literal["tariff"]
    id: Name
    version: Version
    title: Title
    medium: Medium | None = None
    currency: Literal["CNY"]
    valid_from: Day
    rounding: Rounding = Rounding()
    proration: Proration | None = None
    """How a part of a month is counted; by its days unless said."""
    charges: Annotated[tuple[AnyCharge, ...], Field(alias="charge"), NotEmpty]
    examples: Annotated[tuple[Example, ...], Field(alias="example"), NotEmpty]

    @property
    def needs(self) -> Needs:
        """What every subject must have for this tariff to be rated."""
        needs = Needs()
        for charge in self.charges:
            needs |= charge.needs
        return needs

    @property
    def counts_months_by(self) -> Proration:
        return self.proration or Proration.DAYS

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical text, as hex."""
        return canonical.digest(self)

    def unit(self, charge: Charge) -> str:
        """Return the unit that the quantity of `charge` counts in."""
        match charge.counts:
            case Counts.USE:
                return MEDIUM_UNITS[self.medium] if self.medium else ""
            case Counts.AREA:
                return AREA_UNIT
            case Counts.MONTHS:
                return PERIOD_UNIT
            case Counts.MONEY:
                return self.currency


def load_tariff(path: Path) -> Tariff:
    """Return the tariff at `path`; raise `DefinitionError` with every problem found."""
    return parse_tariff(read_document(path), str(path))


def parse_tariff(document: dict[str, Any], source: str) -> Tariff:
    """Return `document`, read from `source`, as a tariff that its examples prove.

    Raises `DefinitionError` for an unknown or missing key, a contradiction between charges, or an
    example that gives another amount than it expects.
    """
    tariff = validate(Tariff, document, source)
    problems = list(_contradictions(tariff, source)) or list(_failing_examples(tariff, source))
    if problems:
        raise DefinitionError(problems)
    return tariff


def _contradictions(tariff: Tariff, source: str) -> Iterator[Problem]:
    earlier: list[str] = []
    for number, charge in enumerate(tariff.charges, start=1):
        where = f"charge[{number}]"
        if charge.name in earlier:
            yield Problem(source, f"{where}.name", f"{charge.name!r} names an earlier charge too")
        if charge.name == ROUNDING:
            yield Problem(source, f"{where}.name", f"{ROUNDING!r} is the name of the rounding line")
        for name in charge.of_charges:
            if name not in earlier:
                yield Problem(
                    source, f"{where}.of", f"{name!r} is no earlier charge; earlier are {earlier}"
                )
        if len(set(charge.of_charges)) < len(charge.of_charges):
            yield Problem(source, f"{where}.of", "names a charge twice")
        earlier.append(charge.name)
    if tariff.needs.metered and tariff.medium is None:
        yield Problem(
            source, "medium", "is missing: a charge reads a register, so say of which medium"
        )


def _failing_examples(tariff: Tariff, source: str) -> Iterator[Problem]:
    for number, example in enumerate(tariff.examples, start=1):
        where = f"example[{number}]"
        misfits = list(_misfits(tariff, example, source, where))
        yield from misfits or _differences(tariff, example, source, where)


def _misfits(tariff: Tariff, example: Example, source: str, where: str) -> Iterator[Problem]:
    """Return what the example does not give although the tariff needs it, or the reverse."""
    needs = tariff.needs
    names = set(example.charges or {})
    if unknown := sorted(names - {charge.name for charge in tariff.charges} - {ROUNDING}):
        yield Problem(source, f"{where}.charges", f"no charge has the name {unknown[0]!r}")
    given = frozenset(_registers(example.usage, needs.registers))
    if given != needs.registers:
        yield Problem(
            source,
            f"{where}.usage",
            "must give the use of each register that the tariff reads",
            expected=", ".join(sorted(needs.registers)) or "none",
            actual=", ".join(sorted(given)) or "none",
        )
    if excess := sorted(set(_registers(example.before, needs.registers)) - needs.year_to_date):
        yield Problem(
            source, f"{where}.before", f"no yearly steps read {excess[0] or 'a register'!r}"
        )
    reads_area = AREA in needs.attributes
    if reads_area != (example.area is not None):
        what = "is missing: a charge is per m²" if reads_area else "no charge is per m²"
        yield Problem(source, f"{where}.area", what)


def _differences(tariff: Tariff, example: Example, source: str, where: str) -> Iterator[Problem]:
    try:
        lines = rate(tariff, _subject(example, tariff.needs))
    except OverflowInMoneyError as error:
        yield Problem(source, where, str(error))
        return
    amounts = {line.charge: int(line.amount[0]) for line in lines}
    for name, expected in (example.charges or {}).items():
        actual = amounts.get(name, 0)
        if actual != to_fen(expected):
            yield _difference(source, f"{where}.charges.{name}", expected, actual)
    actual = int(total(lines)[0])
    if actual != to_fen(example.expect):
        yield _difference(source, f"{where}.expect", example.expect, actual)


def _difference(source: str, where: str, expected: Decimal, actual: int) -> Problem:
    return Problem(
        source,
        where,
        "the tariff gives another amount; correct the example or the charges",
        expected=str(from_fen(to_fen(expected))),
        actual=str(from_fen(actual)),
    )


def _subject(example: Example, needs: Needs) -> Subjects:
    before = dict.fromkeys(needs.year_to_date, 0)
    before |= _registers(example.before, needs.registers)
    return Subjects.one(
        period_days=NOMINAL_DAYS,
        use=_registers(example.usage, needs.registers),
        before_year=before,
        attributes={} if example.area is None else {AREA: to_scaled(example.area)},
    )


def _registers(given: Mapping[str, Decimal] | None, registers: frozenset[str]) -> dict[str, int]:
    """Return scaled quantities by register; a bare number is that of the only register."""
    only = next(iter(registers)) if len(registers) == 1 else ""
    return {name or only: to_scaled(value) for name, value in (given or {}).items()}
