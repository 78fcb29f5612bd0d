"""Every type of the catalogue on the bench: what its meters send is what a reader understands."""

from __future__ import annotations

import itertools
import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from meters.catalog import shipped
from meters.cross_check import violated
from meters.decoding import decode_identity, decode_image, decode_payload
from meters.interval import Interval
from meters.meter_type import Kind, MeterType
from meters.words import from_wire
from simulators.bench.meters import Bench, BenchError, on_lines
from simulators.envelope import Envelope
from simulators.loads import Load
from simulators.pdu import respond
from simulators.truth import bands_of

if TYPE_CHECKING:
    from meters.register_decoder import Decoded
    from simulators.meter import SimulatedMeter

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
NIGHT = datetime(2026, 10, 14, 19, 41, 7, tzinfo=UTC)
TYPES = shipped()


def one(type_id: str, **settings: Any) -> SimulatedMeter:
    (meter,) = Bench(meter_type=TYPES[type_id], **settings).meters()
    return meter


def ask(meter: SimulatedMeter, function: int, span: range, time: datetime) -> tuple[int, ...]:
    """Return the words that `meter` answers to a request for `span`."""
    answer = respond(meter, struct.pack(">BHH", function, span.start, len(span)), time)
    assert answer[:2] == bytes([function, 2 * len(span)])
    return from_wire(answer[2:])


def read(meter: SimulatedMeter, time: datetime) -> dict[str, Decoded]:
    """Return what a reader decodes of each register of `meter`."""
    meter_type = meter.meter_type
    if meter_type.modbus is not None:
        image: dict[int, int] = {}
        for name, register in meter_type.registers.items():
            for span in register.spans(name).values():
                words = ask(meter, meter_type.modbus.function, span, time)
                image.update(zip(span, words, strict=True))
        return decode_image(meter_type, image)
    decoded: dict[str, Decoded] = {}
    for message in meter.messages(time):
        subtopic = message.topic[len(meter.topic) + 1 :]
        decoded |= decode_payload(meter_type, message.payload, subtopic=subtopic).registers
    return decoded


@pytest.mark.parametrize("type_id", TYPES)
@pytest.mark.parametrize("time", [NOON, NIGHT])
def test_every_register_of_every_type_decodes_to_what_its_display_shows(
    type_id: str, time: datetime
) -> None:
    meter = one(type_id)
    decoded = read(meter, time)
    assert decoded.keys() == meter.meter_type.registers.keys()
    for name, found in decoded.items():
        register = meter.meter_type.registers[name]
        # where a display is finer than a float32
        slack = register.smallest_step if register.type and register.type.is_float else Decimal(0)
        assert found.value is not None
        assert abs(found.value - meter.shown(name, time)) <= slack, name


@pytest.mark.parametrize("type_id", TYPES)
@pytest.mark.parametrize("load", [Load.HOUSEHOLD, Load.SOLAR])
def test_no_cross_check_of_any_type_is_violated(type_id: str, load: Load) -> None:
    if load is Load.SOLAR and TYPES[type_id].medium == "water":
        load = Load.LEAK
    meter = one(type_id, load=load)
    for hours in range(0, 24 * 8, 5):
        decoded = read(meter, NOON + timedelta(hours=hours))
        values = {name: found.value for name, found in decoded.items() if found.value is not None}
        assert not violated(meter.meter_type, values)


@pytest.mark.parametrize(
    "type_id", [each for each, meter_type in TYPES.items() if meter_type.states_identity]
)
def test_every_type_that_states_a_number_states_its_meters_own(type_id: str) -> None:
    numbers = set()
    for meter in Bench(meter_type=TYPES[type_id], count=3).meters():
        numbers.add(meter.number)
        modbus = meter.meter_type.modbus
        if modbus is not None and modbus.identity is not None:
            span = range(modbus.identity.address, modbus.identity.after)
            function = modbus.identity.function or modbus.function
            words = ask(meter, function, span, NOON)
            assert decode_identity(meter.meter_type, words) == meter.number
        else:
            (message,) = meter.messages(NOON)
            assert decode_payload(meter.meter_type, message.payload).identity == meter.number
    assert len(numbers) == 3


@pytest.mark.parametrize("type_id", TYPES)
def test_no_counter_of_any_type_falls_or_outruns_what_it_can_count(type_id: str) -> None:
    meter = one(type_id)
    hour = timedelta(hours=1)
    for name, register in meter.meter_type.registers.items():
        if register.kind is Kind.GAUGE:
            continue
        values = [meter.shown(name, NOON + n * hour) for n in range(48)]
        assert values == sorted(values)
        limit = register.canonical_max_rate
        if limit is not None:
            step = register.smallest_step
            assert max(b - a for a, b in itertools.pairwise(values)) <= limit + step


@pytest.mark.parametrize("envelope", Envelope)
@pytest.mark.parametrize(
    "type_id", [each for each, meter_type in TYPES.items() if meter_type.lorawan is not None]
)
def test_every_network_server_forwards_number_time_and_counter(
    type_id: str, envelope: Envelope
) -> None:
    meter = one(type_id, envelope=envelope)
    telegrams = []
    for time in (NOON, NOON, NOON + timedelta(minutes=1)):
        (message,) = meter.messages(time)
        telegrams.append(decode_payload(meter.meter_type, message.payload))
        assert message.topic.endswith("up")
        assert telegrams[-1].time == time
        assert telegrams[-1].identity == meter.number
        assert telegrams[-1].registers[meter.model.main].value == meter.shown(
            meter.model.main, time
        )
    once, again, later = (telegram.sequence for telegram in telegrams)
    assert once is not None
    assert later is not None
    assert once == again < later


def test_thousands_of_meters_have_numbers_topics_and_loads_of_their_own() -> None:
    meters = Bench(meter_type=TYPES["wmbusmeters-water"], count=2_000).meters()
    assert (
        len({meter.number for meter in meters}) == len({meter.topic for meter in meters}) == 2_000
    )
    month = (NOON, NOON + timedelta(days=30))
    used = {meter.shown("volume", month[1]) - meter.shown("volume", month[0]) for meter in meters}
    assert len(used) > 1_000
    assert min(used) < Decimal("0.1") < 5 < max(used)


def test_the_same_seed_draws_the_same_meters() -> None:
    def drawn(seed: int) -> list[tuple[str, Decimal]]:
        meters = Bench(meter_type=TYPES["eastron-sdm630"], count=5, seed=seed).meters()
        return [(meter.number, meter.shown("import_energy", NOON)) for meter in meters]

    assert drawn(3) == drawn(3) != drawn(4)


def test_what_is_asked_for_stands_on_the_bench() -> None:
    meter = one("eastron-sdm630", number="12345678", first=Decimal("1000.25"), load=Load.VACANT)
    assert meter.number == "12345678"
    assert 1000 < meter.shown("import_energy", datetime(2025, 1, 7, tzinfo=UTC)) < 1001


def test_a_leak_adds_its_rate_and_an_absence_takes_the_load_away() -> None:
    def used(days: int, **settings: Any) -> Decimal:
        meter = one("bove-ultrasonic", **settings)
        return meter.shown("volume", NOON + timedelta(days=days)) - meter.shown("volume", NOON)

    sound = used(10)
    assert used(10, leak=Decimal("0.02"), leak_from=NOON) - sound == Decimal("4.8")
    assert used(10, leak=Decimal("0.02"), leak_from=NOON + timedelta(days=10)) == sound
    away = (Interval(NOON, NOON + timedelta(days=10)),)
    assert used(10, away=away) < sound / 10


def test_an_exported_counter_grows_where_panels_are_on_the_roof() -> None:
    meter = one("eastron-sdm630", load=Load.SOLAR)
    noon, night = NOON, NOON + timedelta(hours=8)
    assert meter.shown("export_energy", night) > meter.shown("export_energy", noon)
    assert meter.shown("power", noon) < 0 < meter.shown("power", night)


def test_a_meter_of_a_type_with_bands_counts_each_in_its_hours() -> None:
    banded = next(each for each in TYPES.values() if bands_of(each) == 2)
    (meter,) = Bench(meter_type=banded).meters()
    names = [name for name in banded.registers if name.endswith(("_t1", "_t2"))][:2]
    noon = NOON, NOON + timedelta(hours=5)
    midnight = NOON + timedelta(hours=14), NOON + timedelta(hours=17)  # 02:00 to 05:00 there
    moved = [
        [meter.shown(name, end) > meter.shown(name, start) for name in names]
        for start, end in (noon, midnight)
    ]
    assert moved == [[True, False], [False, True]]


@pytest.mark.parametrize(
    ("type_id", "settings", "message"),
    [
        ("eastron-sdm630", {"count": 2, "number": "1"}, "cannot all bear the number 1"),
        ("eastron-sdm630", {"number": "A1"}, "'A1' is no number"),
        ("eastron-sdm630", {"number": "99999999999"}, "does not fit uint32"),
        ("dragino-sw3l", {"number": "12"}, "16 hexadecimal digits"),
        ("eastron-sdm120", {"load": Load.GARDEN}, "cannot have the load 'garden'; possible are"),
        ("wmbusmeters-water", {"count": 2, "topic": "all"}, "would share the topic 'all'"),
        ("eastron-sdm120", {"first": Decimal("0.00001")}, "more than 4 decimals"),
    ],
)
def test_what_cannot_stand_on_the_bench_is_refused(
    type_id: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        Bench(meter_type=TYPES[type_id], **settings).meters()


def test_more_meters_than_a_line_addresses_stand_on_the_next_one() -> None:
    meters = Bench(meter_type=TYPES["eastron-sdm120"], count=300).meters()
    first, second = on_lines(meters, 100)
    assert (min(first), max(first), min(second), max(second)) == (100, 247, 1, 152)
    assert len(first) + len(second) == 300


def test_a_type_of_ones_own_is_simulated_as_it_says() -> None:
    own = MeterType.model_validate(
        {
            "kind": "meter-type",
            "id": "own",
            "name": "Own",
            "manufacturer": "Nobody",
            "medium": "electricity",
            "modbus": {
                "function": 3,
                "order": "BADC",
                "max_gap": 20,
                "forbidden": [[14, 15]],
                "identity": {"address": 40, "type": "text", "words": 6, "order": "BADC"},
            },
            "register": {
                "total": _counter(0, "uint48"),
                "a": _counter(4, "bcd48"),
                "b": _counter(8, "int48", order="CDAB"),
                "beyond": {
                    "kind": "gauge",
                    "unit": "W",
                    "address": 18,
                    "type": "int16",
                    "scale": "0.1",
                },
            },
            "check": [{"total": "total", "parts": ["a", "b"], "tolerance": "0"}],
            "proof": [
                {
                    "kind": "computed",
                    "source": "s",
                    "words": "0000 0000 0000",
                    "expect": {"total": 0},
                }
            ],
        }
    )
    (meter,) = Bench(meter_type=own, number="AB-123").meters()
    decoded = read(meter, NOON)
    assert all(decoded[name].value == meter.shown(name, NOON) for name in own.registers)
    assert decode_identity(own, ask(meter, 3, range(40, 46), NOON)) == "AB-123"
    across = respond(meter, struct.pack(">BHH", 3, 0, 11), NOON)
    assert len(across) == 2 + 22
    forbidden = respond(meter, struct.pack(">BHH", 3, 8, 11), NOON)
    assert forbidden == b"\x83\x02"


def _counter(address: int, word_type: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "total",
        "unit": "kWh",
        "address": address,
        "type": word_type,
        "scale": "0.01",
        "max_rate": "25",
        **changes,
    }
