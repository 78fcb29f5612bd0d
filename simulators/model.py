"""What all simulated meters of one type share, worked out once: a process may hold thousands."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from meters.meter_type import Kind
from meters.words import encode
from simulators.display import Display, said_by
from simulators.payload import PayloadForm
from simulators.truth import bands_of, recipes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meters.meter_type import MeterType

IDENTITY = ""
"""Stands for the identity register among the names of registers."""

_REMEMBERED = 4096


class Span(NamedTuple):
    """The words `first <= address < after` that hold the register `name` for `function`."""

    first: int
    after: int
    name: str
    function: int


class Model:
    """A meter type, ready to be simulated."""

    def __init__(self, meter_type: MeterType) -> None:
        self.meter_type = meter_type
        self.recipes = recipes(meter_type)
        self.bands = bands_of(meter_type)
        self.displays = {name: Display(meter_type, name) for name in meter_type.registers}
        self.billing = tuple(meter_type.billing_registers)
        self.gauges = frozenset(
            name for name, each in meter_type.registers.items() if each.kind is Kind.GAUGE
        )
        self.plain = {
            register.topic: name
            for name, register in meter_type.registers.items()
            if register.topic is not None and register.pointer is None
        }
        """By the topic below the meter's: the register whose plain value it brings."""
        self.forms = {
            topic: None if topic in self.plain else PayloadForm(_pointers(meter_type, topic))
            for topic in sorted(meter_type.topics)
        }
        """By the topic below the meter's: the JSON that it brings, None for a plain value."""
        self.places = {
            name: tuple(register.spans(name)) for name, register in meter_type.registers.items()
        }
        """By the register: the names of its own place, and of its scale factor's."""
        self.scale_words = dict(_scale_words(meter_type))
        """By the name of its place: the words of each scale factor, and what else it may say."""
        self._spans = sorted(_spans(meter_type))
        self.first_word = {span.name: span.first for span in self._spans}
        """The address at which each register, and the identity register, begins."""
        self._asked: dict[tuple[int, int, int], tuple[str, ...] | None] = {}

    @property
    def can_be_rescaled(self) -> bool:
        """Whether a scale factor has something else to say."""
        return any(len(said) > 1 for said in self.scale_words.values())

    @property
    def main(self) -> str:
        """The billing register that the type names first."""
        return self.billing[0]

    @property
    def rolls_over_at(self) -> int | None:
        """Where the main register wraps, in 10⁻⁴ of its unit; None where it never does."""
        return self.displays[self.main].modulus

    def registers_in(self, function: int, address: int, count: int) -> tuple[str, ...] | None:
        """Return the registers that lie at least partly in the words asked for.

        None where a word belongs to no register that `function` reads and may not be read across,
        where one of them is forbidden, or where each register wants a request of its own.
        """
        key = function, address, count
        if key not in self._asked:
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            self._asked[key] = self._find(*key)
        return self._asked[key]

    def _find(self, function: int, address: int, count: int) -> tuple[str, ...] | None:
        access = self.meter_type.modbus
        end = address + count
        if access is None or any(
            first < end and last >= address for first, last in access.forbidden
        ):
            return None
        names: list[str] = []
        next_word = address
        for span in self._spans:
            if span.function != function or span.after <= address or span.first >= end:
                continue
            gap = span.first - next_word
            if gap > 0 and (not names or gap > access.max_gap):
                return None
            names.append(span.name)
            next_word = max(next_word, span.after)
        if next_word < end or (access.singly and len(names) > 1):
            return None
        return tuple(names)


def _spans(meter_type: MeterType) -> list[Span]:
    access = meter_type.modbus
    if access is None:
        return []
    spans = [
        Span(words.start, words.stop, place, access.function)
        for name, register in meter_type.registers.items()
        for place, words in register.spans(name).items()
    ]
    if access.identity is not None:
        identity = access.identity
        spans.append(
            Span(identity.address, identity.after, IDENTITY, identity.function or access.function)
        )
    return spans


def _scale_words(meter_type: MeterType) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
    for name, register in meter_type.registers.items():
        scale = register.scale_factor
        if scale is not None:
            order = scale.order or meter_type.order_of(register)
            place = list(register.spans(name))[-1]
            yield place, [encode(Decimal(n), scale.type, order) for n, _ in said_by(scale)]


def _pointers(meter_type: MeterType, topic: str) -> list[str]:
    """Return the pointers of the JSON that `topic` brings; none where it is a plain value."""
    registers = [
        register.pointer
        for register in meter_type.registers.values()
        if not register.is_on_wire and (register.topic or "") == topic
    ]
    pointers = [pointer for pointer in registers if pointer is not None]
    access = meter_type.mqtt
    if not pointers or access is None:
        return pointers
    every = [access.identity, *pointers, access.time]
    return [pointer for pointer in every if pointer is not None]
