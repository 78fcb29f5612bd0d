"""What is sealed opens by every key that is listed, for whom it was sealed, and unchanged only."""

from __future__ import annotations

import pytest

from billing.sealing import NoSealKeyError, Seal, SealError

OLD, NEW = "o" * 40, "n" * 40
SECRET = b"12345678901234567890"


def test_keys_are_changed_without_a_gap() -> None:
    sealed = Seal([OLD]).close(SECRET, "login 1")
    both = Seal([NEW, OLD])
    assert both.open(sealed, "login 1") == SECRET
    resealed = both.close(SECRET, "login 1")
    assert Seal([NEW]).open(resealed, "login 1") == SECRET
    with pytest.raises(SealError, match="secret_keys"):
        Seal([NEW]).open(sealed, "login 1")


def test_nothing_of_a_secret_or_key_is_to_be_seen() -> None:
    first, second = (Seal([OLD]).close(SECRET, "login 1") for _ in range(2))
    assert first != second
    assert "1234" not in first
    assert OLD not in first


def test_what_is_sealed_for_one_is_not_anothers() -> None:
    sealed = Seal([OLD]).close(SECRET, "login 1")
    with pytest.raises(SealError, match="somebody else"):
        Seal([OLD]).open(sealed, "login 2")


@pytest.mark.parametrize("change", ["cut", "bit", "letters", "empty"])
def test_what_was_changed_does_not_open(change: str) -> None:
    sealed = Seal([OLD]).close(SECRET, "login 1")
    name, _, text = sealed.partition(".")
    last = "B" if text[20] != "B" else "C"
    changed = {
        "cut": sealed[:-8],
        "bit": f"{name}.{text[:20]}{last}{text[21:]}",
        "letters": f"{name}.密",
        "empty": f"{name}.",
    }[change]
    with pytest.raises(SealError):
        Seal([OLD]).open(changed, "login 1")


def test_without_a_key_it_is_said_what_to_set() -> None:
    assert not Seal().is_there
    with pytest.raises(NoSealKeyError, match="secret_keys"):
        Seal().close(SECRET, "login 1")
