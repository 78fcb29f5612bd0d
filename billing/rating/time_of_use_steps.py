"""Time of use with steps (阶梯加峰谷): a price for each step and band."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, model_serializer, model_validator

from billing.fields import NotEmpty, Quantity
from billing.money import add, to_price
from billing.rating.bands import Banded
from billing.rating.blocks import ends, rising_and_open
from billing.rating.charge import Charge, Label, Parts
from billing.rating.filling import chronologically, proportionally
from billing.rating.steps import Cycle, cycle_needs, used_before
from billing.rating.time_of_use import Prices, assert_same_bands
from billing.rating.widths import Widths, varying
from meters.definition import Definition

if TYPE_CHECKING:
    from billing.money import Column
    from billing.rating.charge import Inputs, Units
    from billing.rating.subjects import Needs, Subjects


class BandStep(Definition):
    """Up to `until` (None: open) at `prices` by band. Written `[until, { band = price }]`."""

    until: Quantity | None = None
    prices: Prices

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        match data:
            case [until, prices]:
                return {"until": until, "prices": prices}
            case [prices]:
                return {"prices": prices}
            case _:
                raise ValueError(
                    "a step is [until, { band = price }], the last one without until; "
                    f"got {data!r}"
                )

    @model_serializer
    def _as_list(self) -> list[Any]:
        return [self.prices] if self.until is None else [self.until, self.prices]


class TimeOfUseSteps(Charge, Banded, Widths):
    """Steps by month, quarter or year, each with a price a band; `fill` says how they meet."""

    kind: Literal["time-of-use-steps"]
    per: Cycle
    fill: Literal["chronological", "proportional"]
    steps: Annotated[tuple[BandStep, ...], NotEmpty, AfterValidator(rising_and_open)]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        self.assert_fits(len(self.steps) - 1, by_days=self.per == "month")
        for number, step in enumerate(self.steps, start=1):
            if set(step.prices) != set(self.bands):
                raise ValueError(f"step {number} must have a price for {', '.join(self.bands)}")
        assert_same_bands(self, frozenset(self.bands), "steps")
        if self.fill == "chronological" and self.register_name is None:
            raise ValueError(
                "fills chronologically, but registers do not say when use was; give one register "
                'and a calendar, or fill = "proportional"'
            )
        return self

    @property
    def bands(self) -> tuple[str, ...]:
        return tuple(sorted(self.steps[0].prices))

    @property
    def needs(self) -> Needs:
        ordered = self.all_registers if self.fill == "chronological" else frozenset()
        cycle = cycle_needs(self.per, self.all_registers)
        return replace(self.band_needs | cycle | self.width_needs, ordered=ordered)

    @property
    def labels(self) -> tuple[Label, ...]:
        return tuple(
            Label(place, step.until, band)
            for place, step in enumerate(self.steps, start=1)
            for band in self.bands
        )

    def unit(self, units: Units) -> str:
        return units.use

    def parts(self, inputs: Inputs) -> Parts:
        subjects = inputs.subjects
        bounds = self.widened(ends(self.steps), subjects, by_days=self.per == "month")
        fill = chronologically if self.fill == "chronological" else proportionally
        cells = fill(self.runs(subjects), self._start(subjects), bounds, self.bands)
        prices = [to_price(step.prices[band]) for step in self.steps for band in self.bands]
        until = varying(bounds)
        if until is not None:
            until = tuple(bound for bound in until for _ in self.bands)
        return Parts.of(cells, prices, until=until)

    def _start(self, subjects: Subjects) -> Column:
        start = np.zeros(subjects.count, dtype=np.int64)
        for register in sorted(self.all_registers):
            before = used_before(self.per, register, subjects)
            start = start if before is None else add(start, before)
        return start
