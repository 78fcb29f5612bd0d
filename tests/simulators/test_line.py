"""What comes back from a line: each fault on the way, in either framing."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.catalog import shipped
from meters.decoding import decode_identity, decode_image
from meters.frame import FrameError, parse_response
from simulators.bench.meters import Bench, on_lines
from simulators.community import demo_community
from simulators.faults import (
    MODBUS_FAULTS,
    RTU_FAULTS,
    TCP_FAULTS,
    Fault,
    FaultError,
    FaultKind,
)
from simulators.fleet import Fleet, plan_for
from simulators.framing import Request, RtuFraming, TcpFraming
from simulators.line import Absent, Line, Reply

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNIT = 3
"""The unit id of `e-1-201`."""
FLEET = Fleet(demo_community(7))
READ = struct.pack(">BHH", 4, 0x48, 2)
BOTH = pytest.mark.parametrize("framing", [TcpFraming(), RtuFraming()], ids=["tcp", "rtu"])


def line(
    *faults: dict[str, Any], framing: TcpFraming | RtuFraming | None = None, **settings: Any
) -> Line:
    told = [Fault.model_validate({"meter": "e-1-201", "count": 1, **fault}) for fault in faults]
    plan = FLEET.plan(told)
    return Line("bus-b1", FLEET.on_bus("bus-b1"), framing=framing, plan=plan, **settings)


def answer(
    on: Line, *, unit: int = UNIT, at: datetime = NOON, pdu: bytes = READ, transaction: int = 1
) -> Reply:
    reply = on.reply(Request(transaction, unit, pdu), at)
    assert reply is not None
    return reply


def body(on: Line, frame: bytes) -> bytes:
    """Return unit and PDU of `frame`."""
    return frame[:-2] if on.framing.is_rtu else frame[6:]


def imported(on: Line, reply: Reply) -> Decimal | None:
    words = struct.unpack(">2H", body(on, reply.frame)[3:])
    image = dict(enumerate(words, start=0x48))
    return decode_image(FLEET.meters["e-1-201"].meter_type, image)["import_energy"].value


@BOTH
@pytest.mark.parametrize("kind", ["dead", "network-loss"])
def test_no_answer_comes(framing: TcpFraming | RtuFraming, kind: str) -> None:
    window = {"from": NOON, "count": None} if kind == "network-loss" else {}
    on = line({"kind": kind, **window}, framing=framing)
    assert on.reply(Request(1, UNIT, READ), NOON) is None
    assert on.is_lost(NOON) == (kind == "network-loss")


@BOTH
def test_an_answer_is_late_and_right(framing: TcpFraming | RtuFraming) -> None:
    on = line({"kind": "slow", "delay_ms": 700}, framing=framing)
    late, sound = answer(on), answer(on)
    assert (late.late, late.delay_ms) == (True, 700)
    assert late.frame == sound.frame
    assert not sound.late


@BOTH
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("exception", bytes([UNIT, 0x84, 6])), ("wrong-function", bytes([UNIT, 3, 4]))],
)
def test_an_answer_says_something_else(
    framing: TcpFraming | RtuFraming, kind: str, expected: bytes
) -> None:
    on = line({"kind": kind, "code": 6}, framing=framing)
    assert body(on, answer(on).frame).startswith(expected)


@BOTH
def test_an_answer_states_another_unit(framing: TcpFraming | RtuFraming) -> None:
    on = line({"kind": "wrong-unit"}, framing=framing)
    wrong, right = body(on, answer(on).frame), body(on, answer(on).frame)
    assert wrong[0] != right[0] == UNIT
    assert wrong[1:] == right[1:]


def test_an_answer_states_another_transaction() -> None:
    on = line({"kind": "wrong-transaction"})
    wrong, right = (answer(on, transaction=0xFFFF).frame for _ in range(2))
    assert (wrong[:2], right[:2]) == (b"\x00\x00", b"\xff\xff")


@BOTH
def test_an_answer_is_cut(framing: TcpFraming | RtuFraming) -> None:
    on = line({"kind": "cut-frame"}, framing=framing)
    cut, whole = answer(on), answer(on)
    assert whole.frame.startswith(cut.frame)
    assert len(cut.frame) == len(whole.frame) // 2
    assert cut.hang_up != framing.is_rtu


@BOTH
def test_an_answer_holds_a_word_less(framing: TcpFraming | RtuFraming) -> None:
    on = line({"kind": "short-frame"}, framing=framing)
    assert body(on, answer(on).frame)[2] == 2


def test_a_bit_falls_over_on_the_line() -> None:
    on = line({"kind": "wrong-crc", "count": 50}, framing=RtuFraming())
    sound = answer(line(framing=RtuFraming())).frame
    for _ in range(50):
        frame = answer(on).frame
        with pytest.raises(FrameError):
            parse_response(frame)
        assert sum((a ^ b).bit_count() for a, b in zip(frame, sound, strict=True)) == 1


@BOTH
def test_noise_comes_before_an_answer(framing: TcpFraming | RtuFraming) -> None:
    on = line({"kind": "noise"}, framing=framing)
    noisy, sound = answer(on).frame, answer(on).frame
    assert noisy.endswith(sound)
    assert len(noisy) == len(sound) + 5


@BOTH
def test_an_answer_comes_twice(framing: TcpFraming | RtuFraming) -> None:
    on = line({"kind": "duplicate"}, framing=framing)
    twice, once = answer(on).frame, answer(on).frame
    assert twice == once + once


@BOTH
def test_the_answer_before_comes_again_whoever_gave_it(framing: TcpFraming | RtuFraming) -> None:
    on = line({"kind": "earlier"}, framing=framing)
    before = answer(on, unit=UNIT + 1, transaction=8).frame
    assert answer(on, transaction=9).frame == before
    fresh = line({"kind": "earlier"}, framing=framing)
    assert fresh.reply(Request(1, UNIT, READ), NOON) is None


def test_the_connection_ends_instead_of_an_answer() -> None:
    assert answer(line({"kind": "hang-up"})) == Reply(b"", hang_up=True)


def test_a_spike_and_a_zero_may_befall_one_register_by_an_amount() -> None:
    sound = imported(line(), answer(line()))
    assert sound is not None
    spiked = line({"kind": "spike", "amount": "12.5", "registers": ["import_energy"]})
    assert imported(spiked, answer(spiked)) == sound + Decimal("12.5")
    elsewhere = line({"kind": "zero", "registers": ["export_energy"]})
    assert imported(elsewhere, answer(elsewhere)) == sound


def test_another_devices_counter_is_plausible_and_wrong() -> None:
    on = line({"kind": "crossed"})
    neighbour = FLEET.meters["e-1-201"].neighbour
    assert neighbour is not None
    assert imported(on, answer(on)) == neighbour.shown("import_energy", NOON)


def test_a_reset_lasts() -> None:
    on = line({"kind": "reset", "count": None, "from": NOON, "first": "3"})
    meter = FLEET.meters["e-1-201"]
    assert imported(on, answer(on, at=NOON - HOUR)) == meter.shown("import_energy", NOON - HOUR)
    assert imported(on, answer(on, at=NOON)) == 3
    grown = meter.shown("import_energy", NOON + 24 * HOUR) - meter.shown("import_energy", NOON)
    after = imported(on, answer(on, at=NOON + 24 * HOUR))
    assert after is not None
    assert abs(after - 3 - grown) <= Decimal("0.01")


def test_counters_roll_over_after_their_last_digit() -> None:
    on = line({"kind": "rollover", "count": None, "from": NOON, "amount": "2"})
    values = [imported(on, answer(on, at=NOON + n * HOUR)) for n in range(72)]
    assert values[0] == 999_998
    low = next(place for place, value in enumerate(values) if value is not None and value < 100)
    assert [value for value in values[:low] if value is None or value < 999_998] == []
    assert values[low:] == sorted(values[low:], key=lambda value: value or 0)


def test_another_device_hangs_there_after_an_exchange() -> None:
    (meter,) = Bench(meter_type=shipped()["eastron-sdm630"]).meters()
    fault = {"kind": "exchange", "from": NOON, "first": "0.5", "number": "777"}
    told = Fault.model_validate(fault)
    on = Line("line", {1: meter}, plan=plan_for([meter], [told], seed=1))
    asked = struct.pack(">BHH", 3, 0xFC00, 2)

    def number(at: datetime) -> str | None:
        frame = answer(on, unit=1, pdu=asked, at=at).frame
        return decode_identity(meter.meter_type, struct.unpack(">2H", frame[9:]))

    assert (number(NOON - HOUR), number(NOON)) == (meter.number, "777")
    assert imported(on, answer(on, unit=1, at=NOON)) == Decimal("0.5")


def test_faults_of_the_answer_befall_what_was_exchanged_too() -> None:
    on = line({"kind": "exchange", "count": None, "from": NOON}, {"kind": "spike", "count": 1})
    assert [imported(on, answer(on)) for _ in range(2)] == [5_000, 0]


@pytest.mark.parametrize(
    ("kind", "framing", "message"),
    [
        ("wrong-crc", TcpFraming(), "speaks Modbus TCP and cannot have the fault 'wrong-crc'"),
        ("wrong-transaction", RtuFraming(), "speaks RTU .* which only Modbus TCP knows"),
    ],
)
def test_a_fault_that_the_framing_does_not_know_is_refused(
    kind: str, framing: TcpFraming | RtuFraming, message: str
) -> None:
    with pytest.raises(FaultError, match=message):
        line({"kind": kind}, framing=framing)


def test_a_gateway_answers_for_a_unit_that_is_not_there_and_nobody_for_a_broadcast() -> None:
    on = line(absent=Absent.EXCEPTION)
    assert body(on, answer(on, unit=99).frame) == bytes([99, 0x84, 0x0B])
    assert on.reply(Request(1, 0, READ), NOON) is None


def test_characters_take_their_time_at_the_speed_of_the_line() -> None:
    on = line(framing=RtuFraming(), baud=2400, turnaround_ms=50)
    # 8 characters there and 9 back, of 11 bits each
    assert answer(on).delay_ms == 50 + 1000 * 11 * 17 // 2400


@BOTH
@given(unit=st.integers(0, 255), pdu=st.binary(min_size=1, max_size=253))
def test_any_request_is_answered_by_a_frame_or_by_silence(
    framing: TcpFraming | RtuFraming, unit: int, pdu: bytes
) -> None:
    reply = line(framing=framing).reply(Request(1, unit, pdu), NOON)
    assert reply is None or len(reply.frame) >= 5


@given(seed=st.integers(0, 2**32), requests=st.integers(1, 40))
def test_chance_is_the_same_for_the_same_seed(seed: int, requests: int) -> None:
    told = [
        Fault.model_validate({"meter": "meter-*", "kind": kind, "chance": "0.1"})
        for kind in (FaultKind.DEAD, FaultKind.SPIKE, FaultKind.NOISE, FaultKind.EXCEPTION)
    ]
    meters = Bench(meter_type=shipped()["eastron-sdm120"], count=3, seed=4).meters()

    def run() -> list[Reply | None]:
        (units,) = on_lines(meters)
        on = Line("line", units, plan=plan_for(meters, told, seed=seed))
        return [
            on.reply(Request(n, 1 + n % 3, READ), NOON + n * timedelta(seconds=7))
            for n in range(requests)
        ]

    assert run() == run()


OF_ANY_TYPE = MODBUS_FAULTS - {FaultKind.RESCALED}  # which wants a scale factor


@pytest.mark.parametrize(
    ("framing", "kind"),
    [
        *((TcpFraming(), kind) for kind in sorted(OF_ANY_TYPE - RTU_FAULTS)),
        *((RtuFraming(), kind) for kind in sorted(OF_ANY_TYPE - TCP_FAULTS)),
    ],
)
def test_every_fault_changes_what_a_master_hears(
    framing: TcpFraming | RtuFraming, kind: FaultKind
) -> None:
    began = {"from": NOON - 9 * HOUR, "count": None}
    wrong = line({"kind": kind, **began}, framing=framing).reply(Request(1, UNIT, READ), NOON)
    assert wrong != answer(line(framing=framing))
