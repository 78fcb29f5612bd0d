"""LoRaWAN uplinks as network servers hand them to a broker.

Sources: "Event types" in the documentation of ChirpStack v4 (`up`) and v3 (JSON marshaler), "Data
Formats" in that of The Things Stack (`as.up.data.forward`). Of what depends on the radio, one
gateway with a fair signal is made up.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from meters.interval import utc
from simulators.chance import draw

if TYPE_CHECKING:
    from datetime import datetime

APPLICATION = "tallygate"
_APPLICATION_ID = "7f3c1a52-9c14-4f0b-8a61-0d5b7e2c9f10"
_GATEWAY = "0016c001f153a14c"
_JOIN = "70b3d57ed0000000"
_ON_AIR = timedelta(milliseconds=200)


class Envelope(StrEnum):
    """The network server that forwards an uplink."""

    CHIRPSTACK = "chirpstack"
    """ChirpStack v4."""
    CHIRPSTACK3 = "chirpstack3"
    TTN = "ttn"
    """The Things Stack (TTN v3)."""


class Uplink(NamedTuple):
    """What a device sent at `time`: `decoded` is the codec's object as JSON text, or None."""

    device: str
    name: str
    time: datetime
    counter: int
    port: int
    payload: bytes
    decoded: str | None


def topic_of(envelope: Envelope, device: str, name: str) -> str:
    """Return the topic under which `envelope` forwards the uplinks of `device`."""
    match envelope:
        case Envelope.CHIRPSTACK:
            return f"application/{_APPLICATION_ID}/device/{device}/event/up"
        case Envelope.CHIRPSTACK3:
            return f"application/1/device/{device}/event/up"
        case Envelope.TTN:
            return f"v3/{APPLICATION}@ttn/devices/{name}/up"


def enveloped(envelope: Envelope, uplink: Uplink) -> str:
    """Return the JSON text in which `envelope` forwards `uplink`."""
    match envelope:
        case Envelope.CHIRPSTACK:
            return _with(_chirpstack(uplink), "object", uplink.decoded)
        case Envelope.CHIRPSTACK3:
            return _with(_chirpstack3(uplink), "object", uplink.decoded)
        case Envelope.TTN:
            message = _with(_ttn_message(uplink), "decoded_payload", uplink.decoded)
            return _with(_ttn(uplink), "uplink_message", message)


def _with(document: dict[str, Any], key: str, text: str | None) -> str:
    """Return `document` as JSON; where `text` is JSON, it is the value of `key`, the last one."""
    rendered = json.dumps(document, separators=(",", ":"))
    return rendered if text is None else f"{rendered[:-1]},{json.dumps(key)}:{text}}}"


def _chirpstack(uplink: Uplink) -> dict[str, Any]:
    return {
        "deduplicationId": str(UUID(int=draw(uplink.device, uplink.counter) << 64 | 1)),
        "time": _iso(uplink.time),
        "deviceInfo": {
            "tenantName": "Tallygate",
            "applicationId": _APPLICATION_ID,
            "applicationName": APPLICATION,
            "deviceProfileName": "meter",
            "deviceName": uplink.name,
            "devEui": uplink.device,
        },
        "devAddr": _address(uplink.device),
        "adr": True,
        "dr": 5,
        "fCnt": uplink.counter,
        "fPort": uplink.port,
        "confirmed": False,
        "data": b64encode(uplink.payload).decode("ascii"),
        "rxInfo": [{"gatewayId": _GATEWAY, "rssi": -97, "snr": 7.5}],
    }


def _chirpstack3(uplink: Uplink) -> dict[str, Any]:
    return {
        "applicationID": "1",
        "applicationName": APPLICATION,
        "deviceName": uplink.name,
        "devEUI": uplink.device,
        "rxInfo": [{"gatewayID": _GATEWAY, "time": _iso(uplink.time), "rssi": -97, "loRaSNR": 7.5}],
        "adr": True,
        "fCnt": uplink.counter,
        "fPort": uplink.port,
        "data": b64encode(uplink.payload).decode("ascii"),
    }


def _ttn(uplink: Uplink) -> dict[str, Any]:
    return {
        "end_device_ids": {
            "device_id": uplink.name,
            "application_ids": {"application_id": APPLICATION},
            "dev_eui": uplink.device.upper(),
            "join_eui": _JOIN.upper(),
            "dev_addr": _address(uplink.device).upper(),
        },
        # the application server has it a moment after the network server
        "received_at": _iso(uplink.time + _ON_AIR),
    }


def _ttn_message(uplink: Uplink) -> dict[str, Any]:
    return {
        "f_port": uplink.port,
        "f_cnt": uplink.counter,
        "frm_payload": b64encode(uplink.payload).decode("ascii"),
        "rx_metadata": [
            {"gateway_ids": {"gateway_id": "roof", "eui": _GATEWAY}, "rssi": -97, "snr": 7.5}
        ],
        "received_at": _iso(uplink.time),
    }


def _address(device: str) -> str:
    return f"{draw(device, 'address') % 2**24:08x}"


def _iso(time: datetime) -> str:
    return utc(time).replace(tzinfo=None).isoformat() + "Z"
