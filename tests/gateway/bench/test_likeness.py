"""What speaks for a type and what against it, so that the right one comes first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.bench.likeness import Likeness, likeness, telling
from meters.catalog import shipped
from meters.words import WordOrder, WordType, encode
from simulators.bench.meters import Bench
from simulators.load import ANCHOR
from simulators.model import IDENTITY

TYPES = {name: each for name, each in shipped().items() if each.modbus is not None}
LATER = ANCHOR + timedelta(days=400)


def image_of(type_id: str, **changed: tuple[int, ...]) -> dict[int, int]:
    """Return the words of a simulated meter, those of some registers `changed`."""
    (meter,) = Bench(meter_type=TYPES[type_id]).meters()
    image = meter.image(LATER, TYPES[type_id].registers)
    for name, words in changed.items():
        image.update(enumerate(words, start=TYPES[type_id].registers[name].span.start))
    return image


def score(type_id: str, image: dict[int, int], number: tuple[int, ...] | None = None) -> Likeness:
    return likeness(TYPES[type_id], image, number)


def said(found: Likeness) -> str:
    return "; ".join(sign.what for sign in found.signs)


@pytest.mark.parametrize("type_id", sorted(TYPES))
def test_a_meter_is_like_its_own_type(type_id: str) -> None:
    (meter,) = Bench(meter_type=TYPES[type_id]).meters()
    access = TYPES[type_id].modbus
    assert access is not None
    number = None if access.identity is None else meter.words(IDENTITY, LATER)

    found = score(type_id, image_of(type_id), number)

    assert found.score > 0, said(found)
    assert all(sign.points >= 0 for sign in found.signs), said(found)


def test_integers_that_are_read_as_a_float_are_nonsense() -> None:
    found = score("eastron-sdm120", image_of("eastron-sdm120", import_energy=(0, 1234)))

    assert "import_energy is no float" in said(found)
    assert found.score < score("eastron-sdm120", image_of("eastron-sdm120")).score


def test_words_that_hold_no_number_speak_against_it() -> None:
    found = score("eastron-sdm120", image_of("eastron-sdm120", import_energy=(0x7FC0, 0)))

    assert "import_energy holds no number" in said(found)


def test_more_than_a_meter_counts_in_its_life_speaks_against_it() -> None:
    words = encode(Decimal(90_000_000), WordType.FLOAT32, WordOrder.ABCD)
    found = score("eastron-sdm120", image_of("eastron-sdm120", import_energy=words))

    assert "is more than it can have counted" in said(found)


@pytest.mark.parametrize(("volts", "points"), [("231", 3), ("12", -3), ("5000", -3), ("0", 0)])
def test_a_voltage_is_that_of_the_mains_or_the_phase_is_idle(volts: str, points: int) -> None:
    words = encode(Decimal(volts), WordType.FLOAT32, WordOrder.ABCD)
    image = image_of("eastron-sdm120", voltage=words)

    without = {at: word for at, word in image.items() if at > 1}
    gained = score("eastron-sdm120", image).score - score("eastron-sdm120", without).score

    assert gained == points + 1  # one point is off where it is missing


def test_registers_that_add_up_speak_for_it_and_others_against() -> None:
    right = image_of("hiking-dds238")
    wrong = image_of("hiking-dds238", total_energy=(9, 9))

    assert "holds" in said(score("hiking-dds238", right))
    assert "does not hold" in said(score("hiking-dds238", wrong))
    assert score("hiking-dds238", wrong).score < score("hiking-dds238", right).score


def test_zeros_say_nothing() -> None:
    found = score("hiking-dds238", dict.fromkeys(image_of("hiking-dds238"), 0))

    assert found.score == 0
    assert "is 0, which says nothing" in said(found)


@pytest.mark.parametrize(
    ("number", "points"), [((0x00BC, 0x614E), 3), ((0, 0), -1), ((0xFFFF, 0xFFFF), -1), (None, -2)]
)
def test_a_number_is_one_that_a_plate_can_bear(number: tuple[int, ...] | None, points: int) -> None:
    found = score("eastron-sdm120", image_of("eastron-sdm120"), number)

    assert found.signs[0].points == points


def test_what_bills_rest_on_and_what_tells_are_looked_at() -> None:
    assert telling(TYPES["eastron-sdm120"]) == {"import_energy", "export_energy", "voltage"}
    assert {"total_energy", "frequency"} <= telling(TYPES["hiking-dds238"])
