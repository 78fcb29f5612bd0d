"""Meter types load only when their proofs hold: captured answers must give the stated values.

Every register that bills may rest on must be proven, in the type itself and in each variant; a
variant is proven by the proofs of the type too, for the registers that it reads in the same way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meters.cross_check import off_by, violated
from meters.decoding import Telegram, decode_binary, decode_identity, decode_image, decode_payload
from meters.definition import DefinitionError, Problem, read_document, validate
from meters.frame import FrameError, parse_response
from meters.meter_type import MeterType
from meters.payload import PayloadError
from meters.quantity import plain
from meters.reading import Reason
from meters.register_decoder import wire_decoder
from meters.told import text_of, told
from meters.variant import merged, proven_variant, variants_of, without_variants
from meters.words import WordOrder, from_hex, wire_from_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal
    from pathlib import Path

    from meters.access import ModbusAccess
    from meters.captured_answer import Proof
    from meters.meter_type import Register
    from meters.register_decoder import Decoded

NUMBERED_FROM = (30001, 40001)
"""Where manuals begin to number input and holding registers, by the old convention of Modicon."""
NUMBERED = 9999


def load_meter_types(path: Path) -> tuple[MeterType, ...]:
    """Return the proven meter types in the file `path`: the type itself, then its variants.

    Raises `DefinitionError` with everything that is wrong with it.
    """
    return parse_meter_types(read_document(path), str(path))


def parse_meter_types(document: dict[str, Any], source: str) -> tuple[MeterType, ...]:
    """Return the proven meter types in `document`; raise `DefinitionError` naming `source`."""
    itself = validate(MeterType, without_variants(document), source)
    variants = variants_of(document, source)
    if problems := [*prove(itself, source), *_stray_proofs(document, variants, source)]:
        raise DefinitionError(problems)
    types = [itself]
    for key, variant in variants.items():
        try:
            found = validate(MeterType, merged(document, key, variant), source)
        except DefinitionError as error:
            problems += _inside(error.problems, key)
            continue
        inherited = tuple(_inherited(found, itself))
        problems += _inside(prove(found, source, inherited), key)
        types.append(found.model_copy(update={"proof": found.proof + inherited}))
    if problems:
        raise DefinitionError(problems)
    return tuple(types)


def _inside(problems: Iterable[Problem], key: str) -> Iterator[Problem]:
    """Yield `problems` of the variant `key`, placed where the variant stands."""
    for problem in problems:
        yield replace(problem, where=f"variant.{key}.{problem.where}".rstrip("."))


def _stray_proofs(
    document: dict[str, Any], variants: Mapping[str, object], source: str
) -> Iterator[Problem]:
    for number, proof in enumerate(document.get("proof", ()), start=1):
        key = proven_variant(proof)
        if key is not None and key not in variants:
            yield Problem(
                source, f"proof[{number}].variant", told("there is no [variant.{key}]", key=key)
            )


def _inherited(variant: MeterType, itself: MeterType) -> Iterator[Proof]:
    """Yield the proofs of the type itself, for the registers that `variant` reads likewise."""
    alike = {
        name
        for name, register in itself.registers.items()
        if register == variant.registers.get(name)
        and itself.order_of(register) is variant.order_of(register)
    }
    if (itself.modbus and itself.modbus.function) != (variant.modbus and variant.modbus.function):
        return
    for proof in itself.proof:
        expect = {name: value for name, value in proof.expect.items() if name in alike}
        if expect:
            at = None if proof.payload or proof.bytes else _first(itself, proof)
            yield proof.model_copy(update={"expect": expect, "at": at, "identity": None})


def prove(meter_type: MeterType, source: str, inherited: Iterable[Proof] = ()) -> Iterator[Problem]:
    """Yield a problem for what the proofs of `meter_type` do not show, or show otherwise.

    `inherited` are proofs that were run already, with the type of which it is a variant.
    """
    for number, proof in enumerate(meter_type.proof, start=1):
        where = f"proof[{number}]"
        try:
            answer = _decode(meter_type, proof)
        except (FrameError, PayloadError, ValueError) as error:
            yield Problem(source, where, told("cannot be decoded: {why}", why=text_of(error)))
            continue
        yield from _compare(meter_type, proof, answer.registers, source, where)
        for key in ("identity", "time"):
            expected, actual = getattr(proof, key), getattr(answer, key)
            if expected not in (None, actual):
                what = told("the captured answer states another {key}", key=key)
                yield Problem(source, f"{where}.{key}", what, str(expected), str(actual))
        yield from _add_up(meter_type, answer.registers, source, where)
    proven = _shown_by((*meter_type.proof, *inherited))
    for name in meter_type.billing_registers:
        if name not in proven:
            what = told("no proof shows a value of it; add a [[proof]] that expects one")
            yield Problem(source, f"register.{name}", what)


def _shown_by(proofs: Iterable[Proof]) -> set[str]:
    """Return the registers of which `proofs` show a value, and not a fault alone."""
    return {
        name
        for proof in proofs
        for name, expected in proof.expect.items()
        if not isinstance(expected, Reason)
    }


def _decode(meter_type: MeterType, proof: Proof) -> Telegram:
    """Return what the answer of `proof` states."""
    if proof.payload is not None:
        subtopic = next((meter_type.registers[name].topic or "" for name in proof.expect), "")
        return decode_payload(meter_type, proof.payload.encode(), subtopic=subtopic)
    if proof.bytes is not None:
        return Telegram(None, None, decode_binary(meter_type, wire_from_hex(proof.bytes)))
    if meter_type.modbus is None:
        raise ValueError("frame and words are of Modbus")
    return _from_words(meter_type, meter_type.modbus, proof)


def _from_words(meter_type: MeterType, access: ModbusAccess, proof: Proof) -> Telegram:
    identity, function = access.identity, access.function
    if not proof.expect and identity is not None:
        function = identity.function
    if proof.frame is not None:
        response = parse_response(bytes.fromhex(proof.frame))
        words = response.words
        if response.function != function:
            raise FrameError(
                f"answers function {response.function}, the type reads with {function}"
            )
    else:
        words = from_hex(proof.words or "")
    image = dict(enumerate(words, start=_first(meter_type, proof)))
    number = None
    if proof.identity is not None and identity is not None:
        place = range(identity.address, identity.after)
        number = decode_identity(meter_type, [image[a] for a in place if a in image])
    return Telegram(number, None, decode_image(meter_type, image) if proof.expect else {})


def _first(meter_type: MeterType, proof: Proof) -> int:
    """Return the address of the first word in `proof`: stated, or the lowest that it expects."""
    if proof.at is not None:
        return proof.at
    if proof.expect:
        expected = (meter_type.registers[name].spans(name).values() for name in proof.expect)
        return min(span.start for spans in expected for span in spans)
    access = meter_type.modbus
    return 0 if access is None or access.identity is None else access.identity.address


def _compare(
    meter_type: MeterType, proof: Proof, decoded: Mapping[str, Decoded], source: str, where: str
) -> Iterator[Problem]:
    for name, expected in proof.expect.items():
        register = meter_type.registers[name]
        found = decoded.get(name)
        if found is None:
            actual = f"nothing: it is not in the proof{_elsewhere(meter_type, proof, name)}"
        elif expected in (found.value, found.fault):
            yield from _beyond_display(register, found, source, f"{where}.expect.{name}")
            continue
        else:
            value = found.fault if found.value is None else plain(found.value)
            actual = (
                f"{value} (raw {found.raw}){_other_order(meter_type, register, found, expected)}"
            )
        yield Problem(
            source,
            f"{where}.expect.{name}",
            "the captured answer decodes to another value",
            expected=str(expected) if isinstance(expected, Reason) else plain(expected),
            actual=actual,
        )


def _elsewhere(meter_type: MeterType, proof: Proof, name: str) -> str:
    """Return where a proof's words stand, for a register that is not whole among them."""
    register, first = meter_type.registers[name], _first(meter_type, proof)
    if proof.words is None or register.address is None:
        return ""
    last = first + len(from_hex(proof.words)) - 1
    address, what = register.address, "it"
    if register.scale_factor is not None and first <= address and register.span.stop - 1 <= last:
        address, what = register.scale_factor.address, "its scale_factor"
    said = f", whose words stand from {first:#06x} to {last:#06x}, and {what} at {address:#06x}"
    for base in NUMBERED_FROM:
        if base <= address < base + NUMBERED:
            said += f"; what a manual numbers {address} is {address - base:#06x} on the wire"
    return said


def _other_order(
    meter_type: MeterType, register: Register, found: Decoded, expected: Decimal | Reason
) -> str:
    """Return the order of bytes that would give what is expected, as words of a message."""
    if register.type is None:
        return ""
    for order in WordOrder:
        if order is meter_type.order_of(register):
            continue
        value = wire_decoder(register, register.type, order).decode(wire_from_hex(found.raw)).value
        if value and value == expected:  # a 0 is what any order may come to
            return f'; order = "{order}" would be right'
    return ""


def _beyond_display(
    register: Register, found: Decoded, source: str, where: str
) -> Iterator[Problem]:
    """Yield a problem where the display is said to have fewer digits than it shows.

    A counter that wraps too early makes a fall look like a rollover, and bills what nobody used.
    """
    modulus, value = register.modulus, found.value
    if modulus is None or value is None or value < modulus:
        return
    what = (
        f"it shows {plain(value)}, but by its digits, {register.digits}, it wraps to 0 at "
        f"{plain(modulus)} {register.canonical_unit}; count those of the display, decimals included"
    )
    yield Problem(source, where, what)


def _add_up(
    meter_type: MeterType, decoded: Mapping[str, Decoded], source: str, where: str
) -> Iterator[Problem]:
    values: dict[str, Decimal] = {
        name: found.value for name, found in decoded.items() if found.value is not None
    }
    for check in violated(meter_type, values):
        yield Problem(
            source,
            where,
            f"{' + '.join(check.parts)} is not {check.total}",
            expected=f"at most {plain(check.tolerance)} apart",
            actual=plain(abs(off_by(check, values))),
        )
