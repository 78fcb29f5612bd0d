"""Papers as PDF: A4, tagged and archivable (PDF/A-2a), the same bytes for the same paper.

Typst sets them, with the font that stands beside this module and no other: what a paper looks like
does not depend on what a machine has installed. A character that the font lacks is printed as 〓,
and a note says which it was; nothing vanishes from a name.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import typst

from api.language import languages
from api.language import mark as _
from api.papers.legible import LACKING, Legible

if TYPE_CHECKING:
    from api.papers.paper import Paper

MEDIA_TYPE = "application/pdf"
TEMPLATE = Path(__file__).with_name("paper.typ")
FONT = Path(__file__).parent / "font" / "NotoSansSC-Regular.otf"
MISSING = _("{mark} stands for a character that this font lacks: {characters}.")
_ONE_AT_A_TIME = Lock()


class UnsettableError(RuntimeError):
    """A paper could not be set; the message says why."""


def typeset(paper: Paper) -> bytes:
    """Return `paper` as PDF; raise `UnsettableError` where Typst refuses it."""
    inputs = _inputs(paper)
    with _ONE_AT_A_TIME:
        try:
            made = _compiler().compile(
                sys_inputs=inputs,
                format="pdf",
                pdf_standards=["a-2a"],
                timestamp=int(paper.at.timestamp()),
            )
        except typst.TypstError as error:
            raise UnsettableError(f"{paper.number} cannot be set as PDF: {error}") from error
    if not isinstance(made, bytes):
        raise TypeError(f"typst gave {type(made).__name__} where it is to give a PDF")
    return made


def digest_of(paper: Paper) -> str:
    """Return what changes with the PDF of `paper`, without setting it."""
    told = _json([_setting(), paper.at.isoformat(), paper.document()])
    return hashlib.sha256(told.encode()).hexdigest()


def _inputs(paper: Paper) -> dict[str, str]:
    """Return what the template takes: the paper in characters that the font has, and what not."""
    told = Legible(FONT)
    document = told.all_of(paper.document())
    if paper.seal is not None:
        document["seal"]["picture"] = paper.seal.picture  # no text, but a drawing
    missing = ""
    if told.lacking:
        named = ", ".join(f"U+{ord(each):04X}" for each in told.lacking)
        missing = languages()[paper.tag](MISSING).format(mark=LACKING, characters=named)
    return {"paper": _json(document), "words": _json({"missing": missing})}


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(TEMPLATE, font_paths=[FONT.parent], ignore_system_fonts=True)


@cache
def _setting() -> str:
    """Return what all papers are set by."""
    content = TEMPLATE.read_bytes() + FONT.read_bytes() + version("typst").encode()
    return hashlib.sha256(content).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
