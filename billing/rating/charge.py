"""What every charge has in common: a name, and quantities at prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import model_validator

from billing.fields import Name, NotEmpty, Title
from billing.money import Column, Direction, add, multiply, round_quotient
from billing.rating.subjects import Needs
from meters.definition import Definition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    import numpy.typing as npt

    from billing.formula.vocabulary import Vocabulary
    from billing.rating.exact import Exact
    from billing.rating.proration import Months, Proration
    from billing.rating.subjects import Subjects


class Units(NamedTuple):
    """The units that a tariff counts in: of its medium (`kWh`, "" for none) and of money."""

    use: str
    money: str


class Label(NamedTuple):
    """What one part of a charge is: a step from 1 on, up to a bound (None: open), and a band."""

    step: int | None = None
    until: Decimal | None = None
    band: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a charge may read: the subjects, and the earlier charges' amounts in fen, by name.

    `proration`: how the tariff counts a part of a month; `vocabulary`: what formulas may name.
    """

    subjects: Subjects
    billed: Mapping[str, Column]
    proration: Proration
    vocabulary: Vocabulary

    def months(self) -> Months:
        """Return how much of a month each subject is billed for."""
        subjects = self.subjects
        return self.proration.months(subjects.days_before, subjects.days, subjects.period_days)

    def sum_of(self, names: Sequence[str]) -> Column:
        """Return int64[n], fen: what was billed for the earlier charges `names`."""
        total = self.billed[names[0]]
        for name in names[1:]:
            total = add(total, self.billed[name])
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Quantities at prices: what every charge comes down to.

    `quantity`: int64[n, k], 10⁻⁴ of the unit; `price`: int64[k], 10⁻⁶ of the currency. They come
    to Σ quantity × price, 10⁻¹⁰ of the currency, divided by `divisor`, int64[n] (None: by 1): of
    15.00 a month, 12 days of 29 cost 12 × 15.00 ÷ 29. `until`: the bounds of the parts, 10⁻⁴, where
    they differ by row.
    """

    quantity: Column
    price: Column
    divisor: Column | None = None
    until: Sequence[int | Column | None] | None = None

    @classmethod
    def of(
        cls,
        quantities: Sequence[Column],
        prices: Sequence[int],
        divisor: Column | None = None,
        until: Sequence[int | Column | None] | None = None,
    ) -> Parts:
        """Return k columns of n quantities at k prices."""
        stacked = np.empty((len(quantities[0]), len(quantities)), dtype=np.int64, order="F")
        for step, column in enumerate(quantities):
            stacked[:, step] = column
        return cls(stacked, np.array(prices, dtype=np.int64), divisor, until)

    @classmethod
    def none(cls, count: int) -> Parts:
        """Return the parts of a line that counts nothing: int64[count, 0]."""
        return cls(np.empty((count, 0), dtype=np.int64), np.empty(0, dtype=np.int64))

    def only(self, rows: npt.NDArray[np.bool_]) -> Parts:
        """Return the parts with nothing in all other rows."""
        kept = np.asfortranarray(self.quantity * rows[:, np.newaxis])
        return Parts(kept, self.price, self.divisor, self.until)

    def total_quantity(self) -> Column:
        """Return int64[n], the sum over the parts, divided, half-up to 10⁻⁴."""
        columns = [self.quantity[:, step] for step in range(len(self.price))]
        total = _sum(columns, len(self.quantity))
        if self.divisor is None:
            return total
        return round_quotient(total, self.divisor, Direction.HALF_UP)

    def unrounded(self) -> list[Column]:
        """Return the k columns of exact amounts, 10⁻¹⁰ of the currency, not yet divided."""
        return [
            multiply(self.quantity[:, step], int(price)) for step, price in enumerate(self.price)
        ]

    def total_unrounded(self) -> Column:
        """Return int64[n], the exact amounts over all parts, 10⁻¹⁰, not yet divided."""
        return _sum(self.unrounded(), len(self.quantity))


def _sum(columns: Sequence[Column], count: int) -> Column:
    total = columns[0] if columns else np.zeros(count, dtype=np.int64)
    for column in columns[1:]:
        total = add(total, column)
    return total


class Charge(Definition):
    """The base of every charge; a subclass a file.

    `revenue` is the ledger's category, the charge's name unless the file says another. `classes`:
    the customer classes that it is for, all unless said. `tax`: the name of one of the tariff's
    tax profiles.
    """

    adjusts: ClassVar[bool] = False
    """Whether there is a line only where the charge changes something."""

    name: Name
    title: Title
    revenue: Name = ""
    classes: Annotated[tuple[Name, ...], NotEmpty] | None = None
    tax: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _revenue_is_the_name_unless_said(cls, data: Any) -> Any:
        if isinstance(data, dict) and "name" in data:
            return {"revenue": data["name"], **data}
        return data

    @property
    def needs(self) -> Needs:
        """What the charge reads of its subjects."""
        return Needs()

    @property
    def of_charges(self) -> tuple[str, ...]:
        """The charges whose amounts this one reads; they must come earlier."""
        return ()

    def problems(self, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
        """Yield the keys that are wrong where the charge stands in its tariff, with what is wrong.

        `vocabulary` has the earlier charges.
        """
        earlier = list(vocabulary.charges)
        for name in self.of_charges:
            if name not in earlier:
                yield "of", f"{name!r} is no earlier charge; earlier are {earlier}"
        if len(set(self.of_charges)) < len(self.of_charges):
            yield "of", "names a charge twice"

    @property
    def labels(self) -> tuple[Label, ...]:
        """What each of the charge's parts is, in their order."""
        return (Label(),)

    def unit(self, units: Units) -> str:
        """Return the unit that the charge's quantity counts in."""
        raise NotImplementedError

    def parts(self, inputs: Inputs) -> Parts:
        """Return the quantities and prices of this charge, one row a subject."""
        raise NotImplementedError

    def limit(self, inputs: Inputs) -> Exact | None:  # noqa: ARG002 - read by who has an amount
        """Return what the amount that moves other lines came to in all spans so far, if any."""
        return None
