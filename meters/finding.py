"""Findings: what a person should know about a usage, in precise types that say what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from meters.quantity import plain
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from meters.interval import Interval


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know about a usage; `blocks` if it cannot be billed."""

    blocks: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class NotInstalled(Finding):
    """No meter stood at the point in `interval`."""

    blocks: ClassVar[bool] = True
    interval: Interval

    def __str__(self) -> str:
        return told(
            "no meter was installed from {start} to {end}; record the installation",
            start=self.interval.start,
            end=self.interval.end,
        )


@dataclass(frozen=True, slots=True)
class Overlapping(Finding):
    """Two meters stood at the point in `interval`: what both counted would be billed twice."""

    blocks: ClassVar[bool] = True
    earlier: str
    later: str
    interval: Interval

    def __str__(self) -> str:
        return told(
            "meters {earlier} and {later} both stand from {start} to {end}; end the "
            "installation of {earlier}",
            earlier=self.earlier,
            later=self.later,
            start=self.interval.start,
            end=self.interval.end,
        )


@dataclass(frozen=True, slots=True)
class MissingRegister(Finding):
    """Nothing says what `meter` showed at `at`."""

    blocks: ClassVar[bool] = True
    meter: str
    at: datetime

    def __str__(self) -> str:
        return told(
            "no good reading of meter {meter} near {at}; read it, or record the register",
            meter=self.meter,
            at=self.at,
        )


@dataclass(frozen=True, slots=True)
class FallingRegister(Finding):
    """The register fell and its type knows no rollover that explains it."""

    blocks: ClassVar[bool] = True
    meter: str
    opening: Decimal
    closing: Decimal

    def __str__(self) -> str:
        return told(
            "meter {meter} fell from {opening} to {closing}; confirm an exchange or "
            "a wrong reading",
            meter=self.meter,
            opening=plain(self.opening),
            closing=plain(self.closing),
        )


@dataclass(frozen=True, slots=True)
class ImplausibleGrowth(Finding):
    """The register grew faster than its meter can count."""

    blocks: ClassVar[bool] = True
    meter: str
    opening: Decimal
    closing: Decimal

    def __str__(self) -> str:
        return told(
            "meter {meter} cannot count from {opening} to {closing} in this time; "
            "check its readings",
            meter=self.meter,
            opening=plain(self.opening),
            closing=plain(self.closing),
        )


@dataclass(frozen=True, slots=True)
class Interpolated(Finding):
    """The register at `at` lies between two readings and was interpolated."""

    meter: str
    at: datetime
    before: datetime
    after: datetime

    def __str__(self) -> str:
        return (
            f"meter {self.meter} was not read at {self.at}; "
            f"interpolated between {self.before} and {self.after}"
        )


@dataclass(frozen=True, slots=True)
class RolledOver(Finding):
    """The counter wrapped at its last digit."""

    meter: str

    def __str__(self) -> str:
        return f"meter {self.meter} passed its last digit and started again at zero"


@dataclass(frozen=True, slots=True)
class Exchanged(Finding):
    """One meter was replaced by another inside the interval."""

    at: datetime
    removed: str
    installed: str

    def __str__(self) -> str:
        return f"meter {self.removed} was exchanged for {self.installed} at {self.at}"


@dataclass(frozen=True, slots=True)
class AmbiguousRollover(Finding):
    """The counter can have turned any number of times, and no reading says how often it did."""

    blocks: ClassVar[bool] = True
    meter: str
    opening: Decimal
    closing: Decimal

    def __str__(self) -> str:
        return told(
            "meter {meter} can have turned between {opening} and {closing}, and its "
            "readings do not say how often; look at the meter, and record an "
            "exchange or a reset",
            meter=self.meter,
            opening=plain(self.opening),
            closing=plain(self.closing),
        )


@dataclass(frozen=True, slots=True)
class Unconfirmed(Finding):
    """The register rests on a reading after a jump, and nothing that came later confirms it."""

    blocks: ClassVar[bool] = True
    meter: str
    at: datetime
    value: Decimal
    read_at: datetime

    def __str__(self) -> str:
        return told(
            "meter {meter} showed {value} at {read_at}, and no later reading "
            "confirms it; wait for its next ones, or record the register at {at}",
            meter=self.meter,
            value=plain(self.value),
            read_at=self.read_at,
            at=self.at,
        )


@dataclass(frozen=True, slots=True)
class NotABillingRegister(Finding):
    """The register is a gauge, or a person may reset it: no bill may rest on it."""

    blocks: ClassVar[bool] = True
    meter: str
    register: str
    kind: str

    def __str__(self) -> str:
        return told(
            "{register} of meter {meter} is a {kind} register, which never bills; "
            "name a total or tariff register",
            register=self.register,
            meter=self.meter,
            kind=self.kind,
        )


@dataclass(frozen=True, slots=True)
class RatioChanged(Finding):
    """The transformers in front of a meter were changed inside the interval."""

    at: datetime
    meter: str
    before: Decimal
    after: Decimal

    def __str__(self) -> str:
        return (
            f"the multiplier of meter {self.meter} changed from {plain(self.before)} to "
            f"{plain(self.after)} at {self.at}"
        )


@dataclass(frozen=True, slots=True)
class Rescaled(Finding):
    """The scale factor of the register said something else at both ends of what it counted."""

    meter: str
    opening: Decimal
    closing: Decimal

    def __str__(self) -> str:
        return (
            f"the scale factor of meter {self.meter} changed between {plain(self.opening)} and "
            f"{plain(self.closing)}; compare both with its display"
        )


@dataclass(frozen=True, slots=True)
class VerificationExpired(Finding):
    """The verification of a meter that stood in the interval had expired, or expired in it."""

    meter: str
    expired: datetime

    def __str__(self) -> str:
        return told(
            "the verification of meter {meter} expired at {expired}; have it "
            "verified, or exchange it",
            meter=self.meter,
            expired=self.expired,
        )


@dataclass(frozen=True, slots=True)
class CoarseRegister(Finding):
    """One step of the register's display is a large part of what it counted."""

    meter: str
    step: Decimal
    quantity: Decimal

    def __str__(self) -> str:
        return (
            f"meter {self.meter} counts in steps of {plain(self.step)}, so that "
            f"{plain(self.quantity)} may be off by one: right over a longer time, coarse for this"
        )


@dataclass(frozen=True, slots=True)
class Estimated(Finding):
    """Nothing says what `meter` showed at `at`, and it was estimated."""

    meter: str
    at: datetime
    value: Decimal
    method: str

    def __str__(self) -> str:
        return (
            f"meter {self.meter} was not read at {self.at}; {plain(self.value)} is an estimate "
            f"({self.method}), which its next reading corrects"
        )


@dataclass(frozen=True, slots=True)
class TruedUp(Finding):
    """The interval opens with an estimate that was issued, so what it counts corrects that."""

    meter: str
    opening: Decimal

    def __str__(self) -> str:
        return (
            f"meter {self.meter} opens with {plain(self.opening)}, an estimate that was issued; "
            "the difference to it is billed now"
        )


@dataclass(frozen=True, slots=True)
class NegativeTrueUp(Finding):
    """The meter shows less than the estimate that was issued: more was billed than was used."""

    blocks: ClassVar[bool] = True
    meter: str
    opening: Decimal
    closing: Decimal

    def __str__(self) -> str:
        return told(
            "meter {meter} shows {closing}, less than the {opening} that was "
            "estimated and issued; correct the period that was estimated",
            meter=self.meter,
            closing=plain(self.closing),
            opening=plain(self.opening),
        )
