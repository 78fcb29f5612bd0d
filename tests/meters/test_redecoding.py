"""Redecoding: raw words say something else by a corrected type, and nothing stored is touched."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_counter import QUARTER, START

from meters.decoding import decode_image, decode_payload, observations
from meters.judge import judge_together
from meters.meter_type import MeterType
from meters.reading import Reading, Reason, Series, Verdict
from meters.redecoding import Overlay, RedecodingError, redecode
from meters.words import WordOrder, WordType, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meters.baseline import Baseline

ENERGY = {
    "kind": "total",
    "unit": "kWh",
    "address": 0,
    "type": "float32",
    "resolution": "0.01",
    "digits": 8,
    "max_rate": "15",
}
POWER = {"kind": "gauge", "unit": "W", "address": 2, "type": "uint16", "scale": "1"}


def model(registers: Mapping[str, Any], *, function: int = 4, **more: Any) -> MeterType:
    document = {
        "kind": "meter-type",
        "id": "tested",
        "name": "Tested",
        "manufacturer": "Nobody",
        "medium": "electricity",
        "register": registers,
        **(more or {"modbus": {"function": function}}),
    }
    return MeterType.model_validate(document)


RIGHT = model({"import_energy": ENERGY, "power": POWER})
SWAPPED = model({"import_energy": {**ENERGY, "order": "CDAB"}, "power": POWER})


def image(energy: str, power: int = 0) -> dict[int, int]:
    """Return what the meter answers: its counter as a float32, high word first, and its power."""
    words = encode(Decimal(energy), WordType.FLOAT32, WordOrder.ABCD)
    return dict(enumerate((*words, power)))


def stored(meter_type: MeterType, images: Iterable[dict[int, int]]) -> list[Reading]:
    """Return what a gateway that reads by `meter_type` stores, a quarter of an hour apart."""
    readings: list[Reading] = []
    baselines: dict[Series, Baseline] = {}
    for index, each in enumerate(images):
        seen = observations("m-1", START + index * QUARTER, decode_image(meter_type, each))
        for judged in judge_together(seen, meter_type, baselines):
            readings.append(judged.reading)
            if judged.baseline is not None:
                baselines[judged.reading.series] = judged.baseline
    return readings


COUNTED = ("100", "100.5", "101", "101.5")
IMAGES = [image(value, 2000) for value in COUNTED]


def test_the_same_type_changes_nothing() -> None:
    readings = stored(RIGHT, IMAGES)

    redecoded = redecode(readings, stored_by=RIGHT, corrected=RIGHT)

    assert (redecoded.overlays, redecoded.untold) == ((), ())
    assert redecoded.unchanged == len(readings) == 8


def test_another_word_order_gives_what_the_right_type_would_have_stored() -> None:
    wrong, right = stored(SWAPPED, IMAGES), stored(RIGHT, IMAGES)

    redecoded = redecode(wrong, stored_by=SWAPPED, corrected=RIGHT)

    assert [(each.time, each.new_value, each.new_verdict) for each in redecoded.overlays] == [
        (each.time, each.value, each.verdict)
        for each in right
        if each.series.register == "import_energy"
    ]
    assert [(each.old_value, each.old_verdict) for each in redecoded.overlays] == [
        (each.value, each.verdict) for each in wrong if each.series.register == "import_energy"
    ]
    assert redecoded.unchanged == 4


def test_an_overlay_says_what_was_and_what_would_be() -> None:
    centi = model({"import_energy": {**ENERGY, "scale": "0.01"}})
    plain = model({"import_energy": ENERGY})

    redecoded = redecode(stored(plain, IMAGES[:1]), stored_by=plain, corrected=centi)

    assert redecoded.overlays == (
        Overlay(
            Series("m-1", "import_energy"),
            START,
            Decimal("100.00"),
            Verdict.GOOD,
            Decimal("1.00"),
            Verdict.GOOD,
            (Reason.UNCONFIRMED,),
            "42c8 0000",
        ),
    )


def test_a_wrong_address_is_corrected_where_its_words_were_read() -> None:
    """What was read as two gauges of one word is the counter."""
    halves = model(
        {
            "high": {**POWER, "address": 0},
            "low": {**POWER, "address": 1},
            "count": {**ENERGY, "address": 2, "type": "uint16", "digits": 5},
        }
    )
    right = model({"import_energy": ENERGY})

    redecoded = redecode(stored(halves, IMAGES), stored_by=halves, corrected=right)

    assert [each.new_value for each in redecoded.overlays] == [Decimal(each) for each in COUNTED]
    assert all(each.old_value is None and each.old_verdict is None for each in redecoded.overlays)
    assert len(redecoded.untold) == 12  # none of the three stands in the corrected type


def test_what_was_not_read_is_untold() -> None:
    elsewhere = model({"import_energy": {**ENERGY, "address": 100}, "power": POWER})
    readings = stored(RIGHT, IMAGES[:1])

    redecoded = redecode(readings, stored_by=RIGHT, corrected=elsewhere)

    assert [each.series.register for each in redecoded.untold] == ["import_energy"]
    assert redecoded.unchanged == 1


def test_verdicts_are_given_anew() -> None:
    """By the wrong word order a sound counter leaps; by the right one it never did."""
    whole = {**ENERGY, "type": "uint32", "resolution": None, "digits": 10}
    right = model({"import_energy": whole})
    swapped = model({"import_energy": {**whole, "order": "CDAB"}})
    wrong = stored(swapped, [{0: 0, 1: low} for low in (7, 8, 9)])
    assert [each.verdict for each in wrong] == [Verdict.GOOD, Verdict.SUSPECT, Verdict.SUSPECT]

    redecoded = redecode(wrong, stored_by=swapped, corrected=right)

    assert [(each.new_value, each.new_verdict) for each in redecoded.overlays] == [
        (Decimal(value), Verdict.GOOD) for value in (7, 8, 9)
    ]


def test_a_sentinel_that_was_taken_for_a_number_becomes_invalid() -> None:
    naive = model({"import_energy": {**ENERGY, "type": "uint32", "digits": 12}})
    aware = model(
        {"import_energy": {**ENERGY, "type": "uint32", "digits": 12, "sentinels": ["ffff ffff"]}}
    )
    readings = stored(naive, [{0: 0xFFFF, 1: 0xFFFF}])

    [overlay] = redecode(readings, stored_by=naive, corrected=aware).overlays

    assert overlay.old_value == Decimal(0xFFFFFFFF)
    assert (overlay.new_value, overlay.new_verdict) == (None, Verdict.INVALID)
    assert overlay.new_reasons == (Reason.SENTINEL,)


@pytest.mark.parametrize(
    ("reason", "verdict"), [(Reason.IDENTITY, Verdict.INVALID), (Reason.CLOCK, Verdict.SUSPECT)]
)
def test_another_meters_answer_or_an_untrusted_clock_stays_one(
    reason: Reason, verdict: Verdict
) -> None:
    readings = [
        each._replace(verdict=verdict, reasons=(reason,)) for each in stored(SWAPPED, IMAGES[:1])
    ]

    redecoded = redecode(readings, stored_by=SWAPPED, corrected=RIGHT)

    assert {each.new_verdict for each in redecoded.overlays} == {verdict}


def test_what_a_person_answered_holds_again() -> None:
    images = [*IMAGES, image("0"), image("0.5"), image("1")]
    readings = stored(RIGHT, images)
    reset = {Series("m-1", "import_energy"): {START + 4 * QUARTER: Decimal(0)}}

    again = redecode(readings, stored_by=RIGHT, corrected=RIGHT)
    answered = redecode(readings, stored_by=RIGHT, corrected=RIGHT, answers=reset)

    assert again.overlays == ()
    assert [(each.new_value, each.new_verdict) for each in answered.overlays] == [
        (Decimal(value), Verdict.GOOD) for value in ("0", "0.5", "1")
    ]


def test_meters_are_judged_each_by_itself_and_in_the_order_of_time() -> None:
    one = stored(RIGHT, IMAGES)
    other = [
        each._replace(
            series=each.series._replace(meter="m-2"), time=each.time + timedelta(seconds=9)
        )
        for each in stored(RIGHT, [image(value) for value in ("7000", "7000.5", "7001", "7001.5")])
    ]

    redecoded = redecode([*reversed(other), *reversed(one)], stored_by=RIGHT, corrected=RIGHT)

    assert redecoded.overlays == ()
    assert redecoded.unchanged == 16


def test_a_reading_without_words_is_untold() -> None:
    [reading, _] = stored(RIGHT, IMAGES[:1])
    typed_in = reading._replace(raw="read by Mr Wang")

    assert redecode([typed_in], stored_by=RIGHT, corrected=RIGHT).untold == (typed_in,)


def test_words_of_another_function_say_nothing() -> None:
    holding = model({"import_energy": ENERGY}, function=3)

    with pytest.raises(RedecodingError, match="function 4, and tested is read with function 3"):
        redecode([], stored_by=RIGHT, corrected=holding)


def test_another_way_in_says_nothing() -> None:
    json = {"import_energy": {**ENERGY, "pointer": "/kwh"}}
    del json["import_energy"]["address"], json["import_energy"]["type"]

    with pytest.raises(RedecodingError, match="not read in the same way"):
        redecode([], stored_by=RIGHT, corrected=model(json, mqtt={}))


# --- not over Modbus ------------------------------------------------------------------------------


def in_json(**more: Any) -> MeterType:
    energy = {k: v for k, v in ENERGY.items() if k not in ("address", "type")}
    return model({"import_energy": {**energy, "pointer": "/e", **more}}, mqtt={})


def test_a_value_in_json_is_read_in_another_unit() -> None:
    wrong, right = in_json(), in_json(unit="Wh", resolution="1", digits=9, max_rate="15000")
    telegram = decode_payload(wrong, b'{"e": 123456}')
    readings = [
        each.reading
        for each in judge_together(observations("m-1", START, telegram.registers), wrong, {})
    ]

    [overlay] = redecode(readings, stored_by=wrong, corrected=right).overlays

    assert (overlay.old_value, overlay.new_value) == (Decimal(123456), Decimal("123.456"))


def binary(**more: Any) -> MeterType:
    energy = {k: v for k, v in ENERGY.items() if k != "address"}
    return model({"import_energy": {**energy, "byte": 0, "type": "uint32", **more}}, lorawan={})


def test_bytes_of_an_uplink_are_read_in_another_order() -> None:
    raw = Reading(
        Series("m-1", "import_energy"), START, Decimal(0x10000), "0001 0000", Verdict.GOOD
    )

    [overlay] = redecode([raw], stored_by=binary(), corrected=binary(order="DCBA")).overlays

    assert (overlay.old_value, overlay.new_value) == (Decimal(0x10000), Decimal(0x100))


@given(st.lists(st.integers(0, 2**32 - 1), max_size=12), st.sampled_from(WordOrder))
def test_redecoding_is_what_would_have_been_stored_whatever_the_words(
    numbers: list[int], order: WordOrder
) -> None:
    images = [{0: number >> 16, 1: number & 0xFFFF} for number in numbers]
    wrong = model({"import_energy": {**ENERGY, "type": "uint32", "digits": 12}})
    right = model({"import_energy": {**ENERGY, "type": "uint32", "digits": 12, "order": order}})
    before, after = stored(wrong, images), stored(right, images)

    redecoded = redecode(before, stored_by=wrong, corrected=right)

    changed = {each.time: (each.new_value, each.new_verdict) for each in redecoded.overlays}
    assert [changed.get(each.time, (each.value, each.verdict)) for each in before] == [
        (each.value, each.verdict) for each in after
    ]
    assert redecoded.unchanged + len(redecoded.overlays) == len(before)
