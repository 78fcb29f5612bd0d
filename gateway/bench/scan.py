"""A line of meters, searched: which units answer, and which type each is most likely of."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.bench.likeness import Likeness, likeness, telling
from gateway.modbus import (
    ConnectionLostError,
    LateAnswerError,
    NoAnswerError,
    RefusedError,
    WrongAnswerError,
)
from gateway.plan import Block, identity_block, plan, probe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from gateway.connection import ModbusConnection
    from meters.meter_type import MeterType

FUNCTION_UNKNOWN = 1
NOT_THERE = (10, 11)
"""Exceptions by which a gateway says that the unit does not answer."""
MOST_SILENCES = 6
"""After so many requests without an answer a unit is asked nothing more."""
LATE_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class FoundUnit:
    """A unit that answers, with what it is most like, the likeliest first.

    `trouble` says what is wrong with how it answers, None where nothing is.
    """

    unit: int
    guesses: tuple[Likeness, ...]
    requests: int
    trouble: str | None = None


async def scan(
    connection: ModbusConnection,
    units: Sequence[int],
    types: Iterable[MeterType],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[FoundUnit]:
    """Yield those of `units` that answer, each held against the Modbus types among `types`.

    A silent unit costs one request. An exception is an answer, unless a gateway says with it that
    nobody answered. Raises `UnreachableError` where the line itself cannot be reached.
    """
    candidates = [each for each in types if each.modbus is not None]
    first = _commonest_probe(candidates)
    for unit in units:
        progress(unit)
        memory = _Memory(connection, unit, candidates)
        try:
            await memory.ask(first)
        except WrongAnswerError as error:
            what = f"it answers wrongly ({error}); do two devices have this number?"
            yield FoundUnit(unit, (), memory.requests, what)
            continue
        except (ConnectionLostError, NoAnswerError):
            continue
        except RefusedError as error:
            if error.code in NOT_THERE:
                continue
        yield await _likened(memory, unit, candidates)


def _commonest_probe(types: Iterable[MeterType]) -> Block:
    probes = Counter(probe(each)._replace(names=()) for each in types)
    (commonest, _), *_ = probes.most_common(1) or [(Block(3, 0, 1, ()), 0)]
    return commonest


async def _likened(memory: _Memory, unit: int, types: Sequence[MeterType]) -> FoundUnit:
    guesses = []
    for meter_type in types:
        found = await _compared(memory, meter_type)
        if found is not None and found.score > 0:
            guesses.append(found)
        if memory.silences >= MOST_SILENCES:
            what = (
                "it is silent to what it does not know, so that it was not held against every "
                "type; name those that it may be with --type"
            )
            return FoundUnit(unit, _sorted(guesses), memory.requests, what)
    return FoundUnit(unit, _sorted(guesses), memory.requests)


def _sorted(guesses: list[Likeness]) -> tuple[Likeness, ...]:
    return tuple(sorted(guesses, key=lambda each: -each.score))


async def _compared(memory: _Memory, meter_type: MeterType) -> Likeness | None:
    """Return how the unit is like `meter_type`; None where it lacks what bills rest on."""
    billing = meter_type.billing_registers.keys()
    names = telling(meter_type)
    for block in plan(meter_type, names):
        has_it = await memory.has(block)
        if not has_it and not billing.isdisjoint(block.names):
            return None
    identity = identity_block(meter_type)
    stated = None
    if identity is not None and await memory.has(identity):
        stated = memory.words(identity)
    access = meter_type.modbus
    image = {} if access is None else memory.images.get(access.function, {})
    return likeness(meter_type, image, stated)


@dataclass(slots=True)
class _Memory:
    """What one unit answered: no words are asked for twice, whichever types share them."""

    connection: ModbusConnection
    unit: int
    candidates: Sequence[MeterType]
    requests: int = 0
    silences: int = 0
    images: dict[int, dict[int, int]] = field(default_factory=dict)
    """function → address → word."""
    _refused: set[Block] = field(default_factory=set)
    _unknown: set[int] = field(default_factory=set)

    async def has(self, block: Block) -> bool:
        """Return whether the unit has the words of `block`, asking for them at most once."""
        key = block._replace(names=())
        image = self.images.get(block.function, {})
        if all(address in image for address in _addresses(block)):
            return True
        is_hopeless = block.function in self._unknown or self.silences >= MOST_SILENCES
        if is_hopeless or key in self._refused or self._may_not(block):
            return False
        try:
            await self.ask(block)
        except RefusedError as error:
            if error.code == FUNCTION_UNKNOWN:
                self._unknown.add(block.function)
        except (ConnectionLostError, NoAnswerError, WrongAnswerError, LateAnswerError):
            self.silences += 1
        else:
            return True
        self._refused.add(key)
        return False

    async def ask(self, block: Block) -> None:
        """Ask for `block` and keep what comes; raise a `ModbusError` where that fails."""
        self.requests += 1
        for _ in range(3):
            try:
                words = await self.connection.read(
                    self.unit, block.function, block.start, block.words
                )
                break
            except LateAnswerError:  # an answer that is owed may still come: let it
                await asyncio.sleep(LATE_WAIT_S)
        else:
            words = await self.connection.read(self.unit, block.function, block.start, block.words)
        image = self.images.setdefault(block.function, {})
        image.update(zip(_addresses(block), words, strict=True))

    def words(self, block: Block) -> tuple[int, ...]:
        """Return the words of `block`, which the unit has."""
        image = self.images[block.function]
        return tuple(image[address] for address in _addresses(block))

    def _may_not(self, block: Block) -> bool:
        """Return whether one of the types says that no request may touch addresses of `block`."""
        return any(
            first < block.start + block.words and last >= block.start
            for each in self.candidates
            if each.modbus is not None
            for first, last in each.modbus.forbidden
        )


def _addresses(block: Block) -> range:
    return range(block.start, block.start + block.words)
