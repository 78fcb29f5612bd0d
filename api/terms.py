"""The field's terms as readers know them, in tables, badges and advice.

Keys are what the databases hold; texts are messages of the catalogue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import mark as _

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES: Mapping[str, str] = {
    "owner": _("Owner"),
    "tenant": _("Tenant"),
    "committee": _("Owners' committee"),
    "clerk": _("Billing clerk"),
    "approver": _("Approver"),
    "engineer": _("Engineer"),
    "auditor": _("Auditor"),
    "admin": _("Administrator"),
}

RUN_STATES: Mapping[str, str] = {
    "draft": _("Draft"),
    "computed": _("Computed"),
    "blocked": _("Blocked"),
    "reviewed": _("Reviewed"),
    "approved": _("Approved"),
    "issued": _("Issued"),
    "withdrawn": _("Withdrawn"),
    "held": _("Held"),
}

MEDIA: Mapping[str, str] = {"electricity": _("Electricity"), "water": _("Water")}

POINT_ROLES: Mapping[str, str] = {
    "unit": _("Unit"),
    "shared": _("Shared"),
    "master": _("Building master"),
}

REGISTER_SOURCES: Mapping[str, str] = {
    "read": _("read from the meter"),
    "interpolated": _("interpolated between two readings"),
    "recorded": _("recorded when the meter was installed or removed"),
    "issued": _("closing register of the bill before"),
    "estimated": _("estimated, because nothing says what it was"),
    "overridden": _("stated by a person, in place of what readings say"),
}

VERDICTS: Mapping[str, str] = {
    "good": _("Good"),
    "suspect": _("Suspect"),
    "invalid": _("Invalid"),
}

REASONS: Mapping[str, str] = {
    "sentinel": _("the meter answered its own pattern for “no value”"),
    "not-a-number": _("the register held no number"),
    "falling": _("the counter went down"),
    "rate": _("the counter rose faster than the meter can count"),
    "rollover": _("the counter wrapped after its last digit"),
    "late": _("older than the last good reading, and contradicts it"),
    "no-scale": _("its scale factor says nothing that the meter's type knows"),
    "rescaled": _("its scale factor is another than that of the last good reading"),
    "out-of-range": _("beyond the digits of the counter"),
    "ambiguous": _("the counter went down, after time enough for any number of turns"),
    "unanswered": _("goes on from readings that contradict the last good one; a person has to say"),
    "unconfirmed": _("the counter jumped, or was read for the first time; not confirmed yet"),
    "restarted": _("readings that agree replaced one that nothing had confirmed"),
    "stuck": _("the counter stands still under load"),
    "identity": _("another meter answered"),
    "cross-check": _("registers read together contradict each other"),
    "clock": _("the clock was not to be trusted"),
}

FRESHNESS: Mapping[str, str] = {
    "fresh": _("Fresh"),
    "late": _("Late"),
    "silent": _("Silent"),
    "never": _("No reading yet"),
}

EXCLUSIONS: Mapping[str, str] = {
    "floor": _("its floor takes no part"),
    "ground-floor": _("the ground floor takes no part"),
    "entrance": _("its entrance takes no part"),
    "customer-class": _("its customer class takes no part"),
    "unit": _("excluded by name"),
}

PAYERS: Mapping[str, str] = {"owner": _("Owner"), "company": _("Property company")}

BANDS: Mapping[str, str] = {
    "sharp": _("sharp peak"),
    "peak": _("peak"),
    "flat": _("flat"),
    "valley": _("valley"),
}

DAY_KINDS: Mapping[str, str] = {
    "workday": _("workdays"),
    "weekend": _("weekends"),
    "holiday": _("holidays"),
}

DIRECTIONS: Mapping[str, str] = {
    "half-up": _("half up"),
    "half-even": _("half to even"),
    "down": _("down"),
    "up": _("up"),
}

PLACES: Mapping[str, str] = {
    "step": _("each step"),
    "line": _("each line"),
    "bill": _("the bill's total"),
}

FAULTS: Mapping[str, str] = {
    "unknown-meter": _("No meter is known by this address"),
    "payload": _("The message is no telegram of the meter's type"),
    "identity": _("Another meter reported under this topic"),
    "clock": _("The time of the reading cannot be true"),
    "retained": _("A stored copy that does not say when the meter was read"),
    "conflict": _("The archive holds another value for the same time"),
    "refused": _("The archive cannot hold the reading"),
}

DEVICE_STATES: Mapping[str, str] = {
    "ok": _("Answers"),
    "backoff": _("Does not answer; tried less often"),
    "silent": _("Nothing heard"),
}

ALARMS: Mapping[str, str] = {
    "spool": _("The spool takes nothing"),
    "quota": _("The spool is nearly full"),
    "archive": _("The archive is away"),
    "broker": _("The broker is away"),
    "clock": _("The clock is wrong"),
    "settings": _("The settings are refused"),
    "device-list": _("The device list cannot be kept"),
}

REQUEST_STATES: Mapping[str, str] = {
    "waiting": _("Waits for the gateway to call"),
    "taken": _("The gateway is reading it"),
    "answered": _("The gateway has answered"),
    "not-taken": _("The gateway did not call within a minute: it is offline"),
    "not-answered": _("The gateway took the request and did not answer within a minute"),
}

LIKELY: Mapping[str, str] = {
    "reset": _("Looks like a reset"),
    "exchange": _("Looks like another meter"),
    "map": _("Looks like another scale or word order"),
}

CAUSES: Mapping[str, str] = {
    "reset": _("The meter was reset"),
    "exchange": _("Another meter stands there"),
    "map": _("The registers are read wrongly"),
    "glitch": _("The meter shows nonsense"),
}

EFFECTS: Mapping[str, str] = {
    "reset": _("It counts on from what the meter shows now."),
    "exchange": _(
        "It counts on from what the meter shows now; record the exchange with both registers too."
    ),
    "map": _("Nothing is counted until its type is corrected."),
    "glitch": _("Nothing is counted until it shows what fits the last good value."),
}

KINDS: Mapping[str, str] = {
    "total": _("total"),
    "tariff": _("tariff band"),
    "partial": _("resettable"),
    "gauge": _("gauge"),
}

PROOFS: Mapping[str, str] = {
    "capture": _("captured from a meter"),
    "manual": _("from the manual"),
    "display": _("read off the display"),
    "driver": _("from another driver's tests"),
    "computed": _("computed from the manual"),
}

PROBLEMS: Mapping[str, str] = {
    "NoTariff": _("{subject}: no version of the tariff is in force. Add one."),
    "TariffMismatch": _("Pool {subject}: its tariff does not fit its register. Correct the pool."),
    "NoArea": _("Unit {subject} has no area, and a tariff bills by m². Enter its area."),
    "NoAccount": _("Unit {subject} has no account. Add who holds it."),
    "UnknownMeterType": _("Point {subject}: the type of its meter is unknown. Add its file."),
    "UnknownRegister": _("Point {subject}: its meter has no register that the tariff bills by."),
    "NotInstalled": _(
        "Point {subject}: no meter stood there all the time. Record the installation."
    ),
    "MissingRegister": _(
        "Point {subject}: no good reading near the period's end. Read the meter, or record it."
    ),
    "Overlapping": _("Point {subject}: two meters stood there at once. Correct the installations."),
    "InexactUsage": _(
        "Point {subject}: its use is finer than bills can hold. Check the multiplier."
    ),
    "SharedTwice": _("Pool {subject}: its point is shared by another pool too. Share it once."),
    "FallingRegister": _("Point {subject}: the counter went down. Look at the meter."),
    "ImplausibleGrowth": _("Point {subject}: the counter rose faster than it can. Look at it."),
    "AmbiguousRollover": _(
        "Point {subject}: the counter may have turned more than once. Look at the meter."
    ),
    "Unconfirmed": _(
        "Point {subject}: the counter jumped, and no later reading confirms it. Wait, or record it."
    ),
    "NotABillingRegister": _("Point {subject}: no bill may rest on this register. Name another."),
    "NoAttribute": _("Unit {subject}: a tariff reads what nobody entered of it. Enter it."),
    "NoResult": _(
        "Unit {subject}: the formula of a fee has no result. Correct the formula or the unit."
    ),
    "CalendarGap": _("Point {subject}: the calendar does not cover this month. Add its holidays."),
    "Held": _("{subject} is held out of this run. It is billed by a correction later."),
    "HeldBefore": _("Unit {subject} was held in an earlier month. Correct that month first."),
    "EarlierMonth": _("{subject}: an earlier month comes first, and something stands in its way."),
    "CorrectionNeeded": _(
        "Point {subject}: a month that is issued has changed since. Correct it first."
    ),
    "NegativeTrueUp": _(
        "Point {subject}: less was used than was estimated. Decide in the review queue."
    ),
    "NoDemand": _(
        "Point {subject}: nothing says what its highest average was. Decide in the review queue."
    ),
    "MissingEdges": _(
        "Point {subject}: readings are missing where bands meet. Decide in the review queue."
    ),
    "ContradictingEdges": _(
        "Point {subject}: readings inside the month contradict its ends. Look at the meter."
    ),
    "NoEstimate": _(
        "Point {subject}: it cannot be estimated in the way that was chosen. Choose another."
    ),
    "HighUse": _("Point {subject}: far more was used than in the months before. Look at it."),
    "LowUse": _("Point {subject}: far less was used than in the months before. Look at it."),
    "Spike": _("Point {subject}: one day stands out. Look at its readings."),
    "ZeroTooLong": _("Point {subject}: nothing was used for many days. Look at the meter."),
    "Stuck": _("Point {subject}: the counter stands still. Look at the meter."),
    "SumMismatch": _("Point {subject}: the parts do not come to the total. Look at the registers."),
    "MasterMismatch": _(
        "Point {subject}: the master and the meters behind it disagree. Look at them."
    ),
    "UnknownDemand": _(
        "Point {subject}: some times are missing, the highest average may lie there. Look at it."
    ),
    "VerificationExpired": _(
        "Point {subject}: the meter's verification has expired. Have it verified, or exchange it."
    ),
    "Rescaled": _(
        "Point {subject}: the scale factor of its meter changed. Compare its readings with the"
        " display."
    ),
    "empty-scope": _("Pool {subject}: no unit takes part. Correct its scope."),
    "duplicate-unit": _("Pool {subject}: a unit is listed twice. List it once."),
    "unknown-unit": _("Pool {subject}: excludes a unit that is not in its scope. Correct it."),
    "unknown-entrance": _("Pool {subject}: a unit has no entrance, and it goes by it. Enter it."),
    "unknown-floor": _("Pool {subject}: a unit has no floor, and floors are excluded. Enter it."),
    "owner-changed": _("Pool {subject}: a unit changes hands. Say in the pool who pays for it."),
    "vacant": _("Pool {subject}: a unit is vacant. Say in the pool who pays for it."),
    "missing-key": _("Pool {subject}: a unit lacks what is shared by. Enter it."),
    "zero-key": _("Pool {subject}: a unit has an area of 0. Enter its area."),
    "negative-key": _("Pool {subject}: a unit's key is negative. Correct it."),
    "inexact-key": _("Pool {subject}: a unit's key has too many decimals. Round the coefficient."),
    "NoCost": _("Pool {subject}: nobody entered what it cost. Enter it with its document."),
    "CostNotApproved": _("Pool {subject}: a second person has to approve what it cost."),
    "LossOutsideBand": _(
        "Pool {subject}: too much or too little is lost. Look at it, or let it pass."
    ),
    "NothingAtMaster": _("Pool {subject}: its master counted nothing, its subs did. Look at it."),
    "ChargedMoreThanPaid": _("Pool {subject}: owners would pay more than it cost. Correct it."),
    "zero-key-sum": _("Pool {subject}: no unit used anything to share by. Check the readings."),
}

ANOMALIES: Mapping[str, str] = {
    "zero": _("Nothing used or billed"),
    "high": _("More than three times the usual"),
    "estimated": _("Estimated, not read"),
    "missing": _("Billed before, missing now"),
    "new": _("New since the month before"),
    "negative": _("Negative"),
}

FINDINGS: Mapping[str, str] = {
    "Interpolated": _(
        "Meter {meter} was not read at {at:moment}; the register was interpolated between"
        " {before:moment} and {after:moment}."
    ),
    "Exchanged": _(
        "Meter {removed} was exchanged for {installed} at {at:moment}; both parts are added up."
    ),
    "RolledOver": _(
        "Meter {meter} passed its last digit and started again at zero; that is taken into account."
    ),
    "RatioChanged": _(
        "The multiplier of meter {meter} changed from {before:number} to {after:number} at"
        " {at:moment}; each part is multiplied by its own."
    ),
    "Rescaled": _(
        "The scale factor of meter {meter} changed between {opening:number} and"
        " {closing:number}. Compare both with its display."
    ),
    "VerificationExpired": _(
        "The verification of meter {meter} expired at {expired:moment}. Have it verified, or"
        " exchange it."
    ),
    "CoarseRegister": _(
        "Meter {meter} counts in steps of {step:number}, a large part of {quantity:number};"
        " over a longer time it is right."
    ),
    "Estimated": _(
        "Meter {meter} was not read at {at:moment}; {value:number} is an estimate"
        " ({method:METHODS}), which its next reading corrects."
    ),
    "TruedUp": _(
        "Meter {meter} opens with {opening:number}, an estimate; what was counted since"
        " corrects it."
    ),
    "Reviewed": _("A clerk decided on {made_at:day}: {decision:DECISIONS}. Reason: {reason}"),
    "SplitByDays": _(
        "Meter {meter} was not read on {day:day}, when the month is divided, so its use is"
        " divided by days."
    ),
    "UnknownDemand": _(
        "{known} of {windows} windows of {minutes} minutes are known; the highest average may"
        " have been in another."
    ),
    "HighUse": _("{daily:use} a day, {average:use} in the months before: far more was used."),
    "LowUse": _("{daily:use} a day, {average:use} in the months before: far less was used."),
    "Spike": _(
        "{quantity:use} on {day:day} stands out; the third highest day came to {third:use}."
    ),
    "ZeroTooLong": _("Nothing was used for {days} days from {first:day} on."),
    "Stuck": _(
        "The counter moved every day and has stood still for {days} days from {first:day} on."
    ),
    "SumMismatch": _("{parts:PARTS} come to {quantity:use}, the register counted {total:use}."),
    "MasterMismatch": _(
        "The master counted {master:use}, the meters behind it {subs:use}: more than a loss"
        " explains."
    ),
}
"""Each with the values of its kind; `api.findings` says how they are shown."""

METHODS: Mapping[str, str] = {
    "interpolate": _("interpolated between two readings"),
    "like-day": _("by the same weekdays before"),
    "previous-average": _("by the daily average of the last bill"),
    "by-days": _("by days"),
    "stated": _("by a use that was stated"),
}

DECISIONS: Mapping[str, str] = {
    "accept": _("what was found is billed as it is"),
    "estimate": _("an estimate is billed"),
    "override": _("a stated value is billed"),
    "withdraw": _("earlier decisions no longer count"),
}

PARTS: Mapping[str, str] = {
    "its days": _("Its days"),
}


def term(terms: Mapping[str, str], key: object) -> str:
    """Return the message for `key`, or `key` itself where a newer writer knows more than we do."""
    return terms.get(str(key), str(key))
