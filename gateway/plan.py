"""From the registers of a meter type to as few requests as its limits allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from meters.meter_type import MeterType


class Block(NamedTuple):
    """One request: `words` words from `start` on, which hold the registers `names`."""

    function: int
    start: int
    words: int
    names: tuple[str, ...]


def plan(meter_type: MeterType, names: Collection[str]) -> tuple[Block, ...]:
    """Return the requests that read the registers `names`, in the order of their addresses.

    Neighbours are joined across at most `max_gap` undefined words, and into at most `max_words`.
    Each register is whole in exactly one block. Raises `ValueError` for a type without Modbus.
    """
    access = meter_type.modbus
    if access is None:
        raise ValueError(f"{meter_type.id} does not answer on Modbus")
    blocks: list[Block] = []
    for name, start, end in sorted(_spans(meter_type, names), key=lambda span: span[1:]):
        if blocks:
            last = blocks[-1]
            last_end = last.start + last.words
            joined_end = max(last_end, end)
            if start - last_end <= access.max_gap and joined_end - last.start <= access.max_words:
                blocks[-1] = Block(
                    last.function, last.start, joined_end - last.start, (*last.names, name)
                )
                continue
        blocks.append(Block(access.function, start, end - start, (name,)))
    return tuple(blocks)


def billing_names(meter_type: MeterType) -> frozenset[str]:
    """Return the registers that bills may rest on."""
    return frozenset(meter_type.billing_registers)


def gauge_names(meter_type: MeterType) -> frozenset[str]:
    """Return every other register."""
    return frozenset(meter_type.registers) - billing_names(meter_type)


def singly(meter_type: MeterType, block: Block) -> tuple[Block, ...]:
    """Return one request for each register of `block`, for a device that refuses it as a whole."""
    return tuple(
        Block(block.function, start, end - start, (name,))
        for name, start, end in _spans(meter_type, block.names)
    )


def _spans(meter_type: MeterType, names: Collection[str]) -> Iterator[tuple[str, int, int]]:
    """Yield name, first address and the address after the last of each register of `names`."""
    for name in names:
        register = meter_type.registers[name]
        if register.address is not None and register.type is not None:
            yield name, register.address, register.address + register.type.words
