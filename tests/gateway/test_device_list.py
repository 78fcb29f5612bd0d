"""The device list from the API: checked whole, kept beside the spool, and worked from offline."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from gateway.credential import Credential, CredentialFile
from gateway.device_list import DeviceListFile, Kept, problems_of, read_device_list
from gateway.site import load_site
from meters.catalog import FOLDER, shipped
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "https://tallygate.example"
SITE = f"""
gateway = "north-1"
[archive]
url = "sqlite:///archive.sqlite"
[mqtt]
host = "127.0.0.1"
[report]
url = "{URL}"
[devices]
from = "api"
"""
BUS: dict[str, Any] = {
    "name": "b1",
    "host": "10.0.0.7",
    "device": [{"meter": "e-1", "unit": 1, "type": "eastron-sdm120"}],
}
WATER: dict[str, Any] = {"meter": "w-1", "type": "wmbusmeters-water", "topic": "wm/1"}
LIST: dict[str, Any] = {"gateway": "north-1", "bus": [BUS], "mqtt": {"meter": [WATER]}}


@pytest.fixture
def path(site_file: Callable[[str], Path]) -> Path:
    """A settings file whose devices come from the API, of a gateway that is enrolled."""
    path = site_file(SITE)
    CredentialFile(path.parent / "spool.sqlite").write(Credential(URL, "tg_key_1"))
    return path


def _problems(document: dict[str, Any]) -> str:
    found = problems_of(read_device_list(document, "the list"), shipped(), "the list")
    return "\n".join(map(str, found))


def test_a_gateway_without_a_list_waits_for_one(path: Path) -> None:
    site = load_site(path, {})
    assert (site.buses, site.mqtt_meters, site.list_tag) == ((), (), "")
    assert site.report is not None
    assert site.report.key == "tg_key_1"


def test_it_works_from_the_list_that_it_took_last(path: Path) -> None:
    DeviceListFile(path.parent / "spool.sqlite").write("t-1", LIST)
    site = load_site(path, {})
    assert [device.meter for device in site.devices] == ["e-1"]
    assert [meter.topic for meter in site.mqtt_meters] == ["wm/1"]
    assert site.list_tag == "t-1"


def test_another_list_is_tried_before_it_is_kept(path: Path) -> None:
    DeviceListFile(path.parent / "spool.sqlite").write("t-1", LIST)
    other = Kept("t-2", read_device_list({"gateway": "north-1", "bus": [BUS]}, "the API's list"))
    assert load_site(path, {}, kept=other).list_tag == "t-2"
    assert load_site(path, {}).list_tag == "t-1"


def test_the_list_of_another_gateway_is_refused(path: Path) -> None:
    other = Kept("t-2", read_device_list({**LIST, "gateway": "south"}, "the API's list"))
    with pytest.raises(DefinitionError, match="is the list of gateway 'south'"):
        load_site(path, {}, kept=other)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"tag": "t"}', "cannot be read"),
        ('{"tag": "t", "devices": 1}', "is no JSON object with a device list"),
        ('{"tag": "t", "devices": {"gateway": "north-1", "buss": []}}', "did you mean 'bus'"),
    ],
)
def test_a_damaged_list_is_said_so_with_its_file(path: Path, text: str, says: str) -> None:
    file = DeviceListFile(path.parent / "spool.sqlite")
    file.path.write_text(text)
    with pytest.raises(DefinitionError, match=says) as raised:
        load_site(path, {})
    assert str(file.path) in str(raised.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[[bus]]\nname = "b"\nhost = "h"\ndevice = [{meter="m",unit=1,type="t"}]', "move them to"),
        ("", ""),
    ],
)
def test_devices_come_from_one_place(site_file: Any, more: str, says: str) -> None:
    path = site_file(SITE + more)
    CredentialFile(path.parent / "spool.sqlite").write(Credential(URL, "k"))
    if says:
        with pytest.raises(DefinitionError, match=says):
            load_site(path, {})
    else:
        load_site(path, {})


def test_devices_from_the_api_need_the_api(site_file: Any) -> None:
    with pytest.raises(DefinitionError, match=r"need \[report\]"):
        load_site(site_file(SITE.replace(f'[report]\nurl = "{URL}"\n', "")), {})


def test_a_gateway_that_is_not_enrolled_is_told_how(site_file: Any) -> None:
    with pytest.raises(DefinitionError, match="run `tallygate gateway enrol`"):
        load_site(site_file(SITE), {})


def test_a_key_of_another_api_does_not_count(path: Path) -> None:
    CredentialFile(path.parent / "spool.sqlite").write(Credential("https://other.example", "k"))
    with pytest.raises(DefinitionError, match="no key of https://tallygate"):
        load_site(path, {})


def test_what_root_enrols_is_read_by_the_service_whose_folder_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    service = 61234 if os.geteuid() == 0 else os.geteuid()  # others give nothing away
    os.chown(folder, service, -1)
    file = CredentialFile(folder / "spool.sqlite")

    file.write(Credential("http://api", "secret"))

    held = file.path.stat()
    assert (held.st_uid, held.st_mode & 0o777) == (service, 0o600)


def test_the_credential_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = CredentialFile(tmp_path / "spool.sqlite")
    assert file.read() is None
    file.write(Credential(URL, "tg_key_1"))
    file.write(Credential(URL, "tg_key_2"))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.read() == Credential(URL, "tg_key_2")
    assert "tg_key_2" not in repr(file.read())
    file.path.chmod(0o640)
    with pytest.raises(DefinitionError, match="can be read by others; chmod 600"):
        file.read()


def test_a_list_that_fits_has_no_problem() -> None:
    assert _problems(LIST) == ""


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (
            {"bus": [{**BUS, "device": [{**BUS["device"][0], "type": "sdm"}]}]},
            "unknown meter type",
        ),
        ({"bus": [BUS, {**BUS, "name": "b2", "host": "10.0.0.8"}]}, "stated more than once"),
        ({"mqtt": {"meter": [{**WATER, "type": "eastron-sdm120"}]}}, "does not report over MQTT"),
        ({"types": {"x": "kind ="}}, "is not TOML"),
        ({"types": {"x": 'kind = "meter-type"'}}, "is missing"),
    ],
)
def test_what_a_gateway_would_refuse_is_found_before_it_is_sent(document: Any, says: str) -> None:
    assert says in _problems({"gateway": "north-1", **document})


def test_a_type_comes_with_the_list_and_is_proven_where_it_is_taken(path: Path) -> None:
    text = (FOLDER / "eastron-sdm120.toml").read_text("utf-8")
    assert "is here already" in _problems({"gateway": "north-1", "types": {"mine": text}})
    mine = text.replace("eastron-sdm120", "mine")
    bus = {**BUS, "device": [{"meter": "e-1", "unit": 1, "type": "mine"}]}
    document = {"gateway": "north-1", "bus": [bus], "types": {"mine": mine}}
    assert _problems(document) == ""
    DeviceListFile(path.parent / "spool.sqlite").write("t-1", document)
    (device,) = load_site(path, {}).devices
    assert device.type.id == "mine"
    wrong = mine.replace("10909.28", "10909.29")
    assert wrong != mine
    assert "decodes to another value" in _problems({**document, "types": {"mine": wrong}})


def test_the_list_is_replaced_whole(tmp_path: Path) -> None:
    file = DeviceListFile(tmp_path / "spool.sqlite")
    assert file.read() is None
    file.write("t-1", LIST)
    file.write("t-2", {"gateway": "north-1"})
    kept = file.read()
    assert kept is not None
    assert (kept.tag, kept.devices.meters) == ("t-2", set())
    assert json.loads(file.path.read_text())["tag"] == "t-2"
    assert [each.name for each in tmp_path.iterdir()] == [file.path.name]
