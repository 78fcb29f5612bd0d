"""What each register is judged against while the gateway runs, and the rows that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.spool_file import Row
from meters.baseline import rebase
from meters.decoding import observations
from meters.judge import judge_together
from meters.question import Question

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from meters.baseline import Baseline
    from meters.meter_type import MeterType
    from meters.reading import Series
    from meters.register_decoder import Decoded


class Taken(NamedTuple):
    """Readings as rows, those that no bill rests on apart, and the baselines that they moved."""

    rows: list[Row]
    gauges: list[Row]
    moved: dict[Series, Baseline]


class Judging:
    """Judges what meters answered by what they showed before: `baselines`, by series."""

    def __init__(self, baselines: Mapping[Series, Baseline]) -> None:
        self._baselines = dict(baselines)

    def take(
        self,
        meter: str,
        meter_type: MeterType,
        time: datetime,
        decoded: Mapping[str, Decoded],
        *,
        identity_matches: bool | None = None,
        trusted: bool = True,
    ) -> Taken:
        """Return `decoded`, what `meter` answered at `time`, as judged rows."""
        registers = meter_type.registers
        baselines = self._baselines
        taken = Taken([], [], {})
        at = int(time.timestamp())
        for reading, baseline in judge_together(
            observations(meter, time, decoded),
            meter_type,
            baselines,
            identity_matches=identity_matches,
            trusted_clock=trusted,
        ):
            series, _, value, raw, verdict, reasons = reading
            row = Row(
                meter,
                series.register,
                at,
                None if value is None else str(value),
                raw,
                int(verdict),
                ",".join(reasons) if reasons else "",
            )
            if not registers[series.register].kind.is_billing:
                taken.gauges.append(row)
                continue
            taken.rows.append(row)
            # only a counter is judged by what it showed before
            if baseline is not None and baseline is not baselines.get(series):
                taken.moved[series] = baseline
        baselines |= taken.moved
        return taken

    def questions(self) -> tuple[Question, ...]:
        """Return what only a person can answer: counters that fell, and go on from there."""
        asked = (Question.asked(series, each) for series, each in self._baselines.items())
        return tuple(each for each in asked if each is not None)

    def rebase(self, series: Series, time: datetime, value: Decimal) -> Taken:
        """Let `series` go on from `value` at `time`, as a person confirmed."""
        confirmed = rebase(time, value)
        self._baselines[series] = confirmed
        return Taken([], [], {series: confirmed})
