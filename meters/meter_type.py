"""Meter types: a model of meter as data, proven by what a real one answered.

One TOML file describes the registers of a model, how they stand on Modbus, in an MQTT payload or in
a LoRaWAN uplink, and proofs: captured frames, word dumps or payloads together with the values they
must give.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from meters.access import LAST_ADDRESS, Address, LorawanAccess, ModbusAccess, MqttAccess, Pointer
from meters.captured_answer import Proof
from meters.definition import Definition, Exact
from meters.quantity import PER_UNIT, UNITS, plain
from meters.register_decoder import JsonDecoder, WireDecoder, wire_decoder
from meters.scale_factor import ScaleFactor
from meters.words import WordOrder, WordType, wire_from_hex

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    check_only: bool = False
    """A total that bills do not rest on: it is read beside the gauges, for a cross-check."""
    scale: Exact = Decimal(1)
    scale_factor: ScaleFactor | None = None
    """The register that says by what the number is multiplied besides."""
    offset: Exact = Decimal(0)
    sentinels: tuple[str, ...] = ()
    """What means "no value": bytes as hex, as on the wire; in JSON the value: `-1`, `null`."""
    # on Modbus
    address: Address | None = None
    # in a binary payload
    byte: int | None = Field(default=None, ge=0, le=241)
    """Offset of the first byte."""
    # on either
    type: WordType | None = None
    order: WordOrder | None = None
    # in JSON
    pointer: Pointer | None = None
    """Pointer to the value."""
    quoted: bool = False
    """Whether JSON writes the number as text: `"217.4"`."""
    topic: str | None = Field(default=None, min_length=1)
    """The topic, below the meter's, that brings it; without a pointer as plain text."""

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

    @field_validator("topic")
    @classmethod
    def _topic_is_one(cls, topic: str | None) -> str | None:
        if topic is not None and (not all(topic.split("/")) or set(topic) & set("+#\0")):
            raise ValueError(f"{topic!r} is no topic below the meter's, such as 'meter/energy'")
        return topic

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        ways = [self.address, self.byte, self.pointer if self.topic is None else self.topic]
        if ways.count(None) != 2:
            raise ValueError(
                "state one of address (Modbus), byte (binary payload), and pointer or topic (JSON)"
            )
        if not self.is_on_wire:
            if self.type or self.order:
                raise ValueError("type and order belong to an address or byte, not to JSON")
            if self.scale_factor is not None:
                raise ValueError(_NO_SCALE_FACTOR)
            return self
        if self.quoted:
            raise ValueError("quoted belongs to JSON, not to an address or byte")
        if self.scale_factor is not None and self.address is None:
            raise ValueError(_NO_SCALE_FACTOR)
        if self.type is None:
            raise ValueError('an address or byte needs a type such as "float32"')
        self._check_bytes(self.type)
        return self

    def _check_bytes(self, word_type: WordType) -> None:
        if word_type.size % 2:
            if self.address is not None:
                raise ValueError(f"{word_type} is no whole word; it stands in binary payloads only")
            if self.order is not None and self.order.swaps_words:
                raise ValueError(f"{word_type} is no whole word; its order is ABCD or DCBA")
        if self.address is not None and self.address + word_type.words - 1 > LAST_ADDRESS:
            raise ValueError(f"its words go beyond the last address, {LAST_ADDRESS}")
        for sentinel in self.sentinels:
            if len(_hex(sentinel)) != word_type.size:
                raise ValueError(f"sentinel {sentinel!r} must be as long as {word_type}")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind.is_billing and self.max_rate is None:
            raise ValueError(
                f'a {self.kind} register needs max_rate, the most it can count in an hour ("25")'
            )
        if self.resolution is None and (self.type is None or self.type.is_float):
            raise ValueError('needs a resolution, the display\'s smallest step ("0.01")')
        if self.scale_factor is not None and self.digits is not None and self.resolution is None:
            raise ValueError(
                "digits are those of the display: state its resolution, since the step of the "
                "number follows its scale_factor"
            )
        if (self.smallest_step * PER_UNIT) % 1:
            raise ValueError(
                f"its step of {plain(self.smallest_step)} {self.canonical_unit} is finer than "
                "0.0001; state a coarser resolution"
            )
        if self.resolution is None and (self.offset * UNITS[self.unit].factor * PER_UNIT) % 1:
            raise ValueError("its offset is finer than 0.0001; state a resolution")
        return self

    @property
    def is_billing(self) -> bool:
        """Whether bills may rest on it."""
        return self.kind.is_billing and not self.check_only

    @property
    def is_on_wire(self) -> bool:
        """Whether it stands as bytes, in words or in a binary payload, and not in JSON."""
        return self.address is not None or self.byte is not None

    @property
    def span(self) -> range:
        """The addresses of its words, or the offsets of its bytes; empty in JSON."""
        if self.type is None:
            return range(0)
        if self.byte is not None:
            return range(self.byte, self.byte + self.type.size)
        first = self.address or 0
        return range(first, first + self.type.words)

    def spans(self, name: str) -> dict[str, range]:
        """Return the addresses of its words on Modbus by its `name`, and of its scale factor's."""
        if self.scale_factor is None:
            return {name: self.span}
        return {name: self.span, f"{name}.scale_factor": self.scale_factor.span}

    @cached_property
    def canonical_unit(self) -> str:
        """The unit that readings of this register are kept in."""
        return UNITS[self.unit].canonical

    @cached_property
    def smallest_step(self) -> Decimal:
        """The display's smallest step in the canonical unit."""
        step = self.resolution if self.resolution is not None else min(self._steps)
        return step * UNITS[self.unit].factor

    @cached_property
    def largest_step(self) -> Decimal:
        """The most that a step can be, in the canonical unit: a scale factor can make it coarse."""
        if self.scale_factor is None:
            return self.smallest_step
        return max(self.smallest_step, max(self._steps) * UNITS[self.unit].factor)

    @property
    def _steps(self) -> list[Decimal]:
        """What one step of the number may be, in `unit`."""
        factors = [Decimal(1)] if self.scale_factor is None else self.scale_factor.factors.values()
        return [abs(self.scale) * factor for factor in factors]

    @cached_property
    def modulus(self) -> Decimal | None:
        """Where the counter wraps to zero, in the canonical unit; None where it is not stated."""
        return None if self.digits is None else self.smallest_step * 10**self.digits

    @cached_property
    def canonical_max_rate(self) -> Decimal | None:
        """The most that the meter can count in an hour, in the canonical unit."""
        return None if self.max_rate is None else self.max_rate * UNITS[self.unit].factor


_NO_SCALE_FACTOR = (
    "a scale_factor is a register on Modbus; what JSON or a binary payload holds is scaled by "
    "scale, or by the codec that makes it"
)


def _hex(sentinel: str) -> bytes:
    try:
        return wire_from_hex(sentinel)
    except ValueError as error:
        raise ValueError(f"sentinel {error}") from None


class Check(Definition):
    """Registers that add up: the sum of `parts` is `total`, as read together."""

    total: str
    parts: tuple[str, ...] = Field(min_length=1)
    tolerance: Exact = Field(ge=0)
    """How far the sum may be off, in the canonical unit of `total`."""


class MeterType(Definition):
    """A model of meter."""

    kind: Literal["meter-type"]
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str = Field(min_length=1)
    manufacturer: str = Field(min_length=1)
    medium: Literal["electricity", "water"]
    aliases: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    variant_of: str | None = None
    """The type of which this is another firmware."""
    modbus: ModbusAccess | None = None
    mqtt: MqttAccess | None = None
    lorawan: LorawanAccess | None = None
    register_: dict[str, Register] = Field(alias="register", min_length=1)
    check: tuple[Check, ...] = ()
    proof: tuple[Proof, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if [self.modbus, self.mqtt, self.lorawan].count(None) != 2:
            raise ValueError("state one of [modbus], [mqtt] and [lorawan]")
        for name, register in self.registers.items():
            self._check_way_in(name, register)
        if not self.billing_registers:
            raise ValueError('needs a register of kind "total" or "tariff" to bill from')
        self._check_places()
        for check in self.check:
            self._check_sum(check)
        for proof in self.proof:
            self._check_proof(proof)
        return self

    def _check_way_in(self, name: str, register: Register) -> None:
        if self.modbus is not None:
            fits = register.address is not None
        elif self.mqtt is not None:
            fits = not register.is_on_wire
        else:
            fits = register.address is None and register.topic is None
        if not fits:
            raise ValueError(
                f"register {name!r} and the way in (Modbus, MQTT or LoRaWAN) do not match"
            )
        if self.modbus is not None:
            for place, span in register.spans(name).items():
                if len(span) > self.modbus.max_words:
                    raise ValueError(f"register {place!r} does not fit one request of max_words")
                for first, last in self.modbus.forbidden:
                    if span.start <= last and first < span.stop:
                        raise ValueError(
                            f"register {place!r} lies in the forbidden range "
                            f"{first:#06x}-{last:#06x}"
                        )

    def _check_places(self) -> None:
        """Two registers in one place are a slip: at most one of them can be right."""
        taken: dict[object, str] = {}
        for name, register in self.registers.items():
            in_json = [(register.topic, register.pointer)]
            for place in register.span if register.is_on_wire else in_json:
                if other := taken.get(place):
                    raise ValueError(f"registers {other!r} and {name!r} stand in the same place")
                taken[place] = name
        for name, register in self.registers.items():
            if register.pointer is not None and (other := taken.get((register.topic, None))):
                raise ValueError(f"{other!r} is all that its topic brings; {name!r} points into it")
        self._check_scale_factors(taken)

    def _check_scale_factors(self, taken: Mapping[object, str]) -> None:
        """Registers may share a scale factor, and then say the same of it."""
        known: dict[int, ScaleFactor] = {}
        for name, register in self.registers.items():
            scale = register.scale_factor
            if scale is None:
                continue
            for address in scale.span:
                if other := taken.get(address):
                    raise ValueError(f"the scale_factor of {name!r} stands where {other!r} does")
                if known.setdefault(address, scale) != scale:
                    raise ValueError(f"the scale_factor of {name!r} and another's do not agree")

    def _check_sum(self, check: Check) -> None:
        names = (check.total, *check.parts)
        if unknown := set(names) - self.registers.keys():
            raise ValueError(f"a check names the unknown register {min(unknown)!r}")
        if len(set(names)) < len(names):
            raise ValueError(f"the check of {check.total!r} names a register twice")
        if len({self.registers[name].canonical_unit for name in names}) > 1:
            raise ValueError(f"the check of {check.total!r} adds up different units")

    def _check_proof(self, proof: Proof) -> None:
        if unknown := proof.expect.keys() - self.registers.keys():
            raise ValueError(f"a proof names the unknown register {min(unknown)!r}")
        if self.modbus is not None and not (proof.frame or proof.words):
            raise ValueError("a Modbus type is proven by frame or words")
        if self.mqtt is not None and proof.payload is None:
            raise ValueError("an MQTT type is proven by payload")
        if self.lorawan is not None and proof.payload is None and proof.bytes is None:
            raise ValueError("a LoRaWAN type is proven by payload or bytes")
        if len({self.registers[name].topic for name in proof.expect}) > 1:
            raise ValueError("a proof expects registers of several topics; write one for each")

    def __getstate__(self) -> dict[Any, Any]:
        """Return what another process needs: it makes its own decoders, which are functions."""
        state = super().__getstate__()
        fields = type(self).model_fields
        return state | {"__dict__": {k: v for k, v in state["__dict__"].items() if k in fields}}

    @property
    def registers(self) -> dict[str, Register]:
        """The registers by name, in the file's order."""
        return self.register_

    @property
    def billing_registers(self) -> dict[str, Register]:
        """The registers that bills may rest on."""
        return {name: r for name, r in self.registers.items() if r.is_billing}

    @property
    def topics(self) -> frozenset[str]:
        """The topics below the meter's that bring its registers; "" is the meter's own."""
        if self.modbus is not None:
            return frozenset()
        return frozenset(self.json_decoders or ("",))

    @property
    def states_identity(self) -> bool:
        """Whether its meters state their own number."""
        if self.modbus is not None:
            return self.modbus.identity is not None
        return self.mqtt is None or self.mqtt.identity is not None

    def order_of(self, register: Register) -> WordOrder:
        """Return the word order of `register`: its own, or the type's."""
        if register.order is not None:
            return register.order
        return self.modbus.order if self.modbus is not None else WordOrder.ABCD

    @cached_property
    def wire_decoders(self) -> dict[str, WireDecoder]:
        """What decodes the registers that stand as bytes, by name."""
        return {
            name: wire_decoder(register, register.type, self.order_of(register))
            for name, register in self.registers.items()
            if register.type is not None
        }

    @cached_property
    def json_decoders(self) -> dict[str, list[JsonDecoder]]:
        """What decodes the registers that stand in JSON, by the topic below the meter's."""
        decoders: dict[str, list[JsonDecoder]] = {}
        for name, register in self.registers.items():
            if not register.is_on_wire:
                decoders.setdefault(register.topic or "", []).append(JsonDecoder(name, register))
        return decoders
