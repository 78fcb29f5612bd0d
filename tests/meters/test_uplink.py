"""LoRaWAN uplinks: three network servers say the same in their own envelopes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from meters.payload import PayloadError
from meters.uplink import Uplink, uplink_in

EUI = "24e124136b3c0815"
PAYLOAD = bytes.fromhex("0a0001e240")
DATA = base64.b64encode(PAYLOAD).decode()
DECODED = {"volume": 123}
SENT = Uplink(EUI, datetime(2026, 3, 1, 6, tzinfo=UTC), 4, 2, PAYLOAD, DECODED)

CHIRPSTACK_4: dict[str, Any] = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-03-01T06:00:00.000000000+00:00",
    "deviceInfo": {"applicationName": "water", "deviceName": "w-1", "devEui": EUI},
    "devAddr": "00189440",
    "fCnt": 4,
    "fPort": 2,
    "data": DATA,
    "object": DECODED,
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36}],
}
CHIRPSTACK_3: dict[str, Any] = {
    "applicationID": "123",
    "deviceName": "w-1",
    "devEUI": EUI,
    "rxInfo": [{"time": None}, {"time": "2026-03-01T06:00:00Z"}, {"time": "2026-03-01T06:00:01Z"}],
    "fCnt": 4,
    "fPort": 2,
    "data": DATA,
    "object": DECODED,
}
CHIRPSTACK_3_PROTOBUF: dict[str, Any] = {
    **{key: value for key, value in CHIRPSTACK_3.items() if key != "object"},
    "devEUI": base64.b64encode(bytes.fromhex(EUI)).decode(),
    "objectJSON": json.dumps(DECODED),
    "publishedAt": "2026-03-01T06:00:00Z",
}
THINGS_STACK: dict[str, Any] = {
    "end_device_ids": {"device_id": "w-1", "dev_eui": EUI.upper(), "dev_addr": "00BCB929"},
    "received_at": "2026-03-01T06:00:00.2Z",
    "uplink_message": {
        "f_port": 2,
        "f_cnt": 4,
        "frm_payload": DATA,
        "decoded_payload": DECODED,
        "received_at": "2026-03-01T06:00:00Z",
    },
}
ENVELOPES = {
    "ChirpStack v4": CHIRPSTACK_4,
    "ChirpStack v3": CHIRPSTACK_3,
    "ChirpStack v3, protobuf's JSON": CHIRPSTACK_3_PROTOBUF,
    "The Things Stack": THINGS_STACK,
}


def read(document: Any) -> Uplink:
    return uplink_in(json.dumps(document).encode())


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)
def test_every_network_server_tells_of_the_same_uplink(envelope: dict[str, Any]) -> None:
    assert read(envelope) == SENT


def without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


@pytest.mark.parametrize(
    "envelope",
    [
        without(CHIRPSTACK_4, "fCnt"),
        without(CHIRPSTACK_3, "fCnt"),
        {**THINGS_STACK, "uplink_message": without(THINGS_STACK["uplink_message"], "f_cnt")},
    ],
)
def test_a_count_that_is_left_out_is_zero(envelope: dict[str, Any]) -> None:
    assert read(envelope) == SENT._replace(counter=0)


@pytest.mark.parametrize(
    "envelope",
    [
        without(CHIRPSTACK_4, "object"),
        {**CHIRPSTACK_4, "object": None},
        without(CHIRPSTACK_3, "object"),
        without(CHIRPSTACK_3_PROTOBUF, "objectJSON"),
        {**CHIRPSTACK_3_PROTOBUF, "objectJSON": ""},
    ],
)
def test_without_a_codec_there_is_the_binary_payload_alone(envelope: dict[str, Any]) -> None:
    assert read(envelope) == SENT._replace(decoded=None)


@pytest.mark.parametrize(
    "envelope",
    [
        without(CHIRPSTACK_4, "fPort", "data", "object", "fCnt"),  # a join, a status, an ack
        without(CHIRPSTACK_3, "fPort", "data", "object", "fCnt"),
        {**CHIRPSTACK_4, "fPort": 0},
        without(THINGS_STACK, "uplink_message") | {"join_accept": {"session_key_id": "AX"}},
    ],
)
def test_a_message_that_is_no_uplink_with_a_payload_has_no_port(envelope: dict[str, Any]) -> None:
    found = read(envelope)

    assert (found.device, found.port) == (EUI, None)


@pytest.mark.parametrize(
    "envelope",
    [
        without(CHIRPSTACK_4, "time"),
        without(CHIRPSTACK_3, "rxInfo"),
        {**CHIRPSTACK_3, "rxInfo": None},
        {**CHIRPSTACK_3, "rxInfo": [{"time": None}, 3]},
        without(THINGS_STACK, "received_at")
        | {"uplink_message": without(THINGS_STACK["uplink_message"], "received_at")},
    ],
)
def test_a_time_that_is_left_out_is_that_of_the_receipt(envelope: dict[str, Any]) -> None:
    assert read(envelope) == SENT._replace(time=None)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "not an uplink: expected the JSON envelope of ChirpStack"),
        ([], "not an uplink"),
        (3, "not an uplink"),
        ({"deviceInfo": {}}, "not an uplink"),
        ({"devEUI": 7}, "not an uplink"),
        ({**CHIRPSTACK_4, "deviceInfo": {"devEui": "24e1"}}, "'24e1' is no DevEUI of 16 hexadec"),
        ({**CHIRPSTACK_3, "devEUI": "24e124136b3c081x"}, "'24e124136b3c081x' is no DevEUI"),
        ({**CHIRPSTACK_3, "devEUI": "w-1"}, "DevEUI must be base64, got 'w-1'"),
        ({**CHIRPSTACK_4, "data": "?"}, "/data must be base64, got '?'"),
        ({**CHIRPSTACK_4, "data": 7}, "/data must be base64, got 7"),
        ({**CHIRPSTACK_4, "data": "水"}, "/data must be base64"),
        ({**CHIRPSTACK_4, "fCnt": -1}, "/fCnt must be a whole number, got -1"),
        ({**CHIRPSTACK_4, "fCnt": 2**32}, "/fCnt must be a whole number"),
        ({**CHIRPSTACK_4, "fPort": "2"}, "/fPort must be a whole number, got '2'"),
        ({**CHIRPSTACK_4, "fPort": True}, "/fPort must be a whole number, got True"),
        ({**CHIRPSTACK_4, "time": "now"}, "/time must be an ISO 8601 time, got 'now'"),
        ({**CHIRPSTACK_3_PROTOBUF, "objectJSON": "{"}, "not JSON"),
        ({**CHIRPSTACK_3_PROTOBUF, "objectJSON": [1]}, "/objectJSON must be text"),
        (
            {**THINGS_STACK, "uplink_message": {"f_cnt": "4"}},
            "/uplink_message/f_cnt must be a whole number, got '4'",
        ),
    ],
)
def test_what_is_no_envelope_says_what_and_where(document: Any, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        read(document)
