"""From the registers of a meter type to as few requests as its limits allow."""

from __future__ import annotations

import weakref
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from meters.access import ModbusAccess
    from meters.meter_type import MeterType


class Block(NamedTuple):
    """One request: `words` words from `start` on, which hold the registers `names`."""

    function: int
    start: int
    words: int
    names: tuple[str, ...]


class _Span(NamedTuple):
    """A register's place: its first address, and the one after its last."""

    start: int
    after: int
    name: str


class Part(Enum):
    """Which of a device's registers are read in a turn."""

    BILLING = "billing"
    GAUGES = "gauges"
    ALL = "all"


class TypePlan:
    """Everything that the devices of one type are asked, planned once for all of them."""

    def __init__(self, meter_type: MeterType) -> None:
        self.has_gauges = bool(gauge_names(meter_type))
        self.probe = probe(meter_type)
        self.identity = identity_block(meter_type)
        self.blocks = {
            Part.BILLING: plan(meter_type, billing_names(meter_type)),
            Part.GAUGES: plan(meter_type, gauge_names(meter_type)),
            Part.ALL: plan(meter_type, meter_type.registers),
        }


def plan_of(meter_type: MeterType) -> TypePlan:
    """Return the plan of `meter_type`, made when it is wanted first."""
    key = id(meter_type)
    found = _PLANS.get(key)
    if found is None:
        found = _PLANS[key] = TypePlan(meter_type)
        weakref.finalize(meter_type, _PLANS.pop, key)
    return found


_PLANS: dict[int, TypePlan] = {}


def plan(meter_type: MeterType, names: Collection[str]) -> tuple[Block, ...]:
    """Return the requests that read the registers `names`, those that bills rest on first.

    The scale factor of a register is read with it, under a name of its own.

    Neighbours are joined across at most `max_gap` undefined words, into at most `max_words`, never
    over a forbidden address, and not at all for a type that is read `singly`. Each register is
    whole in exactly one block. Raises `ValueError` for a type without Modbus.
    """
    access = _access(meter_type)
    runs: list[list[_Span]] = []
    for span in sorted(_spans(meter_type, names)):
        if runs and _may_join(runs[-1], span, access):
            runs[-1].append(span)
        else:
            runs.append([span])
    blocks = [_block(access, run) for run in runs]
    billing = {span.name for span in _spans(meter_type, meter_type.billing_registers)}
    return tuple(sorted(blocks, key=lambda block: billing.isdisjoint(block.names)))


def billing_names(meter_type: MeterType) -> frozenset[str]:
    """Return the registers that bills may rest on."""
    return frozenset(meter_type.billing_registers)


def gauge_names(meter_type: MeterType) -> frozenset[str]:
    """Return every other register."""
    return frozenset(meter_type.registers) - billing_names(meter_type)


def halves(meter_type: MeterType, block: Block) -> tuple[Block, Block]:
    """Return two requests for the registers of `block`, of two at least, which was refused whole.

    Halved again and again, the registers that a device does not have are found, and the others
    stay together.
    """
    access = _access(meter_type)
    every = _spans(meter_type, meter_type.registers)
    spans = sorted(span for span in every if span.name in block.names)
    middle = len(spans) // 2
    return _block(access, spans[:middle]), _block(access, spans[middle:])


def identity_block(meter_type: MeterType) -> Block | None:
    """Return the request for the meter's own number; None where the type has no such register."""
    access = _access(meter_type)
    if access.identity is None:
        return None
    words = access.identity.after - access.identity.address
    return Block(access.identity.function, access.identity.address, words, ())


def probe(meter_type: MeterType) -> Block:
    """Return the smallest request that shows whether a device answers: its words are not used.

    Where the type has an identity register it is that one, as it is wanted anyway.
    """
    if (identity := identity_block(meter_type)) is not None:
        return identity
    spans = _spans(meter_type, meter_type.registers)
    return _block(_access(meter_type), [min(spans, key=lambda span: span.after - span.start)])


def _access(meter_type: MeterType) -> ModbusAccess:
    if meter_type.modbus is None:
        raise ValueError(f"{meter_type.id} does not answer on Modbus")
    return meter_type.modbus


def _may_join(run: list[_Span], span: _Span, access: ModbusAccess) -> bool:
    start = run[0].start
    run_after = max(each.after for each in run)
    after = max(run_after, span.after)
    return (
        not access.singly
        and span.start - run_after <= access.max_gap
        and after - start <= access.max_words
        and not any(first < after and last >= start for first, last in access.forbidden)
    )


def _block(access: ModbusAccess, run: list[_Span]) -> Block:
    start = run[0].start
    after = max(span.after for span in run)
    return Block(access.function, start, after - start, tuple(span.name for span in run))


def _spans(meter_type: MeterType, names: Collection[str]) -> list[_Span]:
    return [
        _Span(words.start, words.stop, place)
        for name in names
        for place, words in meter_type.registers[name].spans(name).items()
    ]
