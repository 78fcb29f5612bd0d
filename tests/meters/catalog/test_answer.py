"""What an engineer has in hand reads as its type says, or it is said what to state."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meters.catalog import shipped
from meters.catalog.answer import (
    AnswerError,
    answer_document,
    answer_lines,
    from_bytes,
    from_frame,
    from_raw,
    from_words,
)
from meters.frame import FrameError, crc16
from meters.words import from_hex

SDM120 = shipped()["eastron-sdm120"]
CAPTURED = bytes.fromhex("010404462a7521298c")


def test_a_captured_frame_reads_as_its_display() -> None:
    answer = from_frame(SDM120, CAPTURED, 0x48)

    assert answer.registers["import_energy"].value == Decimal("10909.28")
    assert any("10909.28" in line and "kWh" in line for line in answer_lines(SDM120, answer))
    assert answer_document(SDM120, answer)["registers"]["import_energy"] == {
        "value": "10909.28",
        "unit": "kWh",
        "raw": "462a 7521",
        "fault": None,
    }


def test_words_that_could_stand_in_several_places_ask_where() -> None:
    with pytest.raises(AnswerError, match=r"--at: .*0x0048 \(import_energy\)"):
        from_frame(SDM120, CAPTURED)


def test_the_raw_words_of_a_reading_read_as_its_register_at_its_scale() -> None:
    sunspec = shipped()["sunspec-203"]

    answer = from_raw(sunspec, "import_energy", from_hex("0012 d644 ffff"))

    assert answer.registers["import_energy"].value == Decimal("123.45")
    assert (
        from_raw(SDM120, "import_energy", from_hex("462a 7521")).registers
        == from_words(SDM120, from_hex("462a 7521"), 0x48).registers
    )


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("energy", "0012 d644 ffff", "has no register 'energy'; it has import_energy, export"),
        ("import_energy", "0012 d644", "keeps 3 words, those of its scale factor at the end; got"),
    ],
)
def test_raw_words_that_no_reading_keeps_say_so(name: str, words: str, said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        from_raw(shipped()["sunspec-203"], name, from_hex(words))


def test_words_without_their_scale_are_nobodys() -> None:
    with pytest.raises(AnswerError, match=r"with --at, or the --register whose reading keeps them"):
        from_words(shipped()["sunspec-203"], [0x12, 0xD644])


def test_words_that_fit_one_place_alone_stand_there() -> None:
    countis = shipped()["bove-ultrasonic"]
    lengths = [len(register.span) for register in countis.registers.values()]
    alone = next(
        (name, register)
        for name, register in countis.registers.items()
        if lengths.count(len(register.span)) == 1
    )

    answer = from_words(countis, [0] * len(alone[1].span))

    assert list(answer.registers) == [alone[0]]


def test_a_frame_of_the_other_function_holds_the_number_and_no_register() -> None:
    body = bytes.fromhex("010304000f4240")
    answer = from_frame(SDM120, body + crc16(body).to_bytes(2, "little"), 0xFC00)

    assert (answer.identity, answer.registers) == ("1000000", {})


def test_a_frame_of_another_function_than_the_types_is_refused() -> None:
    body = bytes.fromhex("010304000f4240")
    with pytest.raises(FrameError, match=r"it answers function 3; .* is read with 4"):
        from_frame(shipped()["finder-7m38"], body + crc16(body).to_bytes(2, "little"), 0)


def test_words_from_where_the_type_has_nothing_say_so() -> None:
    with pytest.raises(AnswerError, match="has nothing from 0x0100 to 0x0101"):
        from_words(SDM120, [1, 2], 0x100)


def test_only_an_uplink_has_a_binary_payload() -> None:
    with pytest.raises(AnswerError, match="only LoRaWAN types do"):
        from_bytes(SDM120, b"\0")
