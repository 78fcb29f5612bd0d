"""The shipped meter types: every one loads, is proven, and can be billed from."""

from __future__ import annotations

import shutil
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from meters.catalog import FOLDER, load_folder, shipped
from meters.decoding import decode_image, decode_payload
from meters.definition import DefinitionError
from meters.proof import load_meter_types
from meters.words import from_hex

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_type_loads_under_the_name_of_its_file(path: Path) -> None:
    meter_type, *_ = load_meter_types(path)

    assert meter_type.id == path.stem
    assert shipped()[path.stem] == meter_type
    assert meter_type.billing_registers


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_type_does_not_load_where_its_proof_is_changed(
    tmp_path: Path, path: Path
) -> None:
    text = path.read_text("utf-8")
    register, value = next(
        iter(tomllib.loads(text, parse_float=Decimal)["proof"][-1]["expect"].items())
    )
    changed = tmp_path / path.name
    changed.write_text(text.replace(f'{register} = "{value}"', f'{register} = "{value}9"'), "utf-8")

    with pytest.raises(DefinitionError, match=rf"expect\.{register}: .*expected .*, got "):
        load_meter_types(changed)


@pytest.mark.parametrize(
    ("meter_type", "address", "dump", "register", "value"),
    [
        ("eastron-sdm630", 0x0000, "4367 af55", "voltage_l1", "231.7"),
        ("eastron-sdm630", 0x0048, "462a 7521", "import_energy", "10909.28"),
        ("eastron-sdm630", 0x0048, "462a 7522", "import_energy", "10909.28"),
        ("eastron-sdm120", 0x0048, "462a 7522", "import_energy", "10909.28"),
        ("bove-ultrasonic", 7, "614e 00bc", "volume", "12345.678"),
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
