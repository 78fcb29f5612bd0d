"""A register that another one scales: exact, or without a value; never off by a power of ten."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_counter import QUARTER, RATE, SERIES, START, judged, register, shown, verdicts

from meters.archive.protocol import Boundary
from meters.baseline import from_text, rebase, to_text
from meters.decoding import decode_image, decode_register, observations
from meters.definition import DefinitionError
from meters.finding import Rescaled
from meters.installation import Installation
from meters.interval import Interval
from meters.meter_type import MeterType
from meters.proof import parse_meter_types
from meters.question import Cause, Question
from meters.reading import Observation, Reading, Reason, Verdict
from meters.redecoding import redecode
from meters.register_decoder import Decoded
from meters.usage import Usage, measure
from meters.words import WordOrder, WordType, encode, from_hex

RESOLVED = {"resolution": "0.001"}
ENERGY = {
    "kind": "total",
    "unit": "kWh",
    "address": 10,
    "type": "uint32",
    "max_rate": "65",
    "scale_factor": {"address": 20, "exponent": [-3, 3]},
}


def document(*proofs: dict[str, Any], modbus: Any = None, **registers: Any) -> dict[str, Any]:
    return {
        "kind": "meter-type",
        "id": "tested",
        "name": "Tested",
        "manufacturer": "Nobody",
        "medium": "electricity",
        "modbus": modbus or {"function": 3, "max_gap": 10},
        "register": registers,
        "proof": proofs,
    }


def model(**registers: Any) -> MeterType:
    return MeterType.model_validate(document(**registers))


def read(words: str, scale: str, **changes: Any) -> Decoded | None:
    """Return what the counter says whose `words` stand at 10, and those of its scale at 20."""
    image = dict(enumerate(from_hex(words), start=10)) | dict(enumerate(from_hex(scale), start=20))
    energy = ENERGY | changes
    return decode_image(model(import_energy=energy), image).get("import_energy")


# --- decoding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale_factor", "scale", "value"),
    [
        ({"exponent": [-3, 3]}, "0000", "123456"),
        ({"exponent": [-3, 3]}, "fffe", "1234.56"),
        ({"exponent": [-3, 3]}, "0003", "123456000"),
        ({"decimals": [0, 4], "type": "uint16"}, "0003", "123.456"),
        ({"codes": {"0": "1", "17": "0.25"}, "type": "bcd16"}, "0017", "30864"),
        ({"exponent": [-1, 1], "type": "int32", "order": "CDAB"}, "ffff ffff", "12345.6"),
    ],
)
def test_a_number_is_scaled_by_what_its_scale_factor_says(
    scale_factor: dict[str, Any], scale: str, value: str
) -> None:
    found = read("0001 e240", scale, scale_factor={"address": 20, **scale_factor})

    assert found == Decoded(Decimal(value), f"0001 e240 {scale}", None, scale)


@pytest.mark.parametrize("scale", ["8000", "0004", "fffc", "7fff"])
def test_a_scale_factor_that_says_anything_else_leaves_no_value(scale: str) -> None:
    assert read("0001 e240", scale) == Decoded(None, f"0001 e240 {scale}", Reason.NO_SCALE, scale)


def test_a_number_that_is_none_is_told_before_its_scale() -> None:
    found = read("ffff ffff", "8000", sentinels=["ffffffff"])

    assert found is not None
    assert (found.value, found.fault) == (None, Reason.SENTINEL)


@pytest.mark.parametrize(("missing"), [10, 11, 20])
def test_without_all_of_its_words_and_those_of_its_scale_nothing_is_decoded(missing: int) -> None:
    image = dict.fromkeys({10, 11, 20} - {missing}, 0)

    assert decode_image(model(import_energy=ENERGY), image) == {}


def test_a_value_of_more_decimals_than_the_display_is_rounded_to_it_once() -> None:
    found = read("0000 0019", "fffd", resolution="0.01")

    assert found is not None
    assert found.value == Decimal("0.02")  # 0.025, half-even


TYPES = st.sampled_from([each for each in WordType if each.size % 2 == 0 and not each.is_float])


@given(
    word_type=TYPES,
    order=st.sampled_from(WordOrder),
    number=st.integers(0, 10**4 - 1),
    exponents=st.tuples(st.integers(-4, 0), st.integers(0, 4)),
    said=st.integers(-8, 8),
    scale=st.sampled_from(["1", "0.1", "-1", "5"]),
)
def test_it_agrees_with_plain_fractions(
    *,
    word_type: WordType,
    order: WordOrder,
    number: int,
    exponents: tuple[int, int],
    said: int,
    scale: str,
) -> None:
    energy = ENERGY | {"type": word_type, "order": order, "scale": scale, "resolution": "0.0001"}
    energy["scale_factor"] = {"address": 20, "exponent": exponents}
    counter = model(import_energy=energy)
    words = encode(Decimal(number), word_type, order)
    code = encode(Decimal(said), WordType.INT16, order)
    image = dict(enumerate(words, start=10)) | dict(enumerate(code, start=20))

    found = decode_image(counter, image)["import_energy"]

    if exponents[0] <= said <= exponents[1]:
        steps = Fraction(number) * Fraction(scale) * Fraction(10) ** said * 10_000
        assert found.value is not None
        assert Fraction(found.value) * 10_000 == round(steps)
        assert found.fault is None
    else:
        assert (found.value, found.fault) == (None, Reason.NO_SCALE)
    assert decode_register(counter, "import_energy", (*words, *code)) == found
    assert decode_register(counter, "import_energy", from_hex(found.raw)) == found


# --- what a file may state -----------------------------------------------------------------------

PROOF = {
    "kind": "computed",
    "source": "made up",
    "words": "0001 e240 0000 0000 0000 0000 0000 0000 0000 0000 ffff",
    "expect": {"import_energy": "12345.6"},
}


def problems(stated: dict[str, Any]) -> str:
    with pytest.raises(DefinitionError) as raised:
        parse_meter_types(stated, "own.toml")
    return str(raised.value)


def test_a_proof_shows_a_register_with_the_words_of_its_scale_factor() -> None:
    (loaded,) = parse_meter_types(document(PROOF, import_energy=ENERGY | RESOLVED), "own.toml")

    assert loaded.registers["import_energy"].scale_factor is not None


def test_a_proof_without_them_says_where_they_stand() -> None:
    proof = PROOF | {"words": "0001 e240"}

    said = problems(document(proof, import_energy=ENERGY | RESOLVED))

    assert "nothing: it is not in the proof" in said
    assert "from 0x000a to 0x000b, and its scale_factor at 0x0014" in said


def test_a_proof_may_expect_that_there_is_no_scale() -> None:
    absent = PROOF | {"words": "0001 e240" + " 0000" * 8 + " 8000"}
    absent["expect"] = {"import_energy": "no-scale"}
    stated = document(PROOF, absent, import_energy=ENERGY | RESOLVED)

    assert parse_meter_types(stated, "own.toml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale_factor": {"address": 20}}, "state one of exponent ([-3, 3]), decimals ([0, 4])"),
        ({"scale_factor": {"address": 20, "exponent": [3, -3]}}, "must be the lowest and the high"),
        ({"scale_factor": {"address": 20, "exponent": [-99, 3]}}, "from -10 to 10"),
        ({"scale_factor": {"address": 20, "codes": {}}}, "codes"),
        ({"scale_factor": {"address": 20, "codes": {"1": "0"}}}, "greater than 0"),
        (
            {"scale_factor": {"address": 20, "exponent": [-1, 1], "type": "uint16"}},
            "-1 does not fit uint16",
        ),
        (
            {"scale_factor": {"address": 20, "exponent": [-1, 1], "type": "float32"}},
            "float32 holds no exponent or code; use an integer or bcd",
        ),
        ({"scale_factor": {"address": 0xFFFF, "exponent": [0, 1], "type": "int32"}}, "last addr"),
        ({"scale_factor": {"adress": 20, "exponent": [0, 1]}}, "did you mean 'address'?"),
        ({"scale_factor": {"address": 11, "exponent": [0, 1]}}, "stands where 'import_energy'"),
        ({"scale_factor": {"address": 20, "exponent": [-9, 1]}}, "state a coarser resolution"),
        ({"digits": 8}, "digits are those of the display: state its resolution"),
        ({"address": None, "type": None, "pointer": "/e"}, "a scale_factor is a register on"),
        ({"address": None, "byte": 3}, "a scale_factor is a register on Modbus"),
    ],
)
def test_what_is_stated_wrongly_is_told(changes: dict[str, Any], said: str) -> None:
    resolution = {} if "resolution" in said else RESOLVED
    energy = {**ENERGY, **resolution, **changes}
    told = problems(document(PROOF, import_energy={k: v for k, v in energy.items() if v}))

    assert said in told
    assert "own.toml: register.import_energy" in told or "own.toml: the scale_factor" in told


def test_two_registers_share_a_scale_factor_only_if_they_say_the_same_of_it() -> None:
    export = ENERGY | RESOLVED | {"address": 14, "scale_factor": {"address": 20, "codes": {"0": 1}}}
    stated = document(import_energy=ENERGY | RESOLVED, export_energy=export)

    assert "the scale_factor of 'export_energy' and another's do not agree" in problems(stated)


def test_a_scale_factor_is_no_more_asked_for_where_it_is_forbidden() -> None:
    modbus = {"function": 3, "forbidden": [[20, 30]]}
    stated = document(modbus=modbus, import_energy=ENERGY | RESOLVED)

    assert "'import_energy.scale_factor' lies in the forbidden range" in problems(stated)


def test_a_step_is_as_coarse_as_the_scale_can_make_it() -> None:
    counter = model(import_energy=ENERGY | RESOLVED).registers["import_energy"]

    assert (counter.smallest_step, counter.largest_step) == (Decimal("0.001"), Decimal(1000))


def test_digits_are_those_of_the_display_whatever_the_scale() -> None:
    counter = model(import_energy=ENERGY | {"digits": 8, "resolution": "0.01"})

    assert counter.registers["import_energy"].modulus == Decimal(1_000_000)


# --- a scale that changes ------------------------------------------------------------------------

SCALED = register(
    type="uint32", scale_factor={"address": 90, "exponent": [-3, 3]}, digits=None, max_rate=RATE
)


def every_quarter(*said: tuple[str, str]) -> list[Observation]:
    """Return readings of a value with what the scale factor said, a quarter of an hour apart."""
    return [
        Observation(SERIES, START + index * QUARTER, Decimal(value), f"0 {scale}", None, scale)
        for index, (value, scale) in enumerate(said)
    ]


def test_a_tenfold_value_of_another_scale_is_suspect_however_plausible_it_is() -> None:
    plausible = [("0.1", "ffff"), ("0.2", "ffff"), ("2", "0000"), ("0.3", "ffff")]

    readings, baseline = judged(every_quarter(*plausible), SCALED)

    assert verdicts(readings) == ["good", "good", "rescaled", "good"]
    assert shown(baseline) == (START + 3 * QUARTER, Decimal("0.3"))


def test_a_counter_of_coarse_steps_may_move_by_one() -> None:
    readings, _ = judged(every_quarter(*[("0", "0003")] * 4, ("1000", "0003")), SCALED)

    assert verdicts(readings)[-1] == "good"


def test_a_scale_that_stays_changed_asks_a_person_who_may_let_it_go_on() -> None:
    before = [("100", "ffff")] * 3 + [("100.1", "ffff")] * 2
    after = [("1001", "0000"), ("1001", "0000"), ("1002", "0000")]

    readings, baseline = judged(every_quarter(*before, *after), SCALED)

    assert verdicts(readings)[-3:] == ["rescaled"] * 3
    assert baseline is not None
    question = Question.asked(SERIES, baseline)
    assert question is not None
    assert question.likely is Cause.MAP
    answered = rebase(question.time, question.value)
    later = Observation(SERIES, START + 20 * QUARTER, Decimal(1003), "0 0000", None, "0000")
    readings, baseline = judged([later], SCALED, answered)
    assert verdicts(readings) == ["good"]
    assert baseline is not None
    assert baseline.scale == "0000"


def test_readings_of_two_other_scales_do_not_confirm_each_other() -> None:
    before = [("100", "ffff")] * 5
    mixed = [("1001", "0000"), ("1001", "0001"), ("1002", "0000"), ("1002", "0001")]

    _, baseline = judged(every_quarter(*before, *mixed), SCALED)

    assert baseline is not None
    assert baseline.rival is not None
    assert baseline.rival.readings == 1
    assert Question.asked(SERIES, baseline) is None


def test_a_late_reading_of_another_scale_is_suspect() -> None:
    first, second = every_quarter(("100", "ffff"), ("100.1", "0000"))
    readings, _ = judged([second, first], SCALED)

    assert readings[1].verdict is Verdict.SUSPECT


@pytest.mark.parametrize("told", [("1001", "0000"), ("100", "ffff")])
def test_what_is_known_of_the_scale_outlives_the_program(told: tuple[str, str]) -> None:
    _, baseline = judged(every_quarter(*[("100", "ffff")] * 4, told), SCALED)

    assert baseline is not None
    assert baseline.scale == "ffff"
    assert from_text(to_text(baseline)) == baseline


def month(opening: tuple[str, str], closing: tuple[str, str]) -> Usage:
    """Return the use of a month, read at both ends as value and raw words."""
    ends = START, START + timedelta(days=31)
    read_at = {
        ("m-1", at): Boundary(at, Reading(SERIES, at, Decimal(value), raw, Verdict.GOOD), None)
        for at, (value, raw) in zip(ends, (opening, closing), strict=True)
    }
    return measure(
        point="p-1",
        name="import_energy",
        interval=Interval(*ends),
        installations=[Installation("p-1", "m-1", "t", START - timedelta(days=1))],
        registers={"t": SCALED},
        boundaries=read_at,
    )


def test_use_between_two_scales_is_told_to_a_person() -> None:
    usage = month(("100", "0000 03e8 ffff"), ("1001", "0000 03e9 0000"))

    assert usage.findings == (Rescaled("m-1", Decimal(100), Decimal(1001)),)
    assert not usage.findings[0].blocks


@pytest.mark.parametrize("closing", ["0000 2712 ffff", "by a person", ""])
def test_use_at_one_scale_needs_no_word(closing: str) -> None:
    usage = month(("1000", "0000 2710 ffff"), ("1000.2", closing))

    assert usage.findings == ()
    assert usage.quantity == Decimal("0.2")


# --- what was stored -----------------------------------------------------------------------------


def stored(counter: MeterType, at: timedelta, image: dict[int, int]) -> list[Reading]:
    """Return what a gateway keeps of an answer, without a history."""
    return [
        Reading(each.series, each.time, each.value, each.raw, Verdict.GOOD)
        for each in observations("m-1", START + at, decode_image(counter, image))
    ]


def test_stored_words_are_decoded_again_by_a_corrected_scale_factor() -> None:
    wrong = model(import_energy=ENERGY | RESOLVED | {"scale": "10"})
    right = model(import_energy=ENERGY | RESOLVED)
    image = {10: 1, 11: 0xE240, 20: 0xFFFF}
    kept = stored(wrong, QUARTER, image)

    again = redecode(kept, stored_by=wrong, corrected=right)

    (overlay,) = again.overlays
    assert (overlay.old_value, overlay.new_value) == (Decimal(123456), Decimal("12345.6"))
    assert overlay.raw == kept[0].raw == "0001 e240 ffff"
    assert redecode(kept, stored_by=wrong, corrected=wrong).unchanged == 1


def test_what_was_stored_without_its_scale_is_left_alone() -> None:
    plain = {key: value for key, value in ENERGY.items() if key != "scale_factor"}
    fixed = model(import_energy=plain | {"scale": "0.1"})
    kept = stored(fixed, QUARTER, {10: 1, 11: 0xE240})

    again = redecode(kept, stored_by=fixed, corrected=model(import_energy=ENERGY | RESOLVED))

    assert again.untold == tuple(kept)
