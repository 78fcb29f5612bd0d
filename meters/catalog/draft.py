"""A meter type as an engineer begins it: registers as told, and a proof to fill in."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from meters.definition import DefinitionError, Problem, validate
from meters.meter_type import MeterType, Register

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NAME = re.compile(r"[a-z][a-z0-9_]*")
_WHOLE = ("address", "byte", "digits")
_SWITCHES = ("check_only", "quoted")
_RANGES = ("exponent", "decimals")
_SAID_ONCE = "one register is 'NAME key=value …': import_energy kind=total unit=kWh address=0x0048"
GUIDE = (
    "# What a real meter answered, and what its display showed at that moment. Words prove type,",
    "# order and scale; only a look at the display proves the address too.",
)


def parse_register(text: str) -> tuple[str, dict[str, Any]]:
    """Return the register that `text` tells, `import_energy kind=total unit=kWh address=0x48 …`.

    The keys are those of a type's file, one of a table in it with a point:
    `scale_factor.exponent=-3,3`. Raises `ValueError` saying what is wrong.
    """
    name, *pairs = text.split() or [""]
    register: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not value:
            raise ValueError(f"{pair!r} is not key=value; {_SAID_ONCE}")
        table, _, key_in_it = key.rpartition(".")
        within = register.setdefault(table, {}) if table else register
        if not isinstance(within, dict):
            raise ValueError(f"{table} is told twice, as a value and as {pair!r}")
        within[key_in_it] = _plain_value(key_in_it, value)
    return check_register(name, register)


def check_register(name: str, register: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the two; raise `ValueError` where the register could not stand in a type."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a register; write import_energy, volume, voltage_l1; "
            f"{_SAID_ONCE}"
        )
    try:
        validate(Register, dict(register), name)
    except DefinitionError as error:
        raise ValueError(str(error)) from error
    return name, dict(register)


def _plain_value(key: str, value: str) -> object:
    if key in _WHOLE:
        return _whole(key, value)
    if key in _SWITCHES:
        return value == "true"
    if key in _RANGES:
        return [_whole(key, each) for each in value.split(",")]
    return value.split(",") if key == "sentinels" else value


def _whole(key: str, value: str) -> int:
    try:
        return int(value, 0)
    except ValueError:
        what = "two such as -3,3" if key in _RANGES else "a whole number such as 72 or 0x0048"
        raise ValueError(f"{key} must be {what}") from None


def draft(
    head: Mapping[str, str],
    access: Mapping[str, Any],
    registers: Sequence[tuple[str, dict[str, Any]]],
    source: str,
) -> str:
    """Return the text of a type's file that holds once its proofs are filled in.

    `head` has id, name, manufacturer, medium; `access` has its way in as its only key. Raises
    `DefinitionError` naming `source` where the parts do not fit together.
    """
    names = [name for name, _ in registers]
    if twice := {name for name in names if names.count(name) > 1}:
        what = f"is told twice: {', '.join(sorted(twice))}"
        raise DefinitionError([Problem(source, "register", what)])
    document = {"kind": "meter-type", **head, **access, "register": dict(registers)}
    meter_type = validate(MeterType, document, source)
    return "\n".join(_lines(meter_type, document, registers)) + "\n"


def _lines(
    meter_type: MeterType, document: Mapping[str, Any], registers: Iterable[tuple[str, Any]]
) -> Iterator[str]:
    for key in ("kind", "id", "name", "manufacturer", "medium"):
        yield f"{key} = {_toml(document[key])}"
    way = next(key for key in ("modbus", "mqtt", "lorawan") if key in document)
    yield from ("", f"[{way}]")
    for key, value in document[way].items():
        yield f"{key} = {_toml(value, key)}"
    yield from ("", "[register]")
    for name, register in registers:
        inner = ", ".join(f"{key} = {_toml(value, key)}" for key, value in register.items())
        yield f"{name} = {{ {inner} }}"
    yield from ("", *GUIDE)
    for form, names in _proofs(meter_type):
        expect = ", ".join(f'{name} = ""' for name in names)
        units = ", ".join(
            dict.fromkeys(meter_type.registers[name].canonical_unit for name in names)
        )
        yield from (
            "[[proof]]",
            'kind = "display"  # or capture, manual, driver, computed',
            'source = ""  # which meter, when, and what its display showed',
            form,
            f"expect = {{ {expect} }}  # in {units}",
        )


def _proofs(meter_type: MeterType) -> Iterator[tuple[str, list[str]]]:
    """Yield the form of each proof that is wanted, and the registers that it is to show."""
    billing = meter_type.billing_registers
    if meter_type.modbus is not None:
        for names in _together(meter_type):
            spans = [span for name in names for span in billing[name].spans(name).values()]
            first, after = min(each.start for each in spans), max(each.stop for each in spans)
            words = f"{after - first} words from {first:#06x}"
            yield f'at = {first:#06x}\nwords = ""  # {words}: `tallygate meters dump`', names
        return
    if any(register.byte is not None for register in billing.values()):
        yield 'bytes = ""  # the binary payload, as hex', list(billing)
        return
    topics: dict[str, list[str]] = {}
    for name, register in billing.items():
        topics.setdefault(register.topic or "", []).append(name)
    for topic, names in topics.items():
        below = f" below the meter's topic, in {topic}" if topic else ""
        yield f"payload = ''  # a message as it came{below}", names


def _together(meter_type: MeterType) -> Iterator[list[str]]:
    """Yield the billing registers whose words follow one another, in the order of places."""
    registers = meter_type.registers
    run: list[str] = []
    for name in sorted(meter_type.billing_registers, key=lambda name: registers[name].span.start):
        if run and registers[name].span.start != registers[run[-1]].span.stop:
            yield run
            run = []
        run.append(name)
    yield run


def _toml(value: object, key: str = "") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:#06x}" if key == "address" else str(value)
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{k} = {_toml(v, k)}' for k, v in value.items())} }}"
    # JSON's strings and lists of strings are TOML's
    return json.dumps(value, ensure_ascii=False)
