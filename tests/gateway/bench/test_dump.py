"""Words of a meter, whatever it refuses, in several readings and as a proof to fill in."""

from __future__ import annotations

import asyncio
import tomllib

import pytest

from gateway.bench.dump import dump, numbers, proofs
from gateway.modbus import NoAnswerError, RefusedError


class Meter:
    """A meter that has the words of `image` alone."""

    def __init__(self, image: dict[int, int], *, code: int = 2, most: int = 125) -> None:
        self.interruptions = 0
        self.image = image
        self.code = code
        self.most = most
        self.requests = 0

    async def read(self, _unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        self.requests += 1
        span = range(address, address + words)
        if words > self.most or not all(at in self.image for at in span):
            raise RefusedError("refused", self.code)
        return tuple(self.image[at] for at in span)

    def close(self) -> None:
        """Nothing is open."""


def dumped(meter: Meter, span: range) -> dict[int, int]:
    return asyncio.run(dump(meter, 1, 4, span))


def test_what_is_there_comes_in_one_request() -> None:
    meter = Meter({at: at * 3 for at in range(100)})

    assert dumped(meter, range(10, 90)) == {at: at * 3 for at in range(10, 90)}
    assert meter.requests == 1


def test_more_words_than_a_request_holds_are_asked_for_in_parts() -> None:
    meter = Meter(dict.fromkeys(range(300), 7))

    assert len(dumped(meter, range(300))) == 300
    assert meter.requests == 3


@pytest.mark.parametrize("most", [1, 2, 10])
def test_what_is_refused_is_left_out_and_nothing_else(most: int) -> None:
    there = {3, 4, 5, 9, 17}
    meter = Meter({at: at for at in there}, most=most)

    assert set(dumped(meter, range(20))) == there


def test_a_meter_that_fails_otherwise_is_not_asked_on() -> None:
    with pytest.raises(RefusedError):
        dumped(Meter({}, code=4), range(10))


def test_silence_is_no_refusal() -> None:
    class Silent(Meter):
        async def read(self, *_: int) -> tuple[int, ...]:
            raise NoAnswerError("silent")

    with pytest.raises(NoAnswerError):
        dumped(Silent({}), range(10))


def test_words_are_shown_in_the_ways_that_meters_use() -> None:
    shown = numbers({0x48: 0x462A, 0x49: 0x7521}, 0x48)

    assert shown == {
        "uint16": "17962",
        "int16": "17962",
        "uint32": "1177187617",
        "uint32 CDAB": "1965114922",
        "float32": "10909.28",
        "float32 CDAB": "2.044392e+32",
    }
    assert numbers({0: 0xFFFE}, 0)["int16"] == "-2"
    assert numbers({0: 0xFFFE}, 0)["float32"] == "-"
    assert numbers({0: 0x7FC0, 1: 0}, 0)["float32"] == "-"


def test_each_run_of_words_is_a_proof_to_fill_in() -> None:
    found = [tomllib.loads(each)["proof"][0] for each in proofs({1: 0xAB, 2: 0xCD, 9: 1})]

    assert [(each["at"], each["words"]) for each in found] == [(1, "00ab 00cd"), (9, "0001")]


def test_nothing_found_is_no_proof() -> None:
    assert list(proofs({})) == []
