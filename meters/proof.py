"""Meter types load only when their proofs hold: captured answers must give the stated values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meters.decoding import Decoded, PayloadError, decode_image, decode_payload
from meters.definition import DefinitionError, Problem, read_document, validate
from meters.frame import FrameError, parse_response
from meters.meter_type import MeterType, Proof
from meters.quantity import plain
from meters.words import from_hex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def load_meter_type(path: Path) -> MeterType:
    """Return the proven meter type in the file `path`; raise `DefinitionError` otherwise."""
    return parse_meter_type(read_document(path), str(path))


def parse_meter_type(document: dict[str, Any], source: str) -> MeterType:
    """Return the proven meter type in `document`; raise `DefinitionError` naming `source`."""
    meter_type = validate(MeterType, document, source)
    if problems := list(prove(meter_type, source)):
        raise DefinitionError(problems)
    return meter_type


def prove(meter_type: MeterType, source: str) -> Iterator[Problem]:
    """Yield a problem for each proof of `meter_type` that does not give what it expects."""
    for number, proof in enumerate(meter_type.proof, start=1):
        where = f"proof[{number}]"
        try:
            decoded = _decode(meter_type, proof)
        except (FrameError, PayloadError, ValueError) as error:
            yield Problem(source, where, f"cannot be decoded: {error}")
            continue
        yield from _compare(proof, decoded, source, where)


def _decode(meter_type: MeterType, proof: Proof) -> Mapping[str, Decoded]:
    if proof.payload is not None:
        return decode_payload(meter_type, proof.payload.encode()).registers
    if proof.frame is not None:
        response = parse_response(bytes.fromhex(proof.frame))
        words = response.words
        if meter_type.modbus is not None and response.function != meter_type.modbus.function:
            raise FrameError(
                f"answers function {response.function}, the type reads with "
                f"{meter_type.modbus.function}"
            )
    else:
        words = from_hex(proof.words or "")
    named = [meter_type.registers[name].address or 0 for name in proof.expect]
    first = min(named) if proof.at is None else proof.at
    return decode_image(meter_type, dict(enumerate(words, start=first)))


def _compare(
    proof: Proof, decoded: Mapping[str, Decoded], source: str, where: str
) -> Iterator[Problem]:
    for name, expected in proof.expect.items():
        found = decoded.get(name)
        if found is None:
            actual = "nothing: its words are not in the proof"
        elif found.value is None:
            actual = f"{found.fault} (words {found.raw})"
        elif found.value == expected:
            continue
        else:
            actual = f"{plain(found.value)} (raw {found.raw})"
        yield Problem(
            source,
            f"{where}.expect.{name}",
            "the captured answer decodes to another value",
            expected=plain(expected),
            actual=actual,
        )
