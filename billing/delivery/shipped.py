"""The templates that Tallygate brings, a file for each kind of event and language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from billing.delivery.wording import LANGUAGES, Texts
from meters.definition import read_document, validate

if TYPE_CHECKING:
    from billing.delivery.event import Kind

FOLDER = Path(__file__).parent / "texts"


@cache
def shipped(kind: Kind, language: str) -> Texts:
    """Return the texts of `kind` in `language`, in English where there are none in that."""
    tag = language if language in LANGUAGES else "en"
    path = FOLDER / f"{kind.replace('.', '-')}.{tag}.toml"
    return validate(Texts, read_document(path), str(path))
