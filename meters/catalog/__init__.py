"""The meter types that Tallygate ships, one TOML file each beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from meters.definition import DefinitionError, Problem
from meters.proof import load_meter_types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meters.meter_type import MeterType

FOLDER = Path(__file__).parent


@cache
def shipped() -> Mapping[str, MeterType]:
    """Return the shipped meter types and their variants by id, each one proven."""
    return load_folder(FOLDER)


def load_folder(folder: Path) -> dict[str, MeterType]:
    """Return the proven types and variants in `folder` by id; raise `DefinitionError` else."""
    found: dict[str, MeterType] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            types = load_meter_types(path)
        except DefinitionError as error:
            problems.extend(error.problems)
            continue
        for meter_type in types:
            if meter_type.id in found:
                what = f"{meter_type.id!r} is taken by another file"
                problems.append(Problem(str(path), "id", what))
            found[meter_type.id] = meter_type
    if problems:
        raise DefinitionError(problems)
    return found
