"""The page of the meter types: what each reads, how it is reached, and how far it is proven."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from deploy.catalogue_words import WORDS, caveats_in
from meters.catalog import shipped
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meters.access import LorawanAccess, ModbusAccess
    from meters.captured_answer import Proof
    from meters.meter_type import Check, MeterType, Register

KINDS_OF_PROOF = ("capture", "display", "manual", "driver", "computed")


def catalogue_page(language: str) -> str:
    """Return the page in `language`, `en` or `zh`, as Markdown."""
    return "\n".join(_Page(language, shipped()).lines()) + "\n"


class _Page:
    def __init__(self, language: str, types: Mapping[str, MeterType]) -> None:
        self._words = WORDS[language]
        self._caveats = caveats_in(language)
        self._types = types
        models = [each for each in types.values() if each.variant_of is None]
        self._models = sorted(models, key=lambda model: model.name.casefold())

    def lines(self) -> Iterator[str]:
        word = self._words
        counts = {
            "models": len(self._models),
            "variants": len(self._types) - len(self._models),
        }
        yield from (f"# {word['title']}", "", word["intro"].format(**counts), "")
        yield from (
            f"- {word[kind]}{word['colon']}{word[f'{kind}.meaning']}" for kind in KINDS_OF_PROOF
        )
        yield from ("", word["add"], "")
        yield from self._index()
        for model in self._models:
            yield from self._section(model)

    def _index(self) -> Iterator[str]:
        yield from self._table(
            ("model", "medium", "way in", "bills from", "proven by", "also known as"),
            [
                self._index_row(each)
                for model in self._models
                for each in (model, *self._variants_of(model))
            ],
        )

    def _index_row(self, meter_type: MeterType) -> tuple[str, ...]:
        link = f"[{meter_type.name}](#{meter_type.id})"
        if meter_type.variant_of is not None:
            link = f"↳ {link}"
        return (
            link,
            self._words[meter_type.medium],
            self._way_in(meter_type),
            ", ".join(f"`{name}`" for name in meter_type.billing_registers),
            self._proven_by(meter_type, meter_type.billing_registers),
            ", ".join(meter_type.aliases),
        )

    def _variants_of(self, model: MeterType) -> list[MeterType]:
        return [each for each in self._types.values() if each.variant_of == model.id]

    def _proven_by(self, meter_type: MeterType, names: Iterable[str]) -> str:
        """Return the best kind of proof of each of the registers `names`, the best first."""
        best = {_best_proof(meter_type, name) for name in names}
        return ", ".join(self._words[kind] for kind in KINDS_OF_PROOF if kind in best)

    def _way_in(self, meter_type: MeterType) -> str:
        if meter_type.modbus is not None:
            return self._words["modbus"].format(function=meter_type.modbus.function)
        return "MQTT" if meter_type.mqtt is not None else "LoRaWAN"

    def _section(self, model: MeterType) -> Iterator[str]:
        yield from ("", f'<a id="{model.id}"></a>', f"## {model.name}", "")
        yield f"`{model.id}` · {model.manufacturer} · {self._words[model.medium]}"
        yield from ("", *(f"- {line}" for line in self._facts(model)), "")
        yield from self._registers(model, model.registers)
        yield from self._notes("caveats", self._said(model.caveats))
        yield from self._notes("proofs", [self._proof(each) for each in model.proof])
        for each in self._variants_of(model):
            yield from self._variant(each, model)

    def _variant(self, variant: MeterType, itself: MeterType) -> Iterator[str]:
        word = self._words
        alike = _alike(variant, itself)
        differing = {name: each for name, each in variant.registers.items() if name not in alike}
        lacking = [f"`{name}`" for name in itself.registers if name not in variant.registers]
        facts = [line for line in self._facts(variant) if line not in set(self._facts(itself))]
        if lacking:
            facts.append(word["without"].format(names=", ".join(lacking)))
        yield from ("", f'<a id="{variant.id}"></a>', f"### {variant.name}", "")
        yield f"`{variant.id}` · {word['variant'].format(name=itself.name)}"
        if facts:
            yield from ("", *(f"- {line}" for line in facts))
        if differing:
            yield ""
            yield from self._registers(variant, differing)
        yield from self._notes("caveats", self._said(variant.caveats[len(itself.caveats) :]))
        yield from self._notes("proofs", [self._proof(each) for each in variant.proof])

    def _facts(self, meter_type: MeterType) -> Iterator[str]:
        word = self._words
        if meter_type.aliases:
            yield word["aliases"].format(names=", ".join(meter_type.aliases))
        yield self._reached(meter_type)
        if meter_type.states_identity:
            yield word["identity"].format(where=self._identity(meter_type))
        for check in meter_type.check:
            yield word["check"].format(sum=_sum(check), tolerance=plain(check.tolerance))

    def _reached(self, meter_type: MeterType) -> str:
        if meter_type.modbus is not None:
            return self._on_modbus(meter_type.modbus)
        if meter_type.lorawan is not None:
            return self._over_lorawan(meter_type.lorawan)
        names = ", ".join(f"`{topic}`" for topic in sorted(filter(None, meter_type.topics)))
        word = self._words
        return word["mqtt"] + (word["topics"].format(names=names) if names else "")

    def _on_modbus(self, access: ModbusAccess) -> str:
        word = self._words
        return (
            word["modbus"].format(function=access.function)
            + word["order"].format(order=access.order, words=access.max_words)
            + ("" if access.serial is None else word["serial"].format(line=access.serial))
        )

    def _over_lorawan(self, access: LorawanAccess) -> str:
        word, start = self._words, access.starts_with
        port = "" if access.port is None else word["port"].format(port=access.port)
        return word["lorawan"] + port + (word["starts"].format(hex=start) if start else "")

    def _identity(self, meter_type: MeterType) -> str:
        if meter_type.modbus is not None and meter_type.modbus.identity is not None:
            found = meter_type.modbus.identity
            length = "" if found.words is None else f" × {found.words}"
            function = self._words["function"].format(function=found.function)
            return f"`{found.address:#06x} {found.type}{length}`, {function}"
        if meter_type.mqtt is not None:
            return f"`{meter_type.mqtt.identity}`"
        return "DevEUI"

    def _registers(self, meter_type: MeterType, registers: Mapping[str, Register]) -> Iterator[str]:
        yield from self._table(
            ("register", "kind", "unit", "step", "wraps", "rate", "where", "no value", "proven"),
            [
                (*self._register(name, each), self._proven_by(meter_type, [name]))
                for name, each in registers.items()
            ],
        )

    def _register(self, name: str, register: Register) -> tuple[str, ...]:
        modulus, rate = register.modulus, register.canonical_max_rate
        return (
            f"`{name}`",
            self._words[f"kind.{register.kind}"],
            register.canonical_unit,
            plain(register.smallest_step),
            "" if modulus is None else plain(modulus),
            "" if rate is None else plain(rate),
            f"`{_where(register)}`",
            ", ".join(f"`{each}`" for each in register.sentinels),
        )

    def _proof(self, proof: Proof) -> str:
        names = ", ".join(f"`{name}`" for name in proof.expect)
        return f"{self._words[proof.kind]}{self._words['colon']}{proof.source}" + (
            f" ({names})" if names else ""
        )

    def _said(self, caveats: Sequence[str]) -> list[str]:
        return [self._caveats.get(caveat, caveat) for caveat in caveats]

    def _notes(self, heading: str, notes: Sequence[str]) -> Iterator[str]:
        if notes:
            yield from ("", f"{self._words[heading]}", "", *(f"- {note}" for note in notes))

    def _table(self, headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
        yield _row([self._words[heading] for heading in headings])
        yield _row(["---"] * len(headings))
        yield from map(_row, rows)


def _best_proof(meter_type: MeterType, name: str) -> str | None:
    """Return the most trustworthy kind of proof that shows a value of the register `name`."""
    kinds = {
        proof.kind for proof in meter_type.proof if isinstance(proof.expect.get(name), Decimal)
    }
    return next((kind for kind in KINDS_OF_PROOF if kind in kinds), None)


def _alike(variant: MeterType, itself: MeterType) -> set[str]:
    """Return the registers that `variant` reads as the type itself does."""
    return {
        name
        for name, register in variant.registers.items()
        if register == itself.registers.get(name)
    }


def _sum(check: Check) -> str:
    parts = " + ".join(f"`{name}`" for name in check.parts)
    return f"`{check.total}` = {parts}"


def _where(register: Register) -> str:
    if register.address is not None:
        order = "" if register.order is None else f" {register.order}"
        scale = "" if register.scale_factor is None else f" {register.scale_factor}"
        return f"{register.address:#06x} {register.type}{order}{scale}"
    if register.byte is not None:
        order = "" if register.order is None else f" {register.order}"
        return f"byte {register.byte} {register.type}{order}"
    return " ".join(filter(None, (register.topic, register.pointer)))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
