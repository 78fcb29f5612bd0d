"""Words by address, kept in the runs in which they were read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meters.image import Image
from meters.words import to_wire


def test_runs_that_touch_are_one_and_a_register_may_lie_across() -> None:
    image = Image([(12, (3, 4)), (10, (1, 2)), (20, (5,))])

    assert image.runs == [(10, (1, 2, 3, 4)), (20, (5,))]
    assert image.wire(11, 4) == to_wire([2, 3])
    assert image == {10: 1, 11: 2, 12: 3, 13: 4, 20: 5}


def test_where_runs_overlap_the_later_one_counts_and_nothing_is_lost() -> None:
    image = Image([(10, (1, 1, 1, 1)), (11, (2, 2)), (13, (3, 3))])

    assert image.runs == [(10, (1, 2, 2, 3, 3))]


def test_what_is_not_whole_is_not_there() -> None:
    image = Image([(10, (1, 2)), (20, (5,))])

    assert image.wire(9, 4) is None
    assert image.wire(11, 4) is None
    assert image.wire(15, 2) is None
    assert image.wire(20, 2) == b"\0\5"
    assert 12 not in image


ADDRESSES = st.integers(0, 40)
WORDS = st.integers(0, 0xFFFF)


@given(words=st.dictionaries(ADDRESSES, WORDS), address=ADDRESSES, count=st.integers(1, 4))
def test_an_image_holds_what_the_words_hold(
    words: dict[int, int], address: int, count: int
) -> None:
    image = Image.of(words)

    assert image == words
    assert list(image) == sorted(words)
    assert len(image) == len(words)
    asked = [words[at] for at in range(address, address + count) if at in words]
    assert image.wire(address, 2 * count) == (to_wire(asked) if len(asked) == count else None)
    assert Image.of(image) is image
