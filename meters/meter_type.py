"""Meter types: a model of meter as data, proven by what a real one answered.

One TOML file describes the registers of a model, how they stand on Modbus or in an MQTT payload,
and proofs: captured frames, word dumps or payloads together with the values they must give.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from meters.definition import Definition, Exact
from meters.quantity import PER_UNIT, UNITS, plain
from meters.words import WordOrder, WordType, from_hex


class Kind(StrEnum):
    """What a register counts."""

    TOTAL = "total"
    """The counter that bills rest on; it never goes down but by rollover."""
    TARIFF = "tariff"
    """A counter of one tariff band."""
    PARTIAL = "partial"
    """A counter that a person may reset."""
    GAUGE = "gauge"
    """An instantaneous value."""

    @property
    def is_billing(self) -> bool:
        return self in (Kind.TOTAL, Kind.TARIFF)


def _leads_somewhere(pointer: str) -> str:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is not a JSON pointer; it must start with '/'")
    return pointer


Pointer = Annotated[str, AfterValidator(_leads_somewhere)]
"""An RFC 6901 JSON pointer: `/rx/0/total_m3`; the empty one points to the whole payload."""

LAST_ADDRESS = 0xFFFF


class Register(Definition):
    """One register: what it counts, in which unit, and where it stands."""

    kind: Kind
    unit: str
    resolution: Exact | None = Field(default=None, gt=0)
    """The display's smallest step, in `unit`."""
    digits: int | None = Field(default=None, ge=3, le=18)
    """Digits of the display, decimals included: the counter wraps after the last."""
    max_rate: Exact | None = Field(default=None, gt=0)
    """The most that the meter can count in an hour, in `unit`."""
    scale: Exact = Decimal(1)
    offset: Exact = Decimal(0)
    # on Modbus
    address: int | None = Field(default=None, ge=0, le=LAST_ADDRESS)
    type: WordType | None = None
    order: WordOrder | None = None
    sentinels: tuple[str, ...] = ()
    """Word patterns that mean "no value", as hex on the wire."""
    # in an MQTT payload
    pointer: Pointer | None = None
    """Pointer to the value."""

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, unit: str) -> str:
        if unit not in UNITS:
            raise ValueError(f"unknown unit {unit!r}; use one of {', '.join(UNITS)}")
        return unit

    @field_validator("scale")
    @classmethod
    def _scale_keeps_the_value(cls, scale: Decimal) -> Decimal:
        if not scale:
            raise ValueError("must not be 0, which would make every value 0")
        return scale

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.address is None) == (self.pointer is None):
            raise ValueError("state either an address (Modbus) or a pointer (MQTT)")
        if self.pointer is not None and (self.type or self.order or self.sentinels):
            raise ValueError("type, order and sentinels belong to an address, not to a pointer")
        if self.address is not None:
            if self.type is None:
                raise ValueError('an address needs a type such as "float32"')
            if self.address + self.type.words - 1 > LAST_ADDRESS:
                raise ValueError(f"its words go beyond the last address, {LAST_ADDRESS}")
        return self

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind.is_billing and self.max_rate is None:
            raise ValueError(
                f'a {self.kind} register needs max_rate, the most it can count in an hour ("25")'
            )
        if self.resolution is None and (self.type is None or self.type.is_float):
            raise ValueError('needs a resolution, the display\'s smallest step ("0.01")')
        if (self.smallest_step * PER_UNIT) % 1:
            raise ValueError(
                f"its step of {plain(self.smallest_step)} {self.canonical_unit} is finer than "
                "0.0001; state a coarser resolution"
            )
        if self.resolution is None and (self.offset * UNITS[self.unit].factor * PER_UNIT) % 1:
            raise ValueError("its offset is finer than 0.0001; state a resolution")
        return self

    @property
    def canonical_unit(self) -> str:
        """The unit that readings of this register are kept in."""
        return UNITS[self.unit].canonical

    @property
    def smallest_step(self) -> Decimal:
        """The display's smallest step in the canonical unit."""
        step = self.resolution if self.resolution is not None else abs(self.scale)
        return step * UNITS[self.unit].factor

    @property
    def modulus(self) -> Decimal | None:
        """Where the counter wraps to zero, in the canonical unit; None where it is not stated."""
        return None if self.digits is None else self.smallest_step * 10**self.digits

    @property
    def canonical_max_rate(self) -> Decimal | None:
        """The most that the meter can count in an hour, in the canonical unit."""
        return None if self.max_rate is None else self.max_rate * UNITS[self.unit].factor


class ModbusAccess(Definition):
    """How a model answers on Modbus. Only reads exist: function codes 3 and 4."""

    function: Literal[3, 4]
    order: WordOrder = WordOrder.ABCD
    max_words: int = Field(default=125, ge=1, le=125)
    """The most words that one request may ask for."""
    max_gap: int = Field(default=0, ge=0, le=124)
    """How many undefined words a request may read across to join two registers."""


class MqttAccess(Definition):
    """Where a model's JSON payload holds what is not a register."""

    identity: Pointer | None = None
    """Pointer to the meter's own number."""
    time: Pointer | None = None
    """Pointer to the device time (ISO 8601); without it, the time of receipt counts."""


class Proof(Definition):
    """What a real meter answered, and what that must decode to."""

    frame: str | None = None
    """A captured RTU response, as hex with CRC."""
    words: str | None = None
    """A dump of register words, as hex."""
    payload: str | None = None
    """A captured MQTT payload."""
    at: int | None = Field(default=None, ge=0, le=LAST_ADDRESS)
    """Address of the first word; by default the lowest address that `expect` names."""
    source: str = Field(min_length=1)
    """Where the answer and its value come from: a capture, a manual, a display."""
    expect: dict[str, Exact] = Field(min_length=1)
    """Register → value in the register's canonical unit."""

    @model_validator(mode="after")
    def _is_one_of(self) -> Self:
        if [self.frame, self.words, self.payload].count(None) != 2:
            raise ValueError("state exactly one of frame, words and payload")
        return self


class MeterType(Definition):
    """A model of meter."""

    kind: Literal["meter-type"]
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str = Field(min_length=1)
    manufacturer: str = Field(min_length=1)
    medium: Literal["electricity", "water"]
    aliases: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    modbus: ModbusAccess | None = None
    mqtt: MqttAccess | None = None
    register_: dict[str, Register] = Field(alias="register", min_length=1)
    proof: tuple[Proof, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.modbus is None) == (self.mqtt is None):
            raise ValueError("state either [modbus] or [mqtt]")
        for name, register in self.registers.items():
            if (register.address is not None) != (self.modbus is not None):
                raise ValueError(f"register {name!r} and the way in (Modbus or MQTT) do not match")
            self._check_words(name, register)
        if not any(register.kind.is_billing for register in self.registers.values()):
            raise ValueError('needs a register of kind "total" or "tariff" to bill from')
        for proof in self.proof:
            if unknown := proof.expect.keys() - self.registers.keys():
                raise ValueError(f"a proof names the unknown register {min(unknown)!r}")
            if (proof.payload is not None) != (self.mqtt is not None):
                raise ValueError(
                    "a Modbus type is proven by frame or words, an MQTT type by payload"
                )
        return self

    def _check_words(self, name: str, register: Register) -> None:
        if self.modbus is None or register.type is None:
            return
        if register.type.words > self.modbus.max_words:
            raise ValueError(f"register {name!r} does not fit one request of max_words")
        for sentinel in register.sentinels:
            try:
                words = from_hex(sentinel)
            except ValueError as error:
                raise ValueError(f"sentinel of register {name!r}: {error}") from None
            if len(words) != register.type.words:
                raise ValueError(
                    f"sentinel {sentinel!r} of register {name!r} must be as long as {register.type}"
                )

    @property
    def registers(self) -> dict[str, Register]:
        """The registers by name, in the file's order."""
        return self.register_

    @property
    def billing_registers(self) -> dict[str, Register]:
        """The registers that bills may rest on."""
        return {name: r for name, r in self.registers.items() if r.kind.is_billing}

    def order_of(self, register: Register) -> WordOrder:
        """Return the word order of `register`: its own, or the type's."""
        if register.order is not None:
            return register.order
        return self.modbus.order if self.modbus is not None else WordOrder.ABCD
