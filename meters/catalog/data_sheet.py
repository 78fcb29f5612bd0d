"""What an engineer asks of a meter type: which there are, what one reads, how far it is proven."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from meters.catalog.table import aligned
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meters.access import ModbusAccess
    from meters.captured_answer import Proof
    from meters.meter_type import MeterType, Register

Way = Literal["modbus", "mqtt", "lorawan"]
WAYS: tuple[Way, ...] = ("modbus", "mqtt", "lorawan")


def way_in(meter_type: MeterType) -> Way:
    """Return how meters of `meter_type` are reached."""
    if meter_type.modbus is not None:
        return "modbus"
    return "mqtt" if meter_type.mqtt is not None else "lorawan"


def found(
    types: Iterable[MeterType], text: str = "", *, medium: str | None = None, way: str | None = None
) -> list[MeterType]:
    """Return the types of which id, name, maker or another name holds `text`, in any case."""
    wanted = text.casefold()
    return [
        each
        for each in types
        if any(
            wanted in name.casefold()
            for name in (each.id, each.name, each.manufacturer, *each.aliases)
        )
        and medium in (None, each.medium)
        and way in (None, way_in(each))
    ]


def listing(types: Sequence[MeterType]) -> Iterator[str]:
    """Yield a line for each of `types`."""
    yield from aligned(
        ("TYPE", "NAME", "MAKER", "MEDIUM", "WAY IN", "FIRMWARE OF"),
        [tuple(map(str, summary(each).values())) for each in types],
    )


def summary(meter_type: MeterType) -> dict[str, str]:
    """Return the line of `meter_type` in a listing; `firmware_of` is "" for a model itself."""
    return {
        "id": meter_type.id,
        "name": meter_type.name,
        "manufacturer": meter_type.manufacturer,
        "medium": meter_type.medium,
        "way": way_in(meter_type),
        "firmware_of": meter_type.variant_of or "",
    }


def data_sheet(meter_type: MeterType) -> Iterator[str]:
    """Yield what is to be known of `meter_type`, requests apart."""
    yield f"{meter_type.name} ({meter_type.id})"
    yield f"{meter_type.manufacturer} · {meter_type.medium} · {_reached(meter_type)}"
    if meter_type.aliases:
        yield f"also known as {', '.join(meter_type.aliases)}"
    if meter_type.variant_of:
        yield f"another firmware of {meter_type.variant_of}"
    yield f"its own number: {_identity(meter_type)}"
    yield ""
    yield from aligned(
        ("REGISTER", "KIND", "UNIT", "PLACE", "TYPE", "STEP", "WRAPS AT", "MOST/H", "PROVEN BY"),
        [_row(meter_type, name, each) for name, each in meter_type.registers.items()],
        numbers=(5, 6, 7),
    )
    for check in meter_type.check:
        parts = " + ".join(check.parts)
        yield f"check: {check.total} = {parts}, at most {plain(check.tolerance)} apart"
    yield from ("", *(f"mind: {caveat}" for caveat in meter_type.caveats))
    for proof in meter_type.proof:
        said = ", ".join(proof.expect) or "its own number"
        yield f"proof ({proof.kind}): {said}: {proof.source}"


def proofs_of(meter_type: MeterType, name: str) -> list[Proof]:
    """Return the proofs that show a value of the register `name`, and not a fault alone."""
    return [each for each in meter_type.proof if isinstance(each.expect.get(name), Decimal)]


def proven(meter_type: MeterType) -> Iterator[str]:
    """Yield for each register of `meter_type` what shows that it is read rightly."""
    rows = []
    for name, register in meter_type.registers.items():
        rows += [
            (name, _value(proof, name), register.canonical_unit, f"{proof.kind}: {proof.source}")
            for proof in proofs_of(meter_type, name)
        ] or [(name, "-", "", "not proven; no bill rests on it")]
    yield from aligned(("REGISTER", "SHOWS", "UNIT", "PROVEN BY"), rows, numbers=(1,))


def proven_facts(meter_type: MeterType) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "id": meter_type.id,
        "registers": {
            name: [
                {
                    "value": _value(proof, name),
                    "unit": register.canonical_unit,
                    "kind": proof.kind,
                    "source": proof.source,
                }
                for proof in proofs_of(meter_type, name)
            ]
            for name, register in meter_type.registers.items()
        },
    }


def _value(proof: Proof, name: str) -> str:
    value = proof.expect[name]
    return plain(value) if isinstance(value, Decimal) else str(value)


def _reached(meter_type: MeterType) -> str:
    if meter_type.modbus is not None:
        return _on_modbus(meter_type.modbus)
    if meter_type.lorawan is not None:
        port = meter_type.lorawan.port
        return "LoRaWAN" if port is None else f"LoRaWAN, port {port}"
    topics = ", ".join(sorted(filter(None, meter_type.topics)))
    return f"MQTT, topics below the meter's: {topics}" if topics else "MQTT"


def _on_modbus(access: ModbusAccess) -> str:
    words = f"{access.max_words} words a request"
    text = f"Modbus, function {access.function}, order {access.order}, at most {words}"
    if access.singly:
        text += ", a request a register"
    if access.serial is not None:
        text += f", leaves the factory with {access.serial}"
    for first, last in access.forbidden:
        text += f", never {first:#06x} to {last:#06x}"
    return text


def _identity(meter_type: MeterType) -> str:
    if not meter_type.states_identity:
        return "it states none"
    if meter_type.modbus is not None and meter_type.modbus.identity is not None:
        where = meter_type.modbus.identity
        length = "" if where.words is None else f" of {where.words} words"
        return f"{where.address:#06x}, {where.type}{length}, function {where.function}"
    if meter_type.mqtt is not None:
        return str(meter_type.mqtt.identity)
    return "DevEUI"


def _row(meter_type: MeterType, name: str, register: Register) -> tuple[str, ...]:
    modulus, rate = register.modulus, register.canonical_max_rate
    on_wire = register.type is not None
    return (
        name,
        f"{register.kind}, check only" if register.check_only else str(register.kind),
        register.canonical_unit,
        _place(register),
        f"{register.type} {meter_type.order_of(register)}" if on_wire else "",
        plain(register.smallest_step),
        "" if modulus is None else plain(modulus),
        "" if rate is None else plain(rate),
        ", ".join(dict.fromkeys(proof.kind for proof in proofs_of(meter_type, name))) or "-",
    )


def _place(register: Register) -> str:
    if register.address is not None:
        scale = register.scale_factor
        return f"{register.address:#06x}" + (f" {scale}" if scale is not None else "")
    if register.byte is not None:
        return f"byte {register.byte}"
    return " ".join(filter(None, (register.topic, register.pointer)))
