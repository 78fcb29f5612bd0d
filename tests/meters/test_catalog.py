"""The shipped meter types: every one loads, is proven, and can be billed from."""

from __future__ import annotations

import re
import shutil
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from meters.catalog import FOLDER, load_folder, shipped
from meters.cross_check import violated
from meters.decoding import decode_binary, decode_image, decode_payload
from meters.definition import DefinitionError
from meters.proof import load_meter_types
from meters.quantity import UNITS
from meters.reading import Reason
from meters.words import from_hex

if TYPE_CHECKING:
    from pathlib import Path

    from meters.meter_type import MeterType

FILES = sorted(FOLDER.glob("*.toml"))


ENOUGH_TYPES = 28
ENOUGH_ON_MODBUS = 17
MOST_LINES = 25
SOURCE_OF_A_PERSON = ("capture", "manual", "display", "driver")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_type_loads_under_the_name_of_its_file(path: Path) -> None:
    meter_type, *variants = load_meter_types(path)

    assert meter_type.id == path.stem
    assert shipped()[path.stem] == meter_type
    for each in (meter_type, *variants):
        assert shipped()[each.id] == each
        assert each.billing_registers
    assert {each.variant_of for each in variants} <= {meter_type.id}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_type_does_not_load_where_its_proof_is_changed(
    tmp_path: Path, path: Path
) -> None:
    text = path.read_text("utf-8")
    proofs = tomllib.loads(text, parse_float=Decimal)["proof"]
    register, value = next(
        (name, value)
        for proof in reversed(proofs)
        for name, value in proof["expect"].items()
        if value[0].isdigit()
    )
    changed = tmp_path / path.name
    changed.write_text(text.replace(f'{register} = "{value}"', f'{register} = "{value}9"'), "utf-8")

    with pytest.raises(DefinitionError, match=rf"expect\.{register}: .*expected .*, got "):
        load_meter_types(changed)


def test_the_catalogue_serves_what_stands_in_meter_cupboards() -> None:
    models = [each for each in shipped().values() if each.variant_of is None]

    assert len(models) >= ENOUGH_TYPES
    assert sum(each.modbus is not None for each in models) >= ENOUGH_ON_MODBUS
    for medium in ("electricity", "water"):
        of_medium = [each for each in models if each.medium == medium]
        assert any(each.modbus for each in of_medium)
        assert any(each.mqtt for each in of_medium)
        assert any(each.lorawan for each in of_medium)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_type_is_a_short_file(path: Path) -> None:
    tables = re.split(r"^(?=\[)", path.read_text("utf-8"), flags=re.MULTILINE)
    itself = [each for each in tables if not each.startswith(("[[proof]]", "[variant."))]
    lines = [line for line in "".join(itself).splitlines() if line]

    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize("meter_type", shipped().values(), ids=lambda each: each.id)
def test_a_counter_cannot_go_round_unnoticed_within_a_month(meter_type: MeterType) -> None:
    for name, register in meter_type.billing_registers.items():
        rate = register.canonical_max_rate
        assert rate is not None
        sizes = [register.modulus]
        if register.type is not None and register.type.capacity is not None:
            factor = abs(register.scale) * UNITS[register.unit].factor
            sizes.append(register.type.capacity * factor)
        for size in sizes:
            assert size is None or size > rate * 24 * 31, name


@pytest.mark.parametrize("meter_type", shipped().values(), ids=lambda each: each.id)
def test_what_is_only_computed_says_so(meter_type: MeterType) -> None:
    for proof in meter_type.proof:
        is_made = proof.source.startswith(("made ", "the sum of ", "as above", "the payload that"))
        assert not (is_made and proof.kind in SOURCE_OF_A_PERSON), proof.source


@pytest.mark.parametrize(
    ("meter_type", "address", "dump", "register", "value"),
    [
        ("eastron-sdm630", 0x0000, "4367 af55", "voltage_l1", "231.7"),
        ("eastron-sdm630", 0x0048, "462a 7521", "import_energy", "10909.28"),
        ("eastron-sdm630", 0x0048, "462a 7522", "import_energy", "10909.28"),
        ("eastron-sdm120", 0x0048, "462a 7522", "import_energy", "10909.28"),
        ("bove-ultrasonic", 7, "614e 00bc", "volume", "12345.678"),
        ("hiking-dds238", 0x0008, "0000 04f3 0000 17ba", "import_energy", "60.74"),
        ("abb-a43", 0x5000, "0000 0000 000d 1290", "import_energy", "8567.20"),
        ("acrel-adl3000", 0x000A, "0002 8547", "import_energy", "1651.91"),
        ("chint-dtsu666", 0x2012, "4500 0000", "power", "0.2048"),
        ("chint-dtsu666-401e", 0x401E, "440d 370a", "import_energy", "564.86"),
        ("chint-dtsu666-sungrow", 0x000A, "0002 8547", "import_energy", "1651.91"),
        ("gavazzi-em340", 0x0000, "091b 0000", "voltage_l1", "233.1"),
        ("orno-we516", 0x0014, "4248 1eb8", "frequency", "50.03"),
        ("xintai-rs485", 0x0001, "1e85 0b3f", "volume", "0.545"),
    ],
)
def test_shipped_types_read_dumps_from_the_field(
    meter_type: str, address: int, dump: str, register: str, value: str
) -> None:
    image = dict(enumerate(from_hex(dump), start=address))

    assert decode_image(shipped()[meter_type], image)[register].value == Decimal(value)


def test_a_wireless_meter_reports_its_volume_under_its_own_number() -> None:
    telegram = decode_payload(
        shipped()["wmbusmeters-water"],
        b'{"id":"76348799","total_m3":6.408,"timestamp":"2020-03-29T09:07:22Z"}',
    )

    assert telegram.identity == "76348799"
    assert telegram.registers["volume"].value == Decimal("6.408")


@pytest.mark.parametrize(
    ("uplink", "litres"),
    [
        ("9eabe760001c950100a0cce660ae930100380011001e0004000f000b0020000500", 103708),
        ("aeb9e760001c950100b0dae660e693010011001e0004000f000b00200005001d00", 103708),
        ("bfc7e7600028950100c0e8e660f79301001e0004000f000b00200005001d005400", 103720),
        ("cfd5e7600038950100d0f6e6601594010004000f000b00200005001d0054002d00", 103736),
    ],
)
def test_a_lorawan_water_meter_counts_on_from_uplink_to_uplink(uplink: str, litres: int) -> None:
    w1 = shipped()["axioma-qalcosonic-w1"]

    assert decode_binary(w1, bytes.fromhex(uplink))["volume"].value == Decimal(litres) / 1000


@pytest.mark.parametrize(
    ("meter_type", "address", "dump", "register"),
    [
        ("abb-b23", 0x5000, "ffff ffff ffff ffff", "import_energy"),
        ("abb-b23", 0x5B14, "7fff ffff", "power"),
        ("schneider-iem3155", 0x0C83, "8000 0000 0000 0000", "import_energy"),
        ("gavazzi-em340", 0x0034, "ffff 7fff", "import_energy"),
    ],
)
def test_a_meter_that_has_no_value_is_not_read_as_a_large_one(
    meter_type: str, address: int, dump: str, register: str
) -> None:
    image = dict(enumerate(from_hex(dump), start=address))

    assert decode_image(shipped()[meter_type], image)[register].fault is Reason.SENTINEL


@pytest.mark.parametrize(
    ("meter_type", "values"),
    [
        ("eastron-sdm630", {"total_energy": "72.91", "import_energy": "60.24"}),
        ("abb-a43", {"import_energy": "8567.20", "import_energy_t1": "2864.70"}),
        ("orno-we514", {"total_energy": "12345.67", "total_energy_t1": "8000.50"}),
    ],
)
def test_a_wrong_map_shows_in_a_sum(meter_type: str, values: dict[str, str]) -> None:
    made = shipped()[meter_type]
    zeros = dict.fromkeys(made.billing_registers, Decimal(0))
    read = zeros | {name: Decimal(value) for name, value in values.items()}

    assert violated(made, read) == made.check


def test_two_files_may_not_define_the_same_type(tmp_path: Path) -> None:
    shutil.copy(FILES[0], tmp_path / "one.toml")
    shutil.copy(FILES[0], tmp_path / "two.toml")

    with pytest.raises(
        DefinitionError, match=rf"two\.toml: id: '{FILES[0].stem}' is taken by another file"
    ):
        load_folder(tmp_path)


def test_a_folder_says_everything_that_is_wrong_in_it(tmp_path: Path) -> None:
    shutil.copy(FILES[0], tmp_path)
    (tmp_path / "a.toml").write_text("id", "utf-8")
    (tmp_path / "b.toml").write_bytes(b"\xff")

    with pytest.raises(DefinitionError) as caught:
        load_folder(tmp_path)

    assert ["a.toml" in str(caught.value), "b.toml" in str(caught.value)] == [True, True]
    assert len(caught.value.problems) == 2
