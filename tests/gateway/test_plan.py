"""Registers become as few requests as the type's limits allow, and none is forgotten."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.plan import billing_names, gauge_names, halves, identity_block, plan, probe
from meters.catalog import shipped
from meters.definition import validate
from meters.meter_type import MeterType
from meters.words import WordType

if TYPE_CHECKING:
    from collections.abc import Mapping

SDM120 = "eastron-sdm120"


def _type(
    registers: Mapping[str, tuple[int, str]], *, max_words: int, max_gap: int, **modbus: Any
) -> MeterType:
    document: dict[str, Any] = {
        "kind": "meter-type",
        "id": "made-up",
        "name": "Made up",
        "manufacturer": "None",
        "medium": "electricity",
        "modbus": {"function": 3, "max_words": max_words, "max_gap": max_gap, **modbus},
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
        "proof": [
            {
                "kind": "computed",
                "source": "none",
                "words": "0000",
                "expect": {next(iter(registers)): "0"},
            }
        ],
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


def test_an_sdm630_takes_three_requests_at_most_and_one_for_what_bills_rest_on() -> None:
    sdm630 = shipped()["eastron-sdm630"]
    blocks = plan(sdm630, sdm630.registers)
    assert len(blocks) <= 3
    assert {"import_energy", "export_energy"} <= set(blocks[0].names)
    (billed,) = plan(sdm630, billing_names(sdm630))
    assert (billed.function, billed.start, billed.words) == (4, 0x48, 4)


@pytest.mark.parametrize("name", [name for name, each in shipped().items() if each.modbus])
def test_every_shipped_type_is_read_in_a_few_requests_within_its_limits(name: str) -> None:
    meter_type = shipped()[name]
    access = meter_type.modbus
    assert access is not None
    blocks = plan(meter_type, meter_type.registers)
    assert access.singly or len(blocks) <= 6
    for block in (*blocks, probe(meter_type)):
        assert block.words <= access.max_words
        after = block.start + block.words
        assert not any(block.start <= last and first < after for first, last in access.forbidden)


@given(_types(), st.lists(st.integers(0, 400), min_size=1, max_size=4))
def test_no_request_touches_a_forbidden_address(made: MeterType, walls: list[int]) -> None:
    assert made.modbus is not None
    taken = {
        address
        for register in made.registers.values()
        if register.address is not None and register.type is not None
        for address in range(register.address, register.address + register.type.words)
    }
    free = [wall for wall in walls if wall not in taken]
    forbidden = made.modbus.model_copy(update={"forbidden": tuple((w, w) for w in free)})
    fenced = made.model_copy(update={"modbus": forbidden})
    blocks = plan(fenced, fenced.registers)
    asked = {a for block in blocks for a in range(block.start, block.start + block.words)}
    assert asked >= taken
    assert asked.isdisjoint(free)


def test_a_type_that_is_read_singly_has_a_request_for_each_register() -> None:
    made = _type({"a": (0, "uint16"), "b": (1, "uint32")}, max_words=125, max_gap=10, singly=True)
    assert [(block.start, block.words) for block in plan(made, made.registers)] == [(0, 1), (1, 2)]


def _scaled(address: int, scale: int, **modbus: Any) -> MeterType:
    made = _type({"a": (address, "uint32"), "b": (200, "uint16")}, max_words=50, max_gap=8)
    document = made.model_dump(by_alias=True, exclude_none=True)
    document["modbus"] |= modbus
    for name in document["register"]:
        document["register"][name]["scale_factor"] = {"address": scale, "exponent": [-2, 0]}
    return validate(MeterType, document, "made up")


def test_what_tells_the_scale_is_read_in_the_same_request() -> None:
    (block,) = plan(_scaled(10, 20), ["a"])

    assert (block.start, block.words, block.names) == (10, 11, ("a", "a.scale_factor"))


def test_a_scale_that_lies_far_off_is_read_in_the_same_turn() -> None:
    near, far = plan(_scaled(10, 100), ["a"])

    assert (near.start, near.words, far.start, far.words) == (10, 2, 100, 1)
    assert [block.start for block in plan(_scaled(10, 100), ["a", "b"])] == [10, 100, 200]


def test_a_refused_request_for_a_register_and_its_scale_is_asked_for_in_parts() -> None:
    made = _scaled(10, 20)
    (block,) = plan(made, ["a"])

    assert [half.names for half in halves(made, block)] == [("a",), ("a.scale_factor",)]


def test_what_bills_rest_on_is_read_first() -> None:
    iem = shipped()["schneider-iem3155"]
    first, *rest = plan(iem, iem.registers)
    assert first.start > max(block.start for block in rest)
    assert set(first.names) == billing_names(iem)


def test_a_refused_block_is_asked_for_in_halves_until_the_culprit_is_alone() -> None:
    made = _type(
        {name: (2 * n, "uint32") for n, name in enumerate("abcde")}, max_words=125, max_gap=0
    )
    (block,) = plan(made, made.registers)
    first, second = halves(made, block)
    assert (first.names, second.names) == (("a", "b"), ("c", "d", "e"))
    assert (second.start, second.words) == (4, 6)
    assert [half.names for half in halves(made, second)] == [("c",), ("d", "e")]


def test_the_probe_is_the_smallest_request_or_the_meters_number() -> None:
    made = _type({"a": (0, "uint64"), "b": (9, "uint16")}, max_words=125, max_gap=0)
    assert identity_block(made) is None
    assert probe(made)[1:3] == (9, 1)
    identity = {"address": 0xFC00, "type": "uint32", "function": 4}
    named = _type({"a": (0, "uint64")}, max_words=125, max_gap=0, identity=identity)
    assert identity_block(named) == probe(named) == (4, 0xFC00, 2, ())


def test_a_type_without_modbus_has_no_plan() -> None:
    with pytest.raises(ValueError, match="wmbusmeters-water does not answer on Modbus"):
        plan(shipped()["wmbusmeters-water"], ["volume"])
