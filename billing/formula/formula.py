"""A formula: read once, checked where it stands, then evaluated over columns and explained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic_core import CoreSchema, core_schema

from billing.formula.checking import problems_of
from billing.formula.evaluating import Evaluation
from billing.formula.explaining import Step, Walk
from billing.formula.parsing import parse_tree
from billing.formula.problem import FormulaBlockedError, FormulaError
from billing.formula.ratios import Ratio, chosen, loaded
from billing.formula.tree import Name, Node, canonical_text, walk
from billing.formula.units import MONEY, Dimension
from meters.quantity import SCALE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.formula.ratios import Mask
    from billing.formula.vocabulary import Vocabulary
    from billing.money import Column


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that can be read; `text` is its canonical text, and all that it is compared by."""

    text: str
    tree: Node = field(compare=False, repr=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """Read a formula from its text in a definition, and write it back as its canonical text."""
        return core_schema.no_info_after_validator_function(
            parse_formula,
            core_schema.str_schema(strict=True),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda each: each.text),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the formula reads, sorted."""
        return tuple(sorted({each.name for each in walk(self.tree) if isinstance(each, Name)}))

    def check(self, vocabulary: Vocabulary, *, result: Dimension = MONEY) -> None:
        """Raise `FormulaError` with every unknown name and every unit that does not fit."""
        if problems := problems_of(self.tree, vocabulary, result):
            raise FormulaError(problems)

    def evaluate(
        self,
        columns: Mapping[str, Column],
        vocabulary: Vocabulary,
        *,
        count: int,
        where: Mask | None = None,
    ) -> tuple[Column, Column]:
        """Return numerators and divisors, int64[count]: the result in 10⁻⁴ is their quotient.

        `columns` has int64[count] for each of `names`, scaled as the vocabulary says. Divisors are
        positive and fractions in lowest terms. `where`: bool[count], the rows that the formula is
        for, None for all; the others are 0, whatever they hold. Raises `FormulaBlockedError` with
        every row that has no result, and `OverflowInMoneyError`.
        """
        evaluation = self._over(columns, vocabulary, count)
        active = evaluation.everywhere() if where is None else where
        result = evaluation.number(self.tree, active)
        if evaluation.blocked:
            rows = sorted(evaluation.blocked.values(), key=lambda each: each.row)
            raise FormulaBlockedError(self.text, rows)
        wanted = result if where is None else chosen(where, result, Ratio(0))
        return wanted.scaled_to(SCALE, count)

    def explain(self, values: Mapping[str, int], vocabulary: Vocabulary) -> Explanation:
        """Return how the formula comes to its result for one unit.

        `values` has the scaled integer of each of `names`. Raises as `evaluate` does.
        """
        columns = {name: np.array([values[name]], dtype=np.int64) for name in self.names}
        self.evaluate(columns, vocabulary, count=1)
        way = Walk(self._over(columns, vocabulary, 1), vocabulary)
        result = way.shown(self.tree)
        return Explanation(
            formula=self.text,
            values={name: way.shown(Name(0, name)) for name in self.names},
            steps=tuple(way.steps),
            result=result,
        )

    def _over(
        self, columns: Mapping[str, Column], vocabulary: Vocabulary, count: int
    ) -> Evaluation:
        values = {
            name: loaded(columns[name], vocabulary.variable(name).scale) for name in self.names
        }
        return Evaluation(count, values)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A formula for one unit: the numbers behind its names, each step, and the result."""

    formula: str
    values: Mapping[str, str]
    steps: tuple[Step, ...]
    result: str

    @property
    def document(self) -> dict[str, Any]:
        """The explanation as evidence keeps it."""
        return {
            "formula": self.formula,
            "values": dict(self.values),
            "steps": [str(step) for step in self.steps],
            "result": self.result,
        }


def parse_formula(text: str) -> Formula:
    """Return the formula that `text` writes; raise `FormulaError` with position and reason."""
    tree = parse_tree(text)
    return Formula(canonical_text(tree), tree)
