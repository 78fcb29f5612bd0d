"""Problems of a run, as data: what keeps a community from being billed, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from meters.told import document_of, of_document

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that parks a community. `subject` is a unit, point, pool or tariff.

    `text` is `Told`, but for the words of a person.
    """

    kind: str
    subject: str
    text: str

    def document(self) -> dict[str, Any]:
        """Return what `of` makes the same problem of, as JSON."""
        return {"kind": self.kind, "subject": self.subject, "text": document_of(self.text)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        return cls(document["kind"], document["subject"], of_document(document["text"]))
