"""What similar households used: one figure of many, that tells nothing of any one of them.

Similar are households of one community and customer class, and of a like floor area where enough of
them are. All of them count, whoever is away or has moved out: if those were left out, the figure
would show and hide with them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FEWEST = 10
"""How many households a median is told of at least. With ten, what one of them used moves it little
or not at all, and who knows what some neighbours used still cannot tell the others."""
DIGITS = 2
"""How many digits a median keeps, so that it is nobody's own figure."""
AREAS = (600_000, 900_000, 1_200_000, 1_440_000)
"""Where bands of floor area end, 10⁻⁴ m². 90 and 144 m² are where China's rules for dwellings part
small ones from common and large ones."""


@dataclass(frozen=True, slots=True)
class Household:
    """What tells which are similar: `area` in 10⁻⁴ m², None where it is not known."""

    customer_class: str
    area: int | None

    @property
    def band(self) -> int | None:
        """The place of its area among `AREAS`; it belongs to the band that it ends."""
        return None if self.area is None else sum(self.area > each for each in AREAS)


@dataclass(frozen=True, slots=True)
class Median:
    """The middle of what similar households used, 10⁻⁴, to `DIGITS` digits.

    `by_area`: whether they have a like floor area, else only the customer class.
    """

    quantity: int
    by_area: bool


@dataclass(frozen=True, slots=True)
class Medians:
    """The medians of one month and medium, of each kind of household that there are enough of."""

    of_bands: Mapping[tuple[str, int | None], int]
    of_classes: Mapping[str, int]

    def of(self, household: Household) -> Median | None:
        """Return the median of those like `household`; None where they are too few."""
        found = self.of_bands.get((household.customer_class, household.band))
        if found is not None:
            return Median(found, by_area=True)
        found = self.of_classes.get(household.customer_class)
        return None if found is None else Median(found, by_area=False)


def medians(used: Mapping[int, int], households: Mapping[int, Household]) -> Medians:
    """Return the medians of what units used, by unit id; of those that use is known of."""
    alike: dict[Household, list[int]] = defaultdict(list)
    for unit_id, quantity in used.items():
        if unit_id in households:
            alike[households[unit_id]].append(quantity)
    of_bands: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    of_classes: dict[str, list[int]] = defaultdict(list)
    for household, uses in alike.items():
        of_classes[household.customer_class] += uses
        if household.band is not None:
            of_bands[household.customer_class, household.band] += uses
    return Medians(
        {key: _median(uses) for key, uses in of_bands.items() if len(uses) >= FEWEST},
        {key: _median(uses) for key, uses in of_classes.items() if len(uses) >= FEWEST},
    )


def _median(uses: list[int]) -> int:
    """Return the middle of `uses`, between the two of an even number, to `DIGITS` digits."""
    uses = sorted(uses)
    return rounded((uses[(len(uses) - 1) // 2] + uses[len(uses) // 2]) // 2)


def rounded(quantity: int) -> int:
    """Return `quantity` to `DIGITS` digits, half up."""
    unit = int("1".ljust(len(str(abs(quantity))) - DIGITS + 1, "0"))
    return (quantity + unit // 2) // unit * unit
