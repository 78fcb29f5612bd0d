"""Which type a person means: an id, a file, a variant in it, a folder of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import meters.catalog
from meters.catalog.choice import UnknownTypeError, chosen_type, known_types
from meters.definition import DefinitionError

FOLDER = Path(meters.catalog.__file__).parent


def test_an_id_is_a_shipped_type_or_a_variant_of_one() -> None:
    assert chosen_type("eastron-sdm72").variant_of is None
    assert chosen_type("eastron-sdm72-v2").variant_of == "eastron-sdm72"


def test_a_file_is_its_type_and_its_variant_is_named_behind_it() -> None:
    file = str(FOLDER / "eastron-sdm72.toml")

    assert chosen_type(file).id == "eastron-sdm72"
    assert chosen_type(f"{file}#v2").id == "eastron-sdm72-v2"


def test_a_folder_adds_to_the_shipped_types(tmp_path: Path) -> None:
    text = (FOLDER / "eastron-sdm120.toml").read_text("utf-8")
    (tmp_path / "own.toml").write_text(text.replace('"eastron-sdm120"', '"own"'), "utf-8")

    assert chosen_type("own", tmp_path).name == "Eastron SDM120"
    assert {"own", "abb-b23"} <= known_types(tmp_path).keys()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("eastron", "known are eastron-sdm120, "),
        ("eastron-smd120", "known are eastron-sdm120"),
        ("nothing-like-it", "`tallygate meters list` shows them"),
        (str(FOLDER / "eastron-sdm120.toml#v9"), "'eastron-sdm120-v9'"),
    ],
)
def test_what_is_unknown_says_what_is_like_it(wanted: str, said: str) -> None:
    with pytest.raises(UnknownTypeError) as raised:
        chosen_type(wanted)

    assert said in str(raised.value)


def test_a_file_that_is_not_there_says_so() -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        chosen_type("nowhere.toml")
