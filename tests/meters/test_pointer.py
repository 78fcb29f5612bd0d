"""JSON pointers, by the examples of RFC 6901."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.pointer import PointerError, resolve

EXAMPLE = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", EXAMPLE),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/foo/1", "baz"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_rfc(pointer: str, found: object) -> None:
    assert resolve(EXAMPLE, pointer) == found


def test_an_escaped_tilde_before_a_one_is_no_slash() -> None:
    assert resolve({"~1": "tilde", "/": "slash"}, "/~01") == "tilde"


@pytest.mark.parametrize(
    "pointer",
    [
        "/foo/2",
        "/foo/-",
        "/foo/-1",
        "/foo/01",
        "/foo/٠",
        "/foo/²",
        "/foo/ 1",
        "/foo/bar",
        "/foo/0/0",
        "/x",
        "/foo/" + "9" * 5000,
    ],
)
def test_a_pointer_that_leads_nowhere_says_so(pointer: str) -> None:
    with pytest.raises(PointerError, match="is not in the payload"):
        resolve(EXAMPLE, pointer)


def test_a_pointer_begins_with_a_slash() -> None:
    with pytest.raises(PointerError, match="'foo' is not a JSON pointer; it must start with '/'"):
        resolve(EXAMPLE, "foo")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(JSON, st.text("/~01a", max_size=6))
def test_no_pointer_raises_anything_but_a_pointer_error(document: object, pointer: str) -> None:
    try:
        resolve(document, pointer)
    except PointerError:
        return
    assert pointer == "" or pointer.startswith("/")
