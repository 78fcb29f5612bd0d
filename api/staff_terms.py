"""What the staff's pages call what billing keeps by its keys; see `api.terms`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import mark as _

if TYPE_CHECKING:
    from collections.abc import Mapping

ANOMALY_SENTENCES: Mapping[str, str] = {
    "zero use": _("Nothing was used; the median of earlier months is {usual}."),
    "high use": _("{found} were used; the median of earlier months is {usual}."),
    "estimated use": _("The use of {found} was not read."),
    "negative use": _("The use is {found}."),
    "zero money": _("The bill is of {found}."),
    "negative money": _("It comes to {found}."),
    "missing money": _("It was {usual} in the month before, and is not billed now."),
    "new money": _("It is {found}, and was not billed in the month before."),
}

POOL_WORDS: Mapping[str, str] = {"signed-off": _("signed off"), "held": _("held")}

PAYMENT_STATES: Mapping[str, str] = {
    "entered": _("waits for approval"),
    "posted": _("posted"),
    "rejected": _("rejected"),
    "reversed": _("undone"),
}

REFUND_STATES: Mapping[str, str] = {
    "requested": _("waits for approval"),
    "approved": _("approved, to be paid out"),
    "rejected": _("rejected"),
    "executed": _("paid out"),
    "failed": _("failed"),
}

REVERSALS: Mapping[str, str] = {
    "bounced": _("the money never came"),
    "mistaken": _("it was entered wrongly"),
}

CHARGE_KINDS: Mapping[str, str] = {
    "per-unit": _("use at one price"),
    "steps": _("graduated steps"),
    "volume": _("volume steps"),
    "categories": _("category schedules"),
    "packages": _("packages"),
    "time-of-use": _("time of use"),
    "time-of-use-steps": _("time of use with steps"),
    "demand": _("demand"),
    "fixed": _("fixed amount"),
    "per-area": _("by area"),
    "per-count": _("by the number of something"),
    "percentage": _("percentage of lines"),
    "minimum": _("minimum"),
    "cap": _("cap"),
    "discount": _("discount"),
    "formula": _("formula"),
}

DRAFT_STATES: Mapping[str, str] = {
    "open": _("open"),
    "published": _("published"),
    "dropped": _("dropped"),
}

REGISTERS: Mapping[str, str] = {
    "current": _("Current"),
    "export_energy": _("Energy fed in"),
    "export_energy_t1": _("Energy fed in, tariff 1"),
    "export_energy_t2": _("Energy fed in, tariff 2"),
    "flow": _("Flow"),
    "frequency": _("Frequency"),
    "import_energy": _("Energy drawn"),
    "import_energy_t1": _("Energy drawn, tariff 1"),
    "import_energy_t2": _("Energy drawn, tariff 2"),
    "import_energy_t3": _("Energy drawn, tariff 3"),
    "import_energy_t4": _("Energy drawn, tariff 4"),
    "partial_energy": _("Energy since the last reset"),
    "power": _("Power"),
    "reverse_volume": _("Volume in reverse"),
    "temperature": _("Temperature"),
    "total_energy": _("Energy in both directions"),
    "total_energy_t1": _("Energy in both directions, tariff 1"),
    "total_energy_t2": _("Energy in both directions, tariff 2"),
    "total_energy_t3": _("Energy in both directions, tariff 3"),
    "total_energy_t4": _("Energy in both directions, tariff 4"),
    "voltage": _("Voltage"),
    "voltage_l1": _("Voltage of line 1"),
    "volume": _("Volume"),
}
"""The registers of the types that are shipped; those of others are called by their names."""
