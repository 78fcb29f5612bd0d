"""What each register is judged against while the gateway runs, and the rows that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.spool_file import Row
from meters.baseline import rebase
from meters.decoding import observations
from meters.judge import judge_together
from meters.meter_type import Kind
from meters.question import Question

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from gateway.batch import Batch
    from meters.baseline import Baseline
    from meters.meter_type import MeterType
    from meters.reading import Series
    from meters.register_decoder import Decoded


class Judging:
    """Judges what meters answered by what they showed before: `baselines`, by series."""

    def __init__(self, baselines: Mapping[Series, Baseline]) -> None:
        self._baselines = dict(baselines)

    def take(
        self,
        batch: Batch,
        meter: str,
        meter_type: MeterType,
        time: datetime,
        decoded: Mapping[str, Decoded],
        *,
        identity_matches: bool | None = None,
        trusted: bool = True,
    ) -> None:
        """Judge `decoded`, what `meter` answered at `time`, and put it into `batch`."""
        registers = meter_type.registers
        baselines = self._baselines
        judged = judge_together(
            observations(meter, time, decoded),
            meter_type,
            baselines,
            identity_matches=identity_matches,
            trusted_clock=trusted,
        )
        at = int(time.timestamp())
        # from here on nothing can fail: a message is taken in whole or not at all
        for (series, _, value, raw, verdict, reasons), baseline in judged:
            row = Row(
                meter,
                series.register,
                at,
                None if value is None else str(value),
                raw,
                int(verdict),
                ",".join(reasons) if reasons else "",
            )
            kind = registers[series.register].kind
            if kind is Kind.GAUGE or kind is Kind.PARTIAL:
                batch.gauges.append(row)
                continue
            batch.rows.append(row)
            # only a counter is judged by what it showed before
            if baseline is not None and baseline is not baselines.get(series):
                baselines[series] = batch.moved[series] = baseline

    def questions(self) -> tuple[Question, ...]:
        """Return what only a person can answer: counters that fell, and go on from there."""
        asked = (Question.asked(series, each) for series, each in self._baselines.items())
        return tuple(each for each in asked if each is not None)

    def rebase(self, batch: Batch, series: Series, time: datetime, value: Decimal) -> None:
        """Let `series` go on from `value` at `time`, as a person confirmed."""
        self._baselines[series] = batch.moved[series] = rebase(time, value)
