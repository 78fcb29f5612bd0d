"""What was found about a usage, in one sentence, with the values that it was found by.

A kind of finding has one text, in `terms.FINDINGS`; after a colon it names how a value is shown:
`moment`, `day`, `number`, `use` (in the unit of the usage), or a table of terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from api import terms
from api.formats import Formats

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from api.language import Language


def sentence(finding: Mapping[str, Any], unit: str, zone: ZoneInfo, language: Language) -> str:
    """Return `finding`, as it stands in the evidence of a usage in `unit`, for a reader."""
    shown = {key: _Shown(value, unit, zone, language) for key, value in finding.items()}
    return language(terms.term(terms.FINDINGS, finding["kind"])).format(**shown)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A value of a finding, as the evidence writes it."""

    value: Any
    unit: str
    zone: ZoneInfo
    language: Language

    def __format__(self, spec: str) -> str:
        words, text = Formats(self.language), str(self.value)
        match spec:
            case "":
                return text
            case "moment":
                return words.instant(datetime.fromisoformat(text), self.zone)
            case "day":
                return words.day(date.fromisoformat(text[:10]))
            case "number":
                return words.number(Decimal(text))
            case "use":
                return words.measure(Decimal(text), self.unit)
            case _:
                return self.language(terms.term(getattr(terms, spec), text))
