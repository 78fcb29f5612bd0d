"""Registers become as few requests as the type's limits allow, and none is forgotten."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.plan import billing_names, gauge_names, plan, singly
from meters.catalog import shipped
from meters.definition import validate
from meters.meter_type import MeterType
from meters.words import WordType

if TYPE_CHECKING:
    from collections.abc import Mapping

SDM120 = "eastron-sdm120"


def _type(registers: Mapping[str, tuple[int, str]], *, max_words: int, max_gap: int) -> MeterType:
    document: dict[str, Any] = {
        "kind": "meter-type",
        "id": "made-up",
        "name": "Made up",
        "manufacturer": "None",
        "medium": "electricity",
        "modbus": {"function": 3, "max_words": max_words, "max_gap": max_gap},
        "register": {
            name: {
                "kind": "total",
                "unit": "kWh",
                "address": address,
                "type": word_type,
                "resolution": "0.01",
                "max_rate": "10",
            }
            for name, (address, word_type) in registers.items()
        },
    }
    return validate(MeterType, document, "made up")


@st.composite
def _types(draw: st.DrawFn) -> MeterType:
    registers: dict[str, tuple[int, str]] = {}
    address = 0
    for gap in draw(st.lists(st.integers(0, 130), min_size=1, max_size=25)):
        word_type = draw(st.sampled_from([each for each in WordType if each.size % 2 == 0]))
        registers[f"r{len(registers)}"] = (address + gap, word_type)
        address += gap + word_type.words
    return _type(registers, max_words=draw(st.integers(4, 125)), max_gap=draw(st.integers(0, 124)))


@given(_types())
def test_every_register_is_whole_in_exactly_one_block_within_the_limits(made: MeterType) -> None:
    assert made.modbus is not None
    blocks = plan(made, made.registers)
    assert sorted(name for block in blocks for name in block.names) == sorted(made.registers)
    for block in blocks:
        assert 1 <= block.words <= made.modbus.max_words
        covered = set()
        for name in block.names:
            register = made.registers[name]
            assert register.address is not None
            assert register.type is not None
            covered |= set(range(register.address, register.address + register.type.words))
        assert covered <= set(range(block.start, block.start + block.words))
        edges = sorted(covered)
        assert edges[0] == block.start
        assert edges[-1] == block.start + block.words - 1
        gaps = [after - before - 1 for before, after in pairwise(edges)]
        assert max(gaps, default=0) <= made.modbus.max_gap


@given(_types())
def test_neighbouring_blocks_could_not_have_been_joined(made: MeterType) -> None:
    assert made.modbus is not None
    blocks = plan(made, made.registers)
    for before, after in pairwise(blocks):
        first = made.registers[after.names[0]]
        assert first.type is not None
        gap = after.start - (before.start + before.words)
        joined = max(before.start + before.words, after.start + first.type.words) - before.start
        assert gap > made.modbus.max_gap or joined > made.modbus.max_words


def test_the_billing_registers_of_an_sdm120_are_one_small_request() -> None:
    sdm120 = shipped()[SDM120]
    (block,) = plan(sdm120, billing_names(sdm120))
    assert (block.function, block.start, block.words) == (4, 0x48, 4)


def test_billing_registers_and_gauges_are_all_registers() -> None:
    sdm120 = shipped()[SDM120]
    assert billing_names(sdm120) | gauge_names(sdm120) == set(sdm120.registers)
    assert not billing_names(sdm120) & gauge_names(sdm120)


def test_a_refused_block_is_asked_for_register_by_register() -> None:
    sdm120 = shipped()[SDM120]
    (block,) = plan(sdm120, sdm120.registers)
    singles = singly(sdm120, block)
    assert [single.names for single in singles] == [(name,) for name in block.names]
    assert {single.words for single in singles} == {2}


def test_a_type_without_modbus_has_no_plan() -> None:
    with pytest.raises(ValueError, match="wmbusmeters-water does not answer on Modbus"):
        plan(shipped()["wmbusmeters-water"], ["volume"])
