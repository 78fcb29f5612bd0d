"""LoRaWAN uplinks, as network servers forward them to a broker.

Recognised are the envelopes of ChirpStack v4, ChirpStack v3 (both of its JSON forms) and The
Things Stack (TTN v3). Sources: the event types in ChirpStack's documentation; "Data Formats" in
that of The Things Stack. All leave out what is 0 or empty.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from meters.payload import PayloadError, document_in, time_at

if TYPE_CHECKING:
    from datetime import datetime

EUI_DIGITS = 16


class Uplink(NamedTuple):
    """What a device sent, and what the network server knows about it."""

    device: str
    """The DevEUI: 16 hexadecimal digits in lower case."""
    time: datetime | None
    """When the network server received it (UTC)."""
    counter: int
    """The frame counter, which repeats in a repeated uplink."""
    port: int | None
    """The FPort; None where the message is no uplink with a payload, but a join or a status."""
    payload: bytes
    decoded: Any
    """The object that the server's codec made of the payload; None without a codec."""


def uplink_in(payload: bytes) -> Uplink:
    """Return the uplink that `payload`, a message of the broker, holds; raise `PayloadError`."""
    document = document_in(payload)
    match document:
        case {"deviceInfo": {"devEui": str(device)}}:
            return _chirpstack(document, _eui(device), document.get("object"), "/time")
        case {"devEUI": str(device)}:
            decoded = document.get("object")
            if text := document.get("objectJSON"):
                decoded = document_in(_string(text, "/objectJSON").encode())
            return _chirpstack(document, _eui(device), decoded, "/publishedAt")
        case {"end_device_ids": {"dev_eui": str(device)}}:
            return _things_stack(document, _eui(device))
        case _:
            raise PayloadError(
                "not an uplink: expected the JSON envelope of ChirpStack (deviceInfo or devEUI) or "
                "of The Things Stack (end_device_ids)"
            )


def _chirpstack(document: Any, device: str, decoded: Any, time: str) -> Uplink:
    is_dated = document.get(time[1:]) is not None
    return Uplink(
        device,
        time_at(document, time) if is_dated else _first_time(document.get("rxInfo")),
        _whole(document.get("fCnt"), "/fCnt") or 0,
        _whole(document.get("fPort"), "/fPort") or None,
        _bytes(document.get("data"), "/data"),
        decoded,
    )


def _first_time(gateways: object) -> datetime | None:
    """Return the time at which the first gateway that has a clock received the uplink."""
    for gateway in gateways if isinstance(gateways, list) else ():
        if isinstance(gateway, dict) and gateway.get("time") is not None:
            return time_at(gateway, "/time")
    return None


def _things_stack(document: Any, device: str) -> Uplink:
    message = document.get("uplink_message")
    if not isinstance(message, dict):
        return Uplink(device, None, 0, None, b"", None)
    received = next((each for each in (message, document) if "received_at" in each), None)
    return Uplink(
        device,
        None if received is None else time_at(received, "/received_at"),
        _whole(message.get("f_cnt"), "/uplink_message/f_cnt") or 0,
        _whole(message.get("f_port"), "/uplink_message/f_port") or None,
        _bytes(message.get("frm_payload"), "/uplink_message/frm_payload"),
        message.get("decoded_payload"),
    )


def _eui(text: str) -> str:
    """Return the DevEUI that `text` writes as hexadecimal digits or, in protobuf's way, base64."""
    digits = text.lower()
    if len(digits) != EUI_DIGITS:
        digits = _bytes(text, "DevEUI").hex()
    if len(digits) != EUI_DIGITS or set(digits) - set("0123456789abcdef"):
        raise PayloadError(f"{text!r:.60} is no DevEUI of {EUI_DIGITS} hexadecimal digits")
    return digits


def _whole(found: object, where: str) -> int | None:
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 2**32:
        raise PayloadError(f"{where} must be a whole number, got {found!r:.60}")
    return found


def _string(found: object, where: str) -> str:
    if not isinstance(found, str):
        raise PayloadError(f"{where} must be text, got {found!r:.60}")
    return found


def _bytes(found: object, where: str) -> bytes:
    if found is None:
        return b""
    try:
        return base64.b64decode(_string(found, where), validate=True)
    except ValueError as error:
        raise PayloadError(f"{where} must be base64, got {found!r:.60}") from error
