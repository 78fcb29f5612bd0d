"""What was found about a use, as `/v1` answers it: a code, its values, and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from api import findings
from api.schemas.values import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from api.language import Language


class FoundInUse(Answer):
    """What a person should know about a use."""

    code: str = Field(description="Stays as it is in every language.", examples=["HighUse"])
    values: dict[str, Any] = Field(
        description="What it was found by, as the evidence has it.",
        examples=[{"daily": "21.5", "average": "7.2"}],
    )
    text: str = Field(description="The same in the language of `Accept-Language`, else English.")

    @classmethod
    def of(
        cls, finding: Mapping[str, Any], unit: str, zone: ZoneInfo, language: Language
    ) -> FoundInUse:
        return cls(
            code=finding["kind"],
            values={name: each for name, each in finding.items() if name not in {"kind", "text"}},
            text=findings.sentence(finding, unit, zone, language),
        )
