"""What a problem (RFC 9457) is: its kind, and the error that tells it to whoever has called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.telling import said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.language import Language

MEDIA_TYPE = "application/problem+json"
PREFIX = "/problems/"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem. `title` and `advice` are texts of the catalogue."""

    name: str
    status: int
    title: str
    advice: str

    @property
    def uri(self) -> str:
        return PREFIX + self.name


class ProblemError(Exception):
    """A call fails with `kind`; `detail` says what was wrong with this one.

    It is English; where it is `Told`, readers get it in their language.
    """

    def __init__(
        self,
        kind: ProblemType,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def document(self, language: Language, instance: str) -> dict[str, Any]:
        """Return the problem as its JSON object, with its texts in `language`.

        A detail that nobody has translated is told in English.
        """
        detail = self.detail and (said(self.detail, language) or self.detail)
        return {
            "type": self.kind.uri,
            "title": language(self.kind.title),
            "status": self.kind.status,
            "detail": detail or language(self.kind.advice),
            "instance": instance,
            **self.members,
        }
