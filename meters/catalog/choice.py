"""Which meter type is meant: a shipped one, one in a folder, or one in a file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from meters.catalog import load_folder, shipped
from meters.proof import load_meter_types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meters.meter_type import MeterType


class UnknownTypeError(ValueError):
    """No meter type has this name; the message says which have one like it."""


def known_types(*folders: Path) -> Mapping[str, MeterType]:
    """Return the shipped types by id, and those in `folders`: the later a folder, the firmer.

    Raises `DefinitionError` where a file of a folder does not hold.
    """
    known = dict(shipped())
    for folder in folders:
        known |= load_folder(folder)
    return known


def chosen_type(wanted: str, folder: Path | None = None) -> MeterType:
    """Return the type with the id `wanted`, or the one in the file of that name (`own.toml`).

    A variant in a file is `own.toml#NAME`. Raises `UnknownTypeError`, or `DefinitionError` where
    a file does not hold.
    """
    path, _, variant = wanted.partition("#")
    if path.endswith(".toml"):
        types = {each.id: each for each in load_meter_types(Path(path))}
        itself = next(iter(types))
        known: Mapping[str, MeterType] = types
        wanted = f"{itself}-{variant}" if variant else itself
    else:
        known = known_types() if folder is None else known_types(folder)
    if wanted in known:
        return known[wanted]
    alike = sorted(each for each in known if wanted.lower() in each) or get_close_matches(
        wanted, known
    )
    raise UnknownTypeError(
        f"there is no meter type {wanted!r}; "
        + (f"known are {', '.join(alike)}" if alike else "`tallygate meters list` shows them")
        + ", and --types names a folder of your own"
    )
