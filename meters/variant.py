"""Variants: other firmwares of a model whose map differs. Each becomes a type of its own.

A variant says what differs from the type that it stands in, table by table and key by key:

    [variant.v2]
    modbus = { max_words = 40 }
    without = ["export_energy"]
    register.import_energy = { address = 0x0156 }

A proof that names a variant proves that variant. A proof of the type itself proves a variant too,
for the registers that stand there unchanged.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from meters.definition import Definition, DefinitionError, Problem, validate

Table = dict[str, Any]


class Variant(Definition):
    """What differs from the type itself. What is not stated is as it is there."""

    name: str | None = None
    """By default the type's, with the variant's key."""
    aliases: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    """Added to those of the type."""
    modbus: Table | None = None
    mqtt: Table | None = None
    lorawan: Table | None = None
    without: tuple[str, ...] = ()
    """Registers that it lacks, with the checks that name them."""
    register_: dict[str, Table] = Field(default={}, alias="register")
    check: tuple[Table, ...] | None = None
    """Instead of those of the type."""


class _Variants(Definition):
    variant: dict[str, Variant] = Field(default={})


def variants_of(document: Table, source: str) -> dict[str, Variant]:
    """Return the variants of the sound `document` by key; raise `DefinitionError` for a slip."""
    variants = validate(_Variants, {"variant": document.get("variant", {})}, source).variant
    slips = [
        Problem(source, f"variant.{key}.without", f"there is no register {name!r} to be without")
        for key, variant in variants.items()
        for name in variant.without
        if name not in document["register"]
    ]
    if slips:
        raise DefinitionError(slips)
    return variants


def without_variants(document: Table) -> Table:
    """Return the document of the type itself: `document` less its variants and their proofs."""
    own = {key: value for key, value in document.items() if key != "variant"}
    if isinstance(document.get("proof"), list):
        own["proof"] = _proofs(document, None)
    return own


def merged(document: Table, key: str, variant: Variant) -> Table:
    """Return the document of the type that is `document` with the differences of `variant`."""
    base = without_variants(document)
    registers = {
        name: register
        for name, register in _table(base, "register").items()
        if name not in variant.without
    }
    changed = base | {
        "id": f"{base.get('id')}-{key}",
        "name": variant.name or f"{base.get('name')} ({key})",
        "aliases": variant.aliases,
        "caveats": (*base.get("caveats", ()), *variant.caveats),
        "variant_of": base.get("id"),
        "register": _over(registers, variant.register_),
        "check": _checks(base, variant),
        "proof": _proofs(document, key),
    }
    for way in ("modbus", "mqtt", "lorawan"):
        differs: Table | None = getattr(variant, way)
        if differs is not None:
            changed[way] = _over(_table(base, way), differs)
    return changed


def _over(table: Table, differs: Table) -> Table:
    """Return `table` with what `differs` states, key by key, in the tables inside it as well."""
    result = dict(table)
    for key, value in differs.items():
        known = table.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            result[key] = _over(known, value)
        else:
            result[key] = value
    return result


def _checks(base: Table, variant: Variant) -> list[Table]:
    if variant.check is not None:
        return list(variant.check)
    lacking = set(variant.without)
    return [
        check
        for check in base.get("check", ())
        if lacking.isdisjoint((check.get("total"), *check.get("parts", ())))
    ]


def _proofs(document: Table, key: str | None) -> list[Table]:
    """Return the proofs of the variant `key`, or of the type itself."""
    return [proof for proof in document.get("proof", ()) if proven_variant(proof) == key]


def proven_variant(proof: object) -> str | None:
    """Return the variant that `proof`, as the file states it, names."""
    named = proof.get("variant") if isinstance(proof, dict) else None
    return named if isinstance(named, str) else None


def _table(document: Table, key: str) -> Table:
    found: Table = document.get(key, {})
    return found
