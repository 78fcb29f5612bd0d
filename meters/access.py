"""How the meters of a type are reached: polled on Modbus, or heard through a broker."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from meters.definition import Definition
from meters.serial_line import parse_line
from meters.words import WordOrder, WordType, wire_from_hex

LAST_ADDRESS = 0xFFFF
MOST_WORDS = 125
"""The most words that the protocol lets one request ask for."""


def _leads_somewhere(pointer: str) -> str:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is not a JSON pointer; it must start with '/'")
    return pointer


Pointer = Annotated[str, AfterValidator(_leads_somewhere)]
"""An RFC 6901 JSON pointer: `/rx/0/total_m3`; the empty one points to the whole payload."""


def _is_a_line(text: str) -> str:
    return str(parse_line(text))


def _is_hex(text: str) -> str:
    return wire_from_hex(text).hex()


Address = Annotated[int, Field(ge=0, le=LAST_ADDRESS)]


def _runs_forward(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError(f"[{span[0]:#06x}, {span[1]:#06x}] ends before it begins")
    return span


Span = Annotated[tuple[Address, Address], AfterValidator(_runs_forward)]
"""The first and the last address of a range."""


class IdentityRegister(Definition):
    """Where a meter on Modbus states its own number."""

    address: Address
    type: WordType | Literal["text"]
    words: int | None = Field(default=None, ge=1, le=MOST_WORDS)
    """How long a text is."""
    function: Literal[3, 4]
    """The function code that reads it; by default that of the registers."""
    order: WordOrder
    """By default a number stands in the type's order, and a text reads from left to right."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.type == "text") != (self.words is not None):
            raise ValueError('state words, its length, for type = "text", and for nothing else')
        if isinstance(self.type, WordType) and (self.type.size % 2 or self.type.is_float):
            raise ValueError(f"{self.type} holds no meter number; use an integer, bcd or text")
        if self.after > LAST_ADDRESS + 1:
            raise ValueError(f"its words go beyond the last address, {LAST_ADDRESS}")
        return self

    @property
    def after(self) -> int:
        """The address after its last word."""
        length = self.type.words if isinstance(self.type, WordType) else self.words or 0
        return self.address + length


class ModbusAccess(Definition):
    """How a model answers on Modbus. Only reads exist: function codes 3 and 4."""

    function: Literal[3, 4]
    order: WordOrder = WordOrder.ABCD
    max_words: int = Field(default=MOST_WORDS, ge=1, le=MOST_WORDS)
    """The most words that one request may ask for."""
    max_gap: int = Field(default=0, ge=0, le=MOST_WORDS - 1)
    """How many undefined words a request may read across to join two registers."""
    singly: bool = False
    """Whether each register needs a request of its own."""
    forbidden: tuple[Span, ...] = ()
    """First and last addresses of ranges that no request may touch."""
    serial: Annotated[str, AfterValidator(_is_a_line)] | None = None
    """The line as the factory sets it: `9600 8N1`; see `meters.serial_line`."""
    identity: IdentityRegister | None = None

    @field_validator("identity", mode="before")
    @classmethod
    def _reads_as_the_registers(cls, identity: object, info: ValidationInfo) -> object:
        if not isinstance(identity, dict):
            return identity
        is_text = identity.get("type") == "text"
        order = WordOrder.ABCD if is_text else info.data.get("order", WordOrder.ABCD)
        return {"function": info.data.get("function", 3), "order": order, **identity}


class TimeFormat(StrEnum):
    """How a payload writes the device's time."""

    ISO = "iso"
    """ISO 8601 with a zone."""
    UNIX = "unix"
    """Seconds since 1970-01-01T00:00:00Z."""
    UNIX_MS = "unix-ms"
    """Milliseconds since 1970-01-01T00:00:00Z."""


class MqttAccess(Definition):
    """Where a model's JSON payload holds what is not a register."""

    identity: Pointer | None = None
    """Pointer to the meter's own number."""
    time: Pointer | None = None
    """Pointer to the device time; without it, the time of receipt counts."""
    time_format: TimeFormat = TimeFormat.ISO


class LorawanAccess(Definition):
    """Which uplinks of a model hold its registers. Identity and time come with the envelope."""

    port: int | None = Field(default=None, ge=1, le=223)
    """The FPort of the uplinks that hold readings; others hold none. By default all do."""
    starts_with: Annotated[str, AfterValidator(_is_hex)] = ""
    """The first bytes, as hex, of the payloads that hold readings; others hold none."""

    def holds_readings(self, port: int | None, payload: bytes) -> bool:
        """Return whether an uplink with `payload` on `port` (None for a join) holds registers."""
        if port is None or (self.port is not None and port != self.port):
            return False
        return payload.startswith(bytes.fromhex(self.starts_with))
