"""A line is searched: silence is absence, an exception is an answer, and no type costs twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.bench.scan import MOST_SILENCES, FoundUnit, scan
from gateway.modbus import NoAnswerError, RefusedError, UnreachableError, WrongAnswerError
from meters.catalog import shipped
from simulators.bench.meters import Bench
from simulators.load import ANCHOR
from simulators.model import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPES = shipped()
ALL = [each for each in TYPES.values() if each.modbus is not None]
LATER = ANCHOR + timedelta(days=400)


class Line:
    """Units that answer as told; the others are silent."""

    def __init__(self, **units: Any) -> None:
        self.units = {int(name.removeprefix("unit")): answer for name, answer in units.items()}
        self.asked: list[tuple[int, int, int, int]] = []

    async def read(self, unit: int, function: int, address: int, words: int) -> tuple[int, ...]:
        self.asked.append((unit, function, address, words))
        if unit not in self.units:
            raise NoAnswerError("silent")
        answer: tuple[int, ...] = self.units[unit](function, address, words)
        return answer


def meter(type_id: str) -> Any:
    """Return what answers like a meter of the type, and refuses what it does not have."""
    meter_type = TYPES[type_id]
    access = meter_type.modbus
    assert access is not None
    (simulated,) = Bench(meter_type=meter_type).meters()
    image = simulated.image(LATER, meter_type.registers)
    for register in meter_type.registers.values():  # what lies in gaps may be read across
        for at in range(register.span.stop, register.span.stop + access.max_gap):
            image.setdefault(at, 0)
    images = {access.function: image}
    if access.identity is not None:
        words = simulated.words(IDENTITY, LATER)
        images.setdefault(access.identity.function, {}).update(
            enumerate(words, start=access.identity.address)
        )

    def answer(function: int, address: int, words: int) -> tuple[int, ...]:
        image = images.get(function)
        if image is None:
            raise RefusedError("illegal function", 1)
        span = range(address, address + words)
        if not all(at in image for at in span):
            raise RefusedError("illegal data address", 2)
        return tuple(image[at] for at in span)

    return answer


def refusing(code: int) -> Any:
    def answer(*_: int) -> tuple[int, ...]:
        raise RefusedError("refused", code)

    return answer


def scanned(line: Any, units: Iterable[int], types: Any = ALL) -> list[FoundUnit]:
    async def _all() -> list[FoundUnit]:
        return [each async for each in scan(line, list(units), types)]

    return asyncio.run(_all())


@pytest.mark.parametrize("type_id", sorted(each.id for each in ALL))
def test_no_type_is_likelier_than_the_meters_own(type_id: str) -> None:
    (found,) = scanned(Line(unit7=meter(type_id)), range(6, 9))

    assert found.unit == 7
    best = [each.meter_type.id for each in found.guesses if each.score == found.guesses[0].score]
    assert type_id in best
    assert {maker_of(each) for each in best} == {maker_of(type_id)}


def maker_of(type_id: str) -> str:
    return TYPES[type_id].manufacturer


def test_a_silent_unit_costs_one_request() -> None:
    line = Line()

    assert scanned(line, range(1, 248)) == []
    assert [unit for unit, *_ in line.asked] == list(range(1, 248))


def test_no_request_is_made_twice_however_many_types_share_it() -> None:
    line = Line(unit1=meter("eastron-sdm630"))

    (found,) = scanned(line, [1])

    assert len(line.asked) == len(set(line.asked)) == found.requests


def test_an_exception_is_an_answer() -> None:
    (found,) = scanned(Line(unit3=refusing(2)), range(1, 6))

    assert (found.unit, found.guesses) == (3, ())


@pytest.mark.parametrize("code", [10, 11])
def test_an_exception_by_which_a_gateway_says_that_nobody_answered_is_none(code: int) -> None:
    assert scanned(Line(unit3=refusing(code)), range(1, 6)) == []


def test_a_function_that_a_unit_does_not_know_is_asked_for_once() -> None:
    line = Line(unit1=refusing(1))

    scanned(line, [1])

    assert len(line.asked) <= 3  # the probe, and each function


def test_a_unit_that_is_silent_to_what_it_lacks_is_left_in_time() -> None:
    sound = meter("eastron-sdm120")

    def answer(function: int, address: int, words: int) -> tuple[int, ...]:
        try:
            found: tuple[int, ...] = sound(function, address, words)
        except RefusedError:
            raise NoAnswerError("silent") from None
        return found

    line = Line(unit1=answer)
    (found,) = scanned(line, [1])

    assert found.trouble is not None
    assert "--type" in found.trouble
    silent = [each for each in line.asked if each[1:] == (3, 0, 0)]
    assert len(line.asked) - len(silent) <= MOST_SILENCES + 6


def test_two_devices_with_one_number_are_reported() -> None:
    def answer(*_: int) -> tuple[int, ...]:
        raise WrongAnswerError("bytes that make no frame")

    (found,) = scanned(Line(unit1=answer), [1])

    assert found.trouble is not None
    assert "do two devices have this number?" in found.trouble


def test_a_line_that_cannot_be_reached_ends_the_search() -> None:
    def answer(*_: int) -> tuple[int, ...]:
        raise UnreachableError("nobody there")

    with pytest.raises(UnreachableError):
        scanned(Line(unit1=answer), [1])


def test_addresses_that_no_request_may_touch_are_not_touched() -> None:
    guarded = TYPES["eastron-sdm120"].model_copy(
        update={
            "modbus": TYPES["eastron-sdm120"].modbus.model_copy(  # type: ignore[union-attr] # it is on Modbus
                update={"forbidden": ((0x0000, 0x0010),)}
            )
        }
    )
    line = Line(unit1=meter("hiking-dds238"))

    scanned(line, [1], [TYPES["hiking-dds238"], guarded])

    assert all(address > 0x10 for _, _, address, _ in line.asked[1:])
