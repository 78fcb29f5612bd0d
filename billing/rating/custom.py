"""A fee by formula: what no other charge covers, in the language of `billing.formula`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from billing.formula.formula import Formula  # noqa: TC001 - pydantic reads it at run time
from billing.formula.problem import FormulaError
from billing.formula.vocabulary import Source, UnknownNameError, Vocabulary
from billing.money import multiply
from billing.rating.charge import Charge
from billing.rating.of_lines import of_money
from billing.rating.subjects import Needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.formula.formula import Explanation
    from billing.formula.vocabulary import Variable
    from billing.money import Column
    from billing.rating.charge import Inputs, Parts, Units


class Custom(Charge):
    """What `formula` gives, in the currency.

    `prorate`: whether that is for a whole month, of which a part of a month owes its part; where
    not, it is for the days that are billed, as where the formula reads use or days.
    """

    kind: Literal["formula"]
    formula: Formula
    prorate: bool

    @property
    def needs(self) -> Needs:
        keys: dict[Source, set[str]] = {source: set() for source in Source}
        for _, variable in self._variables(self._anywhere):
            keys[variable.source].add(variable.key)
        year, quarter = keys[Source.BEFORE_YEAR], keys[Source.BEFORE_QUARTER]
        return Needs(
            registers=frozenset(keys[Source.USE] | year | quarter),
            year_to_date=frozenset(year),
            quarter_to_date=frozenset(quarter),
            attributes=frozenset(keys[Source.ATTRIBUTE]),
        )

    @property
    def of_charges(self) -> tuple[str, ...]:
        found = self._variables(self._anywhere)
        return tuple(each.key for _, each in found if each.source is Source.CHARGE)

    def problems(self, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
        try:
            self.formula.check(vocabulary)
        except FormulaError as error:
            yield from (("formula", str(problem)) for problem in error.problems)

    def unit(self, units: Units) -> str:
        return units.money

    def parts(self, inputs: Inputs) -> Parts:
        vocabulary, subjects = inputs.vocabulary, inputs.subjects
        columns = {name: _read(each, inputs) for name, each in self._variables(vocabulary)}
        where = None if self.classes is None else subjects.is_of(self.classes)
        amount, divisor = self.formula.evaluate(
            columns, vocabulary, count=subjects.count, where=where
        )
        if self.prorate:
            months = inputs.months()
            amount = multiply(amount, months.numerator)
            divisor = divisor if months.divisor is None else multiply(divisor, months.divisor)
        return of_money(amount, None if bool((divisor == 1).all()) else divisor)

    def explain(self, inputs: Inputs) -> Explanation:
        """Return how the formula comes to its result for the first subject of `inputs`."""
        vocabulary = inputs.vocabulary
        values = {name: int(_read(each, inputs)[0]) for name, each in self._variables(vocabulary)}
        return self.formula.explain(values, vocabulary)

    @property
    def _anywhere(self) -> Vocabulary:
        """A vocabulary in which every name of the right form has a meaning."""
        return Vocabulary("electricity", tuple(n.partition(".")[2] for n in self.formula.names))

    def _variables(self, vocabulary: Vocabulary) -> Iterator[tuple[str, Variable]]:
        for name in self.formula.names:
            try:
                yield name, vocabulary.variable(name)
            except UnknownNameError:  # `problems` says so, and such a tariff does not load
                continue


def _read(variable: Variable, inputs: Inputs) -> Column:
    """Return the column of a name, scaled as its variable says."""
    subjects, key = inputs.subjects, variable.key
    match variable.source:
        case Source.USE:
            return subjects.use_of(key)
        case Source.BEFORE_YEAR:
            return subjects.before_year_of(key)
        case Source.BEFORE_QUARTER:
            return subjects.before_quarter_of(key)
        case Source.CHARGE:
            return inputs.billed[key]
        case Source.ATTRIBUTE:
            return subjects.attribute(key)
        case Source.DAYS:
            return subjects.days
        case Source.PERIOD_DAYS:
            return np.full_like(subjects.days, subjects.period_days)
