"""What a master meter counts and its sub-meters do not: shared where it is as usual, else held."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from billing.evidence import quantity_text
from billing.pools.supply import lost
from billing.problem import Problem
from billing.rating.bands import Banded
from meters.quantity import to_scaled
from meters.told import joined, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from billing.pools.metered import Metered
    from billing.pools.pool import Pool
    from billing.pools.supply import Supply
    from billing.registry import PoolVersion, Registry
    from billing.tariff import Tariff
    from billing.usage.measuring import Measured

Uses = Counter[str]
"""Use by register, 10⁻⁴."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is lost of what a master counted, `supply`, with what it rests on.

    `of_documents`: how much of what the master's supply cost is lost with it.
    """

    supply: Supply
    of_documents: Fraction
    evidence: dict[str, Any]


def loss(
    registry: Registry, version: PoolVersion, measured: Measured, master: Metered
) -> Loss | list[Problem]:
    """Return what the subs of a master do not account for; problems where that cannot be shared.

    Where a finding blocks a sub, which is said already, there is nothing to say.
    """
    pool = version.pool
    subs: dict[str, Uses] = {}
    for point in pool.source.subs or ():
        uses = {name: measured.over(point, name) for name in pool.source.counted}
        subs[point] = Counter({name: use for name, use in uses.items() if use is not None})
        if len(subs[point]) < len(uses):
            return []
    bands = registers_of_bands(each.tariff for each in master.versions)
    if isinstance(bands, str):
        return [Problem("TariffMismatch", pool.id, bands)]
    whole = Counter({name: master.by_register[name] for name in pool.source.counted})
    missing = missing_of(whole, subs.values())
    problems = list(_nothing_at_master(pool, whole, missing, bands))
    if problems:
        return problems
    quantity = sum(missing.values())
    passed = next((each for each in version.losses_approved if each.lost == quantity), None)
    unusual = list(_unusual(pool, whole, missing, bands))
    if unusual and passed is None:
        return [_outside(registry, pool, quantity, unusual)]
    supply = lost(master.supply, quantity, of_bands(whole, missing, bands))
    evidence = {
        "subs": {point: _uses_document(uses) for point, uses in subs.items()},
        "loss": loss_document(whole, missing, bands),
    }
    part = _of_documents(master.supply, supply)
    evidence["loss"] |= {"of_cost": str(part)}
    if unusual and passed is not None:
        evidence["loss"] |= {"approved_by": passed.approved_by, "reason": passed.reason}
    return Loss(supply=supply, of_documents=part, evidence=evidence)


def registers_of_bands(tariffs: Iterable[Tariff]) -> dict[str, str] | str:
    """Return which register counts each band; where that is not one for all, what to do."""
    found: dict[str, str] = {}
    for tariff in tariffs:
        for charge in tariff.charges:
            if not isinstance(charge, Banded):
                continue
            for band, register in (charge.registers or {}).items():
                if found.setdefault(band, register) != register:
                    return told(
                        "its tariff '{tariff}' reads the band '{band}' from {one} and from {other},"
                        " so nobody can say what is lost in it; let a version that reads it from "
                        "another register begin with a month",
                        tariff=tariff.id,
                        band=band,
                        one=found[band],
                        other=register,
                    )
    return found


def missing_of(master: Uses, subs: Iterable[Uses]) -> Uses:
    """Return what `subs` do not account for of what their master counted, by register."""
    missing = Counter(master)
    for uses in subs:
        missing.subtract(uses)
    return missing


def of_bands(master: Uses, missing: Uses, bands: Mapping[str, str]) -> dict[str, Fraction]:
    """Return how much of each band is lost; nothing of one in which nothing was counted."""
    return {
        band: Fraction(missing[register], master[register]) if master[register] else Fraction(0)
        for band, register in bands.items()
    }


def loss_document(master: Uses, missing: Uses, bands: Mapping[str, str]) -> dict[str, Any]:
    """Return what is lost as evidence, with that of each band where bands are counted."""

    def said(names: Iterable[str]) -> dict[str, str]:
        each = list(names)
        return {
            "master": quantity_text(sum(master[name] for name in each)),
            "lost": quantity_text(sum(missing[name] for name in each)),
        }

    by_band = {band: said([register]) for band, register in sorted(bands.items())}
    return said(master) | ({"bands": by_band} if by_band else {})


def read_uses(document: str | Mapping[str, str], registers: Iterable[str]) -> Uses:
    """Return what a sub counted, as `loss` wrote it; one register's use is a text by itself."""
    by_name = document if not isinstance(document, str) else dict.fromkeys(registers, document)
    return Counter({name: to_scaled(Decimal(use)) for name, use in by_name.items()})


def _uses_document(uses: Uses) -> str | dict[str, str]:
    texts = {name: quantity_text(use) for name, use in sorted(uses.items())}
    return texts if len(texts) > 1 else next(iter(texts.values()))


def _of_documents(master: Supply, supply: Supply) -> Fraction:
    """Return how much of a master's cost is that of its loss, before it was rounded.

    Where the parts bear different shares, it is the loss in fen; else it is a share of its units.
    """
    shares = {part.band for part in master.parts if part.band is not None}
    if shares and master.amount:
        return Fraction(supply.amount, master.amount)
    return Fraction(supply.quantity, master.quantity) if supply.quantity else Fraction(0)


def _nothing_at_master(
    pool: Pool, master: Uses, missing: Uses, bands: Mapping[str, str]
) -> Iterator[Problem]:
    whole = [(None, sum(master.values()), sum(missing.values()))]
    by_band = [(band, master[name], missing[name]) for band, name in bands.items()]
    for band, counted, gone in by_band or whole:
        if counted == 0 and gone:
            text = (
                told("its master counted nothing while its subs did; correct the readings")
                if band is None
                else told(
                    "its master counted nothing in {band} while its subs did; correct the readings",
                    band=band,
                )
            )
            yield Problem("NothingAtMaster", pool.id, text)


def _unusual(pool: Pool, master: Uses, missing: Uses, bands: Mapping[str, str]) -> Iterator[str]:
    """Yield what of a loss is not as usual: the whole of it, or a band that runs against it."""
    low, high = pool.source.loss_band or (0, 0)
    counted, gone = sum(master.values()), sum(missing.values())
    share = Fraction(gone, counted) if counted else Fraction(0)
    if not Fraction(low) <= share <= Fraction(high):
        yield told(
            "{lost} of its master's use is lost, {share}; its band is {low} to {high}",
            lost=quantity_text(gone),
            share=_percent(share),
            low=_percent(Fraction(low)),
            high=_percent(Fraction(high)),
        )
    for band, register in sorted(bands.items()):
        if missing[register] * gone < 0:
            yield told(
                "{lost} of its master's use is lost, but in {band} {gone}, so its meters disagree "
                "about the hours",
                lost=quantity_text(gone),
                band=band,
                gone=quantity_text(missing[register]),
            )


def _outside(registry: Registry, pool: Pool, quantity: int, unusual: list[str]) -> Problem:
    lost_text = quantity_text(quantity)
    return Problem(
        "LossOutsideBand",
        pool.id,
        told(
            "{what}. Look for a leak, theft or stuck meter, or let it pass: `tallygate billing "
            "loss approve {community} {pool} {month} {lost}`",
            what=joined(unusual, by="; "),
            community=registry.code,
            pool=pool.id,
            month=registry.period.key,
            lost=lost_text,
        ),
    )


def _percent(share: Fraction) -> str:
    return f"{Decimal(round(share * 10000)).scaleb(-2)} %"
