"""From readings to the usage of every point that the period's bills rest on."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from billing.problem import Problem
from billing.usage.asking import Asked
from billing.usage.dividing import by_bands, by_windows, midnights_in
from billing.usage.edges_ahead import EdgesAhead
from billing.usage.use_of_point import UseOfPoint
from billing.usage.wanted import wanted
from billing.vee.reviews import INFORMATIVE, NOTHING, Item, Reviewed, overlays
from billing.vee.validating import validate
from meters.quantity import InexactQuantityError, to_scaled
from meters.told import text_of, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.registry import Registry
    from billing.usage.wanted import Wanted
    from billing.vee.reviews import Overlay
    from billing.vee.settings import Validation
    from meters.archive.protocol import Archive
    from meters.finding import Finding
    from meters.interval import Interval
    from meters.meter_type import MeterType
    from meters.usage import Usage

UsageKey: TypeAlias = "tuple[str, str, Interval]"
"""A usage by its point's code, its register's name, and its interval."""


@dataclass(frozen=True)
class Measured:
    """The usages of each point's register, and what is missing.

    They tile the period; those that are joined stand beside those that they join. `items` are the
    findings that a clerk should look at.
    """

    usages: Mapping[UsageKey, Usage]
    problems: tuple[Problem, ...]
    items: tuple[Item, ...] = ()

    def over(self, point: str, register: str) -> int | None:
        """Return the use of the whole period, 10⁻⁴ units; None where a finding blocks it."""
        whole = 0
        usages = self.of(point, register)
        for usage in usages:
            if usage.quantity is None:
                return None
            whole += to_scaled(usage.quantity)
        return whole if usages else None

    def of(self, point: str, register: str) -> list[Usage]:
        """Return the usages of a register that tile the period, in time order."""
        return self._by_register.get((point, register), [])

    @cached_property
    def _by_register(self) -> dict[tuple[str, str], list[Usage]]:
        found: dict[tuple[str, str], list[Usage]] = defaultdict(list)
        for (point, register, _), usage in sorted(self.usages.items(), key=itemgetter(0)):
            if not usage.joined:
                found[point, register].append(usage)
        return found


def measure_points(
    registry: Registry, archive: Archive, types: Mapping[str, MeterType]
) -> Measured:
    """Return the usage of every register that a tariff or pool of `registry` asks for.

    What clerks have decided counts in place of what the archive says; the archive is never changed.
    """
    every, problems = wanted(registry, types)
    decided = overlays(registry.reviews)
    midnights = midnights_in(registry.period) if registry.validation.daily else ()
    measured: list[tuple[Wanted, list[Usage]]] = []
    with ThreadPoolExecutor(1, thread_name_prefix="edges") as aside:
        ahead = EdgesAhead(archive, every, midnights, aside)
        asked = Asked(archive, every)
        for each in every:
            overlay = decided.get((each.point.code, each.register), NOTHING)
            usages = UseOfPoint(registry, asked, each, overlay).usages()
            measured.append((each, _exact(usages, problems)))
        measured = by_bands(measured, asked, ahead, decided)
        measured = by_windows(measured, asked, registry.validation)
        measured = validate(registry, measured, asked, ahead)
    items: list[Item] = []
    found: dict[UsageKey, Usage] = {}
    for each, usages in measured:
        overlay = decided.get((each.point.code, each.register), NOTHING)
        for usage in _judged(usages, overlay, registry.validation, problems, items):
            found[usage.point, usage.register, usage.interval] = usage
    return Measured(found, tuple(problems), tuple(sorted(set(items))))


def _exact(usages: Sequence[Usage], problems: list[Problem]) -> list[Usage]:
    """Return the usages that bills can state; of others, such as 0.00001 kWh, say what is wrong."""
    try:
        for usage in usages:
            to_scaled(usage.quantity or Decimal(0))
    except InexactQuantityError as error:
        text = told(
            "its use cannot be billed: {why}; correct the multiplier or the registers",
            why=text_of(error),
        )
        problems.append(Problem("InexactUsage", usages[0].point, text))
        return []
    return list(usages)


def _judged(
    usages: Sequence[Usage],
    overlay: Overlay,
    settings: Validation,
    problems: list[Problem],
    items: list[Item],
) -> list[Usage]:
    """Return `usages` with what clerks accepted said, and without a quantity where one blocks.

    Whatever a clerk accepts, a use that nobody can tell stays untold.
    """
    if not any(usage.findings for usage in usages):
        return list(usages)
    judged = []
    blocked = False
    for usage in usages:
        said: list[Finding] = []
        for finding in usage.findings:
            name = type(finding).__name__
            accepted = overlay.accepted.get(name)
            blocks = finding.blocks or (name in settings.blocks and accepted is None)
            said.append(finding)
            if accepted is not None and not finding.blocks:
                said.append(Reviewed.of(accepted))
            elif blocks:
                problems.append(Problem(name, usage.point, str(finding)))
            if accepted is None and not isinstance(finding, INFORMATIVE):
                items.append(Item(usage.point, usage.register, name, blocks, str(finding)))
            blocked |= blocks
        judged.append(usage._replace(findings=tuple(said)))
    return [each._replace(quantity=None) for each in judged] if blocked else judged
