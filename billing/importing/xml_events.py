"""XML as a stream of events. Document types, and with them entities, are refused: they do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias
from xml.parsers import expat

from billing.importing.cells import UnreadableFileError

if TYPE_CHECKING:
    from typing import IO

Attributes: TypeAlias = dict[str, str]
"""Attributes by name; namespaces are left off."""


class Part:
    """Takes what stands in one XML file; names come without their namespaces."""

    __slots__ = ()

    def start(self, tag: str, attributes: Attributes) -> None:
        """Take the beginning of an element."""

    def end(self, tag: str, text: str) -> None:
        """Take the end of an element, with the text since the last beginning or end."""


class _RefusedError(Exception):
    """The file holds a document type."""


def read_part(file: IO[bytes], part: Part, source: str) -> None:
    """Give the elements of `file` to `part`; raise `UnreadableFileError` if it is no plain XML."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    texts: list[str] = []

    def start(tag: str, attributes: Attributes) -> None:
        texts.clear()
        if any(":" in name for name in attributes):
            attributes = {_local(name): value for name, value in attributes.items()}
        part.start(_local(tag), attributes)

    def end(tag: str) -> None:
        part.end(_local(tag), "".join(texts))
        texts.clear()

    def refuse(*_: object) -> None:
        raise _RefusedError

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.ParseFile(file)
    except _RefusedError:
        raise UnreadableFileError(
            f"{source}: holds a document type, which no workbook has; it is not read"
        ) from None
    except UnreadableFileError:
        raise
    except (expat.ExpatError, ValueError, KeyError, IndexError) as error:
        raise UnreadableFileError(
            f"{source}: is damaged ({error}); save the workbook again as .xlsx"
        ) from error


def _local(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name
