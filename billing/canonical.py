"""The one text of a definition: what evidence keeps, what a digest is taken of.

Canonical text is JSON with sorted keys, no spaces, decimals in plain notation without trailing
zeros, and no key for what is not set. Two files that mean the same give the same text, and the text
read back gives an equal definition. A field added to a definition later must default to None, so
that old text keeps its digest.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import orjson

from meters.definition import Definition
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.money import Column

Model = TypeVar("Model", bound=Definition)

_WRITER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_READER = json.JSONDecoder(parse_float=Decimal)


def canonical(definition: Definition) -> str:
    """Return the canonical text of `definition`."""
    return canonical_json(definition.model_dump(by_alias=True, exclude_none=True))


def digest(definition: Definition) -> str:
    """Return the SHA-256 of the canonical text, as hex."""
    return hashlib.sha256(canonical(definition).encode()).hexdigest()


def from_canonical(model: type[Model], text: str) -> Model:
    """Return the definition whose canonical text is `text`; it was proven when it was stored.

    A definition never changes, so that all communities of a run share the one that was read first.
    """
    read: Model = _read(model, text)
    return read


@lru_cache(maxsize=1024)
def _read(model: type[Definition], text: str) -> Any:
    return model.model_validate(read_json(text))


def canonical_json(document: object) -> str:
    """Return `document` as canonical JSON; raise `TypeError` for a value that has no such form."""
    return _WRITER.encode(_plain(document))


def evidence_json(document: Mapping[str, Any] | list[dict[str, Any]]) -> str:
    """Return as canonical JSON what holds texts, whole numbers, truth, lists and tables only.

    It is the same text as `canonical_json` gives, written in one go.
    """
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


def text_json(text: str) -> str:
    """Return one text as canonical JSON, in its quotes."""
    return encode_basestring(text)


def numbers_json(numbers: Column) -> str:
    """Return int64[n] as canonical JSON."""
    return orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def read_json(text: str) -> Any:
    """Return the document in `text`; a number with a fraction comes back exact."""
    return _READER.decode(text)


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case Decimal():
            return plain(value)
        case date():
            return value.isoformat()
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            raise TypeError(f"{value!r} has no canonical form")
