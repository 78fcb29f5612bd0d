"""A settings file says everything once, and a typo is a message that names what was meant."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import meters.catalog
from gateway.line import NetworkLine, SerialPort
from gateway.site import load_site
from meters.definition import DefinitionError
from meters.serial_line import SerialLine

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[str], Path]

FULL = """\
gateway = "north-1"

[archive]
url = "sqlite:///readings.sqlite"

[spool]
path = "data/spool.sqlite"

[poll]
billing_s = 900
gauges_s = 300

[[bus]]
name = "riser-a"
host = "192.0.2.10"
timeout_s = "0.8"
[[bus.device]]
meter = "e-101"
unit = 1
type = "eastron-sdm120"
[[bus.device]]
meter = "e-102"
unit = 2
type = "eastron-sdm120"

[mqtt]
host = "192.0.2.11"
username = "north-1"
password_env = "BROKER_PASSWORD"
listen = ["wmbusmeters/#"]
[[mqtt.meter]]
meter = "w-101"
type = "wmbusmeters-water"
topic = "wmbusmeters/w-101"
identity = "76348799"

[report]
url = "https://tallygate.example/"
key_env = "GATEWAY_KEY"
"""
SECRETS = {"BROKER_PASSWORD": "hunter2", "GATEWAY_KEY": "k-1"}


def _problems(path: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(DefinitionError) as caught:
        load_site(path, SECRETS if environment is None else environment)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_a_full_file_is_resolved(site_file: Write) -> None:
    path = site_file(FULL)
    site = load_site(path, SECRETS)
    assert site.archive_url == f"sqlite:///{path.parent}/readings.sqlite"
    assert site.spool_path == path.parent / "data/spool.sqlite"
    (bus,) = site.buses
    assert bus.line == NetworkLine("192.0.2.10", 502, "tcp")
    assert (bus.timeout_s, bus.turnaround_s) == (0.8, 0.0)
    assert site.zone.key == "Asia/Shanghai"
    assert [(d.meter, d.unit, d.type.id) for d in bus.devices] == [
        ("e-101", 1, "eastron-sdm120"),
        ("e-102", 2, "eastron-sdm120"),
    ]
    assert site.broker is not None
    assert (site.broker.client_id, site.broker.password) == ("tallygate-north-1", "hunter2")
    assert site.report is not None
    assert (site.report.url, site.report.key) == ("https://tallygate.example", "k-1")
    assert site.types.keys() == {"e-101", "e-102"}


def test_secrets_do_not_show_when_a_site_is_printed(site_file: Write) -> None:
    shown = repr(load_site(site_file(FULL), SECRETS))
    assert "hunter2" not in shown
    assert "k-1" not in shown


def test_a_certificate_that_is_not_there_is_named_where_the_gateway_runs(site_file: Write) -> None:
    text = FULL.replace("username =", 'tls = true\nca_file = "ca.pem"\nusername =')
    path = site_file(text)
    assert f"mqtt.ca_file: {path.parent / 'ca.pem'} is no file" in _problems(path, SECRETS)
    (path.parent / "ca.pem").touch()
    broker = load_site(path, SECRETS).broker
    assert broker is not None
    assert broker.ca_file == path.parent / "ca.pem"
    (path.parent / "ca.pem").unlink()
    assert load_site(path).broker is not None, "a spool can be looked at from elsewhere"


def test_a_topic_may_hold_the_meter_and_its_number(site_file: Write) -> None:
    text = FULL.replace('topic = "wmbusmeters/w-101"', 'topic = "+/{meter}/{identity}/up"')
    broker = load_site(site_file(text), SECRETS).broker
    assert broker is not None
    (meter,) = broker.meters
    assert meter.topic == f"+/w-101/{meter.identity}/up"


def test_meters_that_nothing_tells_apart_cannot_share_a_topic(site_file: Write) -> None:
    shared = """
[[mqtt.meter]]
meter = "{meter}"
type = "homie-water"
topic = "homie/+"
"""
    text = FULL + "".join(shared.format(meter=meter) for meter in ("h-1", "h-2"))
    assert "several meters share 'homie/+'" in _problems(site_file(text), SECRETS)


def test_without_an_environment_a_site_can_still_be_looked_at(site_file: Write) -> None:
    assert load_site(site_file(FULL)).spool_path.name == "spool.sqlite"


def test_an_absolute_archive_stays_where_it_is(site_file: Write) -> None:
    path = site_file(FULL.replace("sqlite:///readings", "sqlite:////var/lib/readings"))
    assert load_site(path, SECRETS).archive_url == "sqlite:////var/lib/readings.sqlite"


def test_another_archive_is_left_as_it_is(site_file: Write) -> None:
    text = FULL.replace('url = "sqlite:///readings.sqlite"', 'url_env = "ARCHIVE"')
    url = "postgresql+pg8000://u:p@db/tallygate"
    assert load_site(site_file(text), {**SECRETS, "ARCHIVE": url}).archive_url == url


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("billing_s", "biling_s", "poll.biling_s: unknown key; did you mean 'billing_s'?"),
        ("[[bus.device]]", "[[bus.devise]]", "unknown key; did you mean 'device'?"),
        (
            'type = "eastron-sdm120"',
            'type = "eastron-sdm12"',
            "unknown meter type 'eastron-sdm12'; did you mean 'eastron-sdm120'?",
        ),
        (
            'type = "eastron-sdm120"',
            'type = "wmbusmeters-water"',
            "the type 'wmbusmeters-water' does not report over Modbus",
        ),
        (
            'type = "wmbusmeters-water"',
            'type = "eastron-sdm120"',
            "the type 'eastron-sdm120' does not report over MQTT",
        ),
        ('meter = "e-102"', 'meter = "e-101"', "the meter 'e-101' is stated more than once"),
        ('meter = "w-101"', 'meter = "e-101"', "the meter 'e-101' is stated more than once"),
        ("unit = 2", "unit = 1", "bus[1].device: unit 1 is stated twice on bus 'riser-a'"),
        ("unit = 2", "unit = 256", "bus[1].device[2].unit"),
        ("unit = 2", 'unit = "2"', "bus[1].device[2].unit"),
        ('host = "192.0.2.10"', "", "state either host, for a network, or serial"),
        ('host = "192.0.2.10"', 'host = "h"\nserial = "/dev/ttyS0"', "state either host"),
        ('host = "192.0.2.10"', 'serial = "/dev/ttyS0"\nport = 502', "port belongs to a host"),
        ('timeout_s = "0.8"', 'framing = "ascii"', "bus[1].framing"),
        ('timeout_s = "0.8"', 'line = "9600 8N1"', "line belongs to serial"),
        ('timeout_s = "0.8"', "turnaround_ms = -1", "bus[1].turnaround_ms"),
        (
            'host = "192.0.2.10"',
            'serial = "/dev/ttyS0"\nline = "9600"',
            "bus[1].line: '9600' is no serial line",
        ),
        (
            'unit = 2\ntype = "eastron-sdm120"',
            'unit = 2\ntype = "orno-we516"\nidentity = "7"',
            "bus[1].device[2].identity: the type 'orno-we516' has no identity register",
        ),
        ('gateway = "north-1"', 'gateway = "n"\nzone = "Asia/Peking"', "is no time zone; write"),
        ("billing_s = 900", "billing_s = 86401", "poll.billing_s"),
        ('timeout_s = "0.8"', "port = 70000", "bus[1].port"),
        ('timeout_s = "0.8"', 'port = "502"', "bus[1].port"),
        ('timeout_s = "0.8"', 'timeout_s = "0"', "bus[1].timeout_s"),
        ('timeout_s = "0.8"', 'timeout_s = "soon"', "must be a number"),
        ("billing_s = 900", "billing_s = 0", "poll.billing_s"),
        ("billing_s = 900", "billing_s = true", "poll.billing_s"),
        ('gateway = "north-1"', 'gateway = "north 1"', "gateway"),
        ('gateway = "north-1"', "", "gateway: is missing"),
        ('topic = "wmbusmeters/w-101"', 'topic = "wmbusmeters/#"', "# is not used"),
        ('topic = "wmbusmeters/w-101"', 'topic = "a/w+"', "+ stands for one whole level"),
        ('topic = "wmbusmeters/w-101"', 'topic = "a/{unit}"', "'{unit}' stands for nothing"),
        ("path = ", "quota_mb = 1\npath = ", "spool.quota_mb"),
        ('listen = ["wmbusmeters/#"]', 'listen = ["wmbus#"]', "is no topic filter"),
        ('username = "north-1"', "", "password_env needs a username beside it"),
        (
            'url = "sqlite:///readings.sqlite"',
            'url = "postgresql://u:p@db/x"',
            "holds a password; put the URL into an environment variable",
        ),
        ('url = "sqlite:///readings.sqlite"', "", "state either url or url_env"),
        ("https://tallygate.example/", "tallygate.example", "is no http(s) address"),
        ('gateway = "north-1"', 'gateway = "north-1"\ntypes = ["mine"]', "mine is no folder"),
        ("[poll]", "[poll", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(site_file: Write, old: str, new: str, says: str) -> None:
    assert old in FULL
    path = site_file(FULL.replace(old, new))
    problems = _problems(path)
    assert says in problems
    assert str(path) in problems


def test_every_mistake_is_named_at_once(site_file: Write) -> None:
    text = FULL.replace("unit = 2", "unit = 1").replace('meter = "w-101"', 'meter = "e-101"')
    problems = _problems(site_file(text))
    assert "unit 1 is stated twice" in problems
    assert "the meter 'e-101' is stated more than once" in problems


def test_a_secret_that_is_not_there_is_named(site_file: Write) -> None:
    problems = _problems(site_file(FULL), {"GATEWAY_KEY": "k-1", "BROKER_PASSWORD": ""})
    assert "mqtt.password_env: the environment variable BROKER_PASSWORD is not set" in problems


def test_two_buses_at_one_address_are_one_line(site_file: Write) -> None:
    second = '[[bus]]\nname = "b"\nhost = "192.0.2.10"\n[[bus.device]]\nmeter = "e-9"\nunit = 9\n'
    text = FULL.replace("[mqtt]", second + 'type = "eastron-sdm120"\n[mqtt]')
    problems = _problems(site_file(text))
    assert "two buses use 192.0.2.10:502; put the devices of one line into one [[bus]]" in problems


SERIAL = """\
gateway = "n"
archive.url = "sqlite:///a.sqlite"
[[bus]]
name = "basement"
serial = "/dev/ttyUSB0"
[[bus.device]]
meter = "e-1"
unit = 1
type = "eastron-sdm120"
identity = "20123456"
"""


def test_a_serial_line_is_set_as_its_meters_come(site_file: Write) -> None:
    (bus,) = load_site(site_file(SERIAL)).buses
    assert bus.line == SerialPort("/dev/ttyUSB0", SerialLine(2400, 8, "N", 1))
    assert bus.devices[0].identity == "20123456"


def test_a_line_that_is_stated_is_the_one_that_counts(site_file: Write) -> None:
    text = SERIAL.replace("[[bus.device]]", 'line = "9600 8E1"\nturnaround_ms = 60\n[[bus.device]]')
    (bus,) = load_site(site_file(text)).buses
    assert bus.line == SerialPort("/dev/ttyUSB0", SerialLine(9600, 8, "E", 1))
    assert bus.turnaround_s == 0.06


def test_meters_that_come_with_different_lines_need_one_stated(site_file: Write) -> None:
    other = '[[bus.device]]\nmeter = "e-2"\nunit = 2\ntype = "eastron-sdm630"\n'
    problems = _problems(site_file(SERIAL + other))
    assert "bus[1].line: its meters come with 2400 8N1 and 9600 8N1; state the one" in problems


@pytest.mark.parametrize("way", ['serial = "/dev/ttyUSB0"', 'host = "h"\nframing = "rtu"'])
@pytest.mark.parametrize("unit", [0, 248])
def test_a_serial_line_has_units_of_its_own_range(site_file: Write, way: str, unit: int) -> None:
    text = SERIAL.replace('serial = "/dev/ttyUSB0"', way).replace("unit = 1", f"unit = {unit}")
    assert f"{unit} is no unit of a serial line; they are 1 to 247" in _problems(site_file(text))


def test_two_buses_at_one_serial_port_are_one_line(site_file: Write) -> None:
    second = SERIAL[SERIAL.index("[[bus]]") :].replace("basement", "attic").replace("e-1", "e-2")
    assert "two buses use /dev/ttyUSB0; put the devices" in _problems(site_file(SERIAL + second))


def test_a_serial_server_passes_on_the_bytes_of_the_line(site_file: Write) -> None:
    text = SERIAL.replace('serial = "/dev/ttyUSB0"', 'host = "h"\nport = 4001\nframing = "rtu"')
    (bus,) = load_site(site_file(text)).buses
    assert bus.line == NetworkLine("h", 4001, "rtu")


def test_meters_that_share_a_topic_need_their_numbers(site_file: Write) -> None:
    second = '[[mqtt.meter]]\nmeter = "w-102"\ntype = "wmbusmeters-water"\n'
    text = FULL.replace("[report]", second + 'topic = "wmbusmeters/w-101"\n[report]')
    problems = _problems(site_file(text))
    assert "several meters share 'wmbusmeters/w-101'; state the identity of each" in problems


def test_a_site_that_reads_nothing_is_refused(site_file: Write) -> None:
    problems = _problems(site_file('gateway = "n"\n[archive]\nurl = "sqlite:///a.sqlite"\n'))
    assert "needs a [[bus]] or [mqtt]" in problems


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in _problems(tmp_path / "site.toml")


def test_meter_types_of_the_site_stand_beside_the_shipped_ones(site_file: Write) -> None:
    path = site_file(
        FULL.replace('"north-1"\n', '"north-1"\ntypes = ["mine"]\n', 1).replace(
            "eastron-sdm120", "our-sdm120"
        )
    )
    mine = path.parent / "mine"
    mine.mkdir()
    shipped = (Path(meters.catalog.__file__).parent / "eastron-sdm120.toml").read_text("utf-8")
    (mine / "a.toml").write_text(shipped.replace('"eastron-sdm120"', '"our-sdm120"'), "utf-8")
    assert load_site(path, SECRETS).types["e-101"].id == "our-sdm120"


def test_a_shipped_type_is_not_quietly_replaced(site_file: Write) -> None:
    path = site_file(FULL.replace('"north-1"\n', '"north-1"\ntypes = ["mine"]\n', 1))
    mine = path.parent / "mine"
    mine.mkdir()
    shutil.copy(Path(meters.catalog.__file__).parent / "eastron-sdm120.toml", mine)
    assert "defines 'eastron-sdm120' again; give that type another id" in _problems(path)


def test_a_type_whose_proof_fails_does_not_load(site_file: Write) -> None:
    path = site_file(FULL.replace('"north-1"\n', '"north-1"\ntypes = ["mine"]\n', 1))
    mine = path.parent / "mine"
    mine.mkdir()
    shipped = (Path(meters.catalog.__file__).parent / "eastron-sdm120.toml").read_text("utf-8")
    wrong = shipped.replace('"eastron-sdm120"', '"ours"').replace('"10909.28"', '"10909.29"')
    (mine / "a.toml").write_text(wrong, "utf-8")
    assert "(expected 10909.29, got 10909.28" in _problems(path)
