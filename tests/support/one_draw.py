"""Cases of many parts from one draw of Hypothesis, which spends most of its time on each draw.

The names are those of `hypothesis.strategies`, and they mean the same. Of numbers, the ends, those
near nothing and small ones come often. A failing case is not made smaller, but told.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import hypothesis
from hypothesis import strategies

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")
U = TypeVar("U")
DrawFn = Callable[["Part[Any]"], Any]
"""What a function that is `composite` draws its parts with."""
SEEDS = strategies.integers(0, 2**64 - 1)
NEAR_NOTHING = (0, 0, 1, -1)


class Part(Generic[T]):
    """Something that is made from random numbers."""

    def __init__(self, make: Callable[[Random], T]) -> None:
        self.make = make

    def map(self, change: Callable[[T], U]) -> Part[U]:
        return Part(lambda random: change(self.make(random)))

    def __or__(self, other: Part[U]) -> Part[T | U]:
        return Part(lambda random: random.choice((self, other)).make(random))


def given(*parts: Part[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with one value of each of `parts`, all of them from one draw."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @hypothesis.given(SEEDS)
        def of_one_draw(seed: int) -> None:
            random = Random(seed)  # noqa: S311 - it makes test cases, and keeps no secret
            case = [part.make(random) for part in parts]
            try:
                test(*case)
            except Exception as error:
                names = inspect.signature(test).parameters
                told = (f"{name}={value!r}" for name, value in zip(names, case, strict=True))
                error.add_note(f"with {', '.join(told)}")
                raise

        of_one_draw.__name__ = test.__name__
        of_one_draw.__doc__ = test.__doc__
        of_one_draw.__module__ = test.__module__
        return of_one_draw

    return decorate


def integers(low: int, high: int) -> Part[int]:
    edges = (low, high, *(each for each in NEAR_NOTHING if low <= each <= high))
    bits = (high - low).bit_length()

    def make(random: Random) -> int:
        match random.randrange(8):
            case 0:
                return random.choice(edges)
            case 1 | 2 | 3:
                return min(low + random.getrandbits(random.randrange(bits + 1)), high)
            case _:
                return random.randint(low, high)

    return Part(make)


def booleans() -> Part[bool]:
    return Part(lambda random: random.random() < 1 / 2)


def none() -> Part[None]:
    return Part(lambda _: None)


def sampled_from(values: Iterable[T]) -> Part[T]:
    known = tuple(values)
    return Part(lambda random: random.choice(known))


def tuples(*parts: Part[Any]) -> Part[tuple[Any, ...]]:
    return Part(lambda random: tuple(part.make(random) for part in parts))


def lists(
    part: Part[T], *, min_size: int = 0, max_size: int = 10, unique: bool = False
) -> Part[list[T]]:
    def make(random: Random) -> list[T]:
        made = [part.make(random) for _ in range(random.randint(min_size, max_size))]
        return list(dict.fromkeys(made)) if unique else made

    return Part(make)


def composite(make: Callable[[DrawFn], T]) -> Callable[[], Part[T]]:
    return lambda: Part(lambda random: make(lambda part: part.make(random)))
