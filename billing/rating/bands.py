"""Use by time-of-use band (尖峰平谷): of tariff registers, or of interval data and a calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from billing.fields import Name, NotEmpty
from billing.money import add
from billing.rating.subjects import BandUse, Needs
from meters.definition import Definition

if TYPE_CHECKING:
    from billing.money import Column
    from billing.rating.subjects import Subjects


class Banded(Definition):
    """A charge by band: `registers`, one a band, or one `register` by the tariff's calendar."""

    register_name: Annotated[Name | None, Field(alias="register")] = None
    registers: Annotated[dict[Name, Name], NotEmpty] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.register_name is None) == (self.registers is None):
            raise ValueError(
                "bands come either from registers = { band = register, … } or from the interval "
                "data of one register and the tariff's calendar"
            )
        taken = list((self.registers or {}).values())
        if len(set(taken)) < len(taken):
            raise ValueError("registers names a register for two bands; its use would bill twice")
        return self

    @property
    def all_registers(self) -> frozenset[str]:
        return frozenset((self.registers or {}).values()) | (
            frozenset() if self.register_name is None else frozenset({self.register_name})
        )

    @property
    def band_needs(self) -> Needs:
        by_calendar = frozenset() if self.register_name is None else self.all_registers
        return Needs(registers=self.all_registers, bands=by_calendar)

    def runs(self, subjects: Subjects) -> BandUse:
        """Return the use by band, in runs or once a band; sums to the use of its registers."""
        if self.registers is None:
            return subjects.bands_of(str(self.register_name))
        names = tuple(sorted(self.registers))
        columns = [subjects.use_of(self.registers[name]) for name in names]
        return BandUse(names, np.stack(columns, axis=1))


def by_band(runs: BandUse, names: tuple[str, ...]) -> list[Column]:
    """Return a column for each of `names`: the sum of its runs, int64[n], 10⁻⁴."""
    found = {name: np.zeros(len(runs.quantity), dtype=np.int64) for name in names}
    for place, name in enumerate(runs.names):
        found[name] = add(found[name], runs.quantity[:, place])
    return [found[name] for name in names]
