"""What counts as a float in exact code, and what does not."""

from __future__ import annotations

import pytest
from float_use import Declarations, find_floats
from source_tree import Source

PRELUDE = """\
import json, math
from decimal import Decimal
from pathlib import Path
class Register:
    resolution: Decimal | None
    count: int
    @property
    def rate(self) -> Decimal: ...
def price() -> Decimal: ...
LIMIT: Decimal = price()
"""


def found(code: str) -> list[str]:
    source = Source.of("billing/example.py", PRELUDE + code)
    return [
        source.lines[finding.node.lineno - 1].strip()  # type: ignore[attr-defined] # statements only
        for finding in find_floats(source, Declarations.of([source]))
    ]


@pytest.mark.parametrize(
    "code",
    [
        "amount = 0.1",
        "amount = float('1')",
        "def total(amount: float) -> Decimal: ...",
        "def total(amount: Decimal) -> float: ...",
        "amounts: list[float] = []",
        "column = numpy.zeros(3, numpy.float64)",
        "column = sqlalchemy.Column(sqlalchemy.Float)",
        "share = units / total",
        "units /= total",
        "share = len(units) / 2",
        "share = register.count / 2",
        "rate = 1 if units else 2 / 3",
        "def total(amount: Decimal | int): return amount / 2",
        "root = math.sqrt(2)",
        "document = json.loads(text)",
        "seconds = length.total_seconds()",
        "key = moment.timestamp()",
        "share = numpy.true_divide(units, total)",
        "limit_s, amount = 1, 0.5",
    ],
)
def test_a_float_is_found(code: str) -> None:
    assert found(code) == [code]


@pytest.mark.parametrize(
    "code",
    [
        "amount = Decimal('0.1')",
        "timeout_s: float = 0.5",
        "timeout_s = 0.5",
        "def wait(*, timeout_s: float = 2.5) -> None: ...",
        "def wait(timeout_s: float = 2.5, /) -> None: ...",
        "def elapsed_s() -> float: ...",
        "wait(timeout_s=0.5)",
        "share = units // total",
        "def half(amount: Decimal): return amount / 2",
        "def half(amount: Decimal | None): return amount / 2",
        "def part(amount): return amount / Decimal(3)",
        "def part(folder: Path): return folder / 'a' / name",
        "def part(folder): return folder / f'{name}.toml'",
        "def part(units): share = price() * units; return share / units",
        "def part(register): return register.resolution / 2 + 1 / register.rate",
        "def part(units): return units / LIMIT",
        "def part(units: Decimal): units /= 3",
        "whole = math.isqrt(2)",
        "document = json.loads(text, parse_float=Decimal)",
        "key = int(moment.timestamp())",
        "kind = WordType.FLOAT32",
    ],
)
def test_what_is_exact_is_left_alone(code: str) -> None:
    assert found(code) == []
