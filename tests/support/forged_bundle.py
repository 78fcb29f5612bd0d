"""Bundles of bills, and what somebody may do to them who seals them anew."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from billing.bundle import BundleError
from billing.bundle_check import check_bundle
from billing.store.views.bundles import bundle_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from small_community import Books

FRACTION = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def exported(books: Books, number: str) -> dict[str, Any]:
    with books.database.snapshot() as connection:
        document = bundle_document(connection, number)
    assert document is not None
    return document


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(document, dict | list):
        entries = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in entries:
            yield from leaves(value, (*path, key))
    else:
        yield path, document


def flipped(value: Any) -> Any:
    """Return another value of the same kind, as near as possible."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case None:
            return "1"
        case _ if FRACTION.fullmatch(value):
            return value[:-1] + str((int(value[-1]) + 1) % 10)
        case _:
            place = max((at for at, each in enumerate(value) if each.isdigit()), default=0)
            other = chr(ord(value[place]) ^ 1)
            return value[:place] + other + value[place + 1 :]


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return document


def found(file: bytes) -> list[str]:
    """Return what is said about a file that somebody changed."""
    try:
        return check_bundle(file).differences
    except BundleError as error:
        return [str(error)]
