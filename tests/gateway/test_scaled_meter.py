"""A meter whose scale is a register of its own: from its words to what was used."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from running_gateway import running_gateway, stored, until
from simulator_process import running

from gateway.site import load_site
from meters.archive.open import open_archive
from meters.decoding import decode_register
from meters.history import History
from meters.installation import Installation
from meters.interval import Interval
from meters.proof import load_meter_types
from meters.reading import Reason, Series, Verdict
from meters.usage import measure
from meters.words import from_hex

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gateway.site import Site
    from meters.meter_type import MeterType
    from meters.reading import Reading

TYPE = """
kind = "meter-type"
id = "own-water"
name = "Own"
manufacturer = "Own"
medium = "water"

[modbus]
function = 3
max_gap = 8

[register]
volume = { kind = "total", unit = "m3", address = 16, type = "uint32", scale_factor = {
    address = 20, type = "uint16", decimals = [2, 4] }, max_rate = "90000" }

[[proof]]
kind = "computed"
source = "made up"
words = "0001 e240 0000 0000 0003"
expect = { volume = "123.456" }
""".replace("= {\n    address", "= { address")
SITE = """
gateway = "north-1"
types = ["types"]
[archive]
url = "sqlite:///archive.sqlite"
[poll]
billing_s = 1
[[bus]]
name = "line"
host = "127.0.0.1"
port = {port}
timeout_s = "5"
[[bus.device]]
meter = "w-1"
unit = 1
type = "own-water"
"""
VOLUME = Series("w-1", "volume")


@pytest.fixture
def own_type(tmp_path: Path) -> Path:
    folder = tmp_path / "types"
    folder.mkdir()
    path = folder / "own-water.toml"
    path.write_text(TYPE, "utf-8")
    return path


async def _gather(site: Site, readings: int) -> list[Reading]:
    """Run the gateway until the archive holds so many `readings`; return them."""
    async with running_gateway(site):
        await until(lambda: stored(site) >= readings)
    return await asyncio.to_thread(_all, site)


def test_a_simulated_meter_is_read_at_its_scale_and_its_use_measured(
    own_type: Path, site_file: Any
) -> None:
    (meter_type,) = load_meter_types(own_type)
    arguments = ("meter", str(own_type), "--port", "0", "--first", "600", "--speed", "3600")
    with running(*arguments) as simulator:
        port = simulator.said["lines"][0]["port"]
        site = load_site(site_file(SITE.format(port=port)), {})
        readings = asyncio.run(_gather(site, 3))

    assert {reading.verdict for reading in readings} == {Verdict.GOOD}
    for reading in readings:
        high, low, scale = from_hex(reading.raw)
        assert scale == 2
        assert reading.value == Decimal(high * 65536 + low) / 100
        assert reading.value > 600
        assert decode_register(meter_type, "volume", (high, low, scale)).value == reading.value
    first, last = readings[0].value, readings[-1].value
    assert first is not None
    assert last is not None
    assert _used(site, meter_type, readings[0].time, readings[-1].time) == last - first


def _used(site: Site, meter_type: MeterType, start: datetime, end: datetime) -> Decimal | None:
    with closing(open_archive(site.archive_url)) as archive:
        near = {("w-1", at): archive.boundaries([VOLUME], at)[VOLUME] for at in (start, end)}
    usage = measure(
        point="p-1",
        name="volume",
        interval=Interval(start, end),
        installations=[Installation("p-1", "w-1", "own-water", start - timedelta(days=1))],
        registers={"own-water": meter_type.registers["volume"]},
        boundaries=near,
        histories={"w-1": History(meter_type.registers["volume"], _all(site), trusting=True)},
    )
    return usage.quantity


def _all(site: Site) -> list[Reading]:
    with closing(open_archive(site.archive_url)) as archive:
        last = archive.latest()[VOLUME].time
        told = Interval(last - timedelta(minutes=5), last + timedelta(seconds=1))
        return archive.readings(VOLUME, told)


def test_a_simulated_meter_that_is_rescaled_is_suspect(
    own_type: Path, site_file: Any, tmp_path: Path
) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text(
        'kind = "faults"\n[[fault]]\nkind = "rescaled"\nafter = 2\ncount = 1\n', "utf-8"
    )
    arguments = ("meter", str(own_type), "--port", "0", "--first", "600", "--faults", str(faults))
    with running(*arguments) as simulator:
        port = simulator.said["lines"][0]["port"]
        site = load_site(site_file(SITE.format(port=port)), {})
        readings = asyncio.run(_gather(site, 4))

    judged = [(each.verdict, each.reasons, each.raw[-1]) for each in readings[:4]]
    assert [verdict for verdict, _, _ in judged].count(Verdict.SUSPECT) == 1
    assert (Verdict.SUSPECT, (Reason.RESCALED,), "4") in judged
    assert {raw for verdict, _, raw in judged if verdict is Verdict.GOOD} == {"2"}


def test_a_scale_that_changes_or_is_no_more_told_makes_no_use(
    own_type: Path, peer: Any, site_file: Any
) -> None:
    said = iter([3, 3, 2, 0x8000])

    async def meter(request: Any, wire: Any) -> None:
        words = (1, 0xE240, 0, 0, next(said, 3))
        wire.answer(request, words[request.address - 16 :][: request.words])

    async def scenario() -> list[Reading]:
        async with peer(meter) as line:
            return await _gather(load_site(site_file(SITE.format(port=line.port)), {}), 5)

    readings = asyncio.run(scenario())

    right = (Decimal("123.456"), Verdict.GOOD)
    judged = [(each.value, each.verdict, each.reasons) for each in readings[:5]]
    assert [each[:2] for each in judged[:2]] == [right, right]
    assert judged[2] == (Decimal("1234.56"), Verdict.SUSPECT, (Reason.RESCALED,))
    assert judged[3] == (None, Verdict.INVALID, (Reason.NO_SCALE,))
    assert judged[4][:2] == right
    assert [each.raw for each in readings[2:4]] == ["0001 e240 0002", "0001 e240 8000"]
