"""Pools (公摊): what is shared, among whom and by what, one TOML file each, proven by examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from billing import canonical
from billing.apportionment import (
    Basis,
    Blocked,
    Participant,
    Statement,
    Supply,
    Vacancy,
    apportion,
)
from billing.fields import (
    MEDIUM_UNITS,
    Medium,
    Money,
    Month,
    Name,
    NotEmpty,
    NotNegative,
    Quantity,
    Title,
    Version,
)
from billing.money import from_fen, to_fen
from meters.definition import Definition, DefinitionError, Exact, Problem, read_document, validate
from meters.quantity import from_scaled, plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal
    from pathlib import Path

Text = Annotated[str, NotEmpty]


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names something twice; name it once")
    return names


def _at_most_whole(share: Decimal) -> Decimal:
    if share > 1:
        raise ValueError(f'is more than the whole; write 10 % as "0.10", got {share}')
    return share


class Source(Definition):
    """The shared metering points, their register, and the tariff that their supply costs."""

    points: Annotated[tuple[Text, ...], NotEmpty, AfterValidator(_each_once)]
    register_name: Annotated[Name, Field(alias="register")]
    tariff: Name


class Exclusion(Definition):
    """Units of the scope that take no part: by floor (no lift at the ground floor) or by name."""

    floors: tuple[StrictInt, ...] = ()
    units: Annotated[tuple[Text, ...], AfterValidator(_each_once)] = ()


class Scope(Definition):
    """Among whom: the units of one building, or of the community where none is named."""

    building: Text | None = None
    exclude: Exclusion = Exclusion()


class UseKey(Definition):
    """Whose use is the key: a register of the units' own meters of a medium."""

    medium: Medium
    register_name: Annotated[Name, Field(alias="register")]


class ExampleUnit(Definition):
    """A participant of a worked example; `area` in m², `use` in the unit of the register."""

    unit: Text
    building: Text | None = None
    floor: StrictInt | None = None
    area: Quantity | None = None
    use: Quantity | None = None
    vacant: StrictBool = False


class Example(Definition):
    """A worked example: a supply, who takes part, and what each must bear.

    `expect`: the amount of every unit that shares; `quantities`: the same in units, where stated;
    `company`: the amount of the company's agreed share.
    """

    period: Month
    quantity: Quantity
    amount: Money
    participants: Annotated[tuple[ExampleUnit, ...], NotEmpty]
    expect: dict[str, Money]
    quantities: dict[str, Quantity] | None = None
    company: Money | None = None


class Pool(Definition):
    """A pool as its file says it. It is shared by `billing.apportionment.apportion`."""

    kind: Literal["pool"]
    id: Name
    version: Version
    title: Title
    source: Source
    scope: Scope = Scope()
    basis: Basis
    use: UseKey | None = None
    company_share: Annotated[Exact, NotNegative, AfterValidator(_at_most_whole)] = Field(
        default="0", validate_default=True
    )
    vacant: Vacancy = Vacancy.BLOCK
    examples: Annotated[tuple[Example, ...], Field(alias="example"), NotEmpty]

    @property
    def key_unit(self) -> str:
        """The unit that keys are stated in: `m2`, `household`, or that of the use."""
        match self.basis:
            case Basis.AREA:
                return "m2"
            case Basis.HOUSEHOLD:
                return "household"
            case Basis.USE:
                return MEDIUM_UNITS[self.use.medium] if self.use else ""

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical text, as hex."""
        return canonical.digest(self)


def load_pool(path: Path) -> Pool:
    """Return the pool at `path`; raise `DefinitionError` with every problem found."""
    return parse_pool(read_document(path), str(path))


def parse_pool(document: dict[str, Any], source: str) -> Pool:
    """Return `document`, read from `source`, as a pool that its examples prove.

    Raises `DefinitionError` for an unknown or missing key, a contradiction, or an example that
    gives other shares than it expects.
    """
    pool = validate(Pool, document, source)
    problems = list(_contradictions(pool, source)) or list(_failing_examples(pool, source))
    if problems:
        raise DefinitionError(problems)
    return pool


def _contradictions(pool: Pool, source: str) -> Iterator[Problem]:
    if pool.basis is Basis.USE and pool.use is None:
        yield Problem(
            source,
            "use",
            'is missing: say whose use is the key, as { medium = "water", register = "volume" }',
        )
    if pool.basis is not Basis.USE and pool.use is not None:
        yield Problem(source, "use", f"has no meaning where the basis is {pool.basis}; remove it")


def _failing_examples(pool: Pool, source: str) -> Iterator[Problem]:
    for number, example in enumerate(pool.examples, start=1):
        where = f"example[{number}]"
        result = apportion(
            pool, _supply(example), _participants(pool, example), period=example.period
        )
        match result:
            case Blocked():
                for obstacle in result.obstacles:
                    yield Problem(source, f"{where}.participants", str(obstacle))
            case Statement():
                yield from _differences(result, example, source, where)


def _supply(example: Example) -> Supply:
    return Supply(quantity=to_scaled(example.quantity), unit="", amount=to_fen(example.amount))


def _participants(pool: Pool, example: Example) -> list[Participant]:
    return [
        Participant(
            unit=row.unit,
            building=row.building or pool.scope.building or "",
            floor=row.floor,
            area=None if row.area is None else to_scaled(row.area),
            use=None if row.use is None else to_scaled(row.use),
            vacant=row.vacant,
        )
        for row in example.participants
    ]


def _differences(
    statement: Statement, example: Example, source: str, where: str
) -> Iterator[Problem]:
    units = [share for share in statement.shares if share.unit is not None]
    company = [from_fen(share.amount) for share in statement.shares if share.unit is None]
    yield from _unequal(
        {str(share.unit): str(from_fen(share.amount)) for share in units},
        {unit: str(from_fen(to_fen(amount))) for unit, amount in example.expect.items()},
        source,
        f"{where}.expect",
    )
    yield from _unequal(
        {"company": str(company[0])} if company else {},
        {} if example.company is None else {"company": str(from_fen(to_fen(example.company)))},
        source,
        where,
    )
    if example.quantities is not None:
        yield from _unequal(
            {str(share.unit): plain(from_scaled(share.quantity)) for share in units},
            {unit: plain(quantity) for unit, quantity in example.quantities.items()},
            source,
            f"{where}.quantities",
        )


def _unequal(
    actual: dict[str, str], expected: dict[str, str], source: str, where: str
) -> Iterator[Problem]:
    for name in sorted(actual.keys() | expected.keys()):
        if actual.get(name) != expected.get(name):
            yield Problem(
                source,
                f"{where}.{name}",
                "the pool gives another share; correct the example or the rules",
                expected=expected.get(name, "no share"),
                actual=actual.get(name, "no share"),
            )
