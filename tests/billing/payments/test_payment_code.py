"""Payment codes: what is mistyped is refused, and said to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.payments.payment_code import (
    LARGEST,
    PaymentCodeError,
    account_of,
    grouped,
    payment_code,
)

accounts = st.integers(1, LARGEST)


@pytest.mark.parametrize(
    ("account", "code"),
    [(1, "100000000190"), (42, "100000004264"), (999_999_999, "199999999991")],
)
def test_a_code_is_that_of_an_account(account: int, code: str) -> None:
    assert payment_code(account) == code
    assert int(code) % 97 == 1
    assert account_of(code) == account
    assert account_of(grouped(code)) == account


def test_the_check_digits_are_those_of_the_standards_example() -> None:
    """ISO 7064 gives 44 for 794; 1000000001 was computed beside this program."""
    assert 79444 % 97 == int(payment_code(1)) % 97 == 1


def test_a_code_is_read_in_groups_of_four() -> None:
    assert grouped("100000004264") == "1000 0000 4264"
    assert account_of(" 1000-0000-4264 ") == 42


@given(accounts, st.integers(0, 11), st.integers(1, 9))
def test_a_wrong_digit_is_found(account: int, place: int, change: int) -> None:
    code = payment_code(account)
    wrong = code[:place] + str((int(code[place]) + change) % 10) + code[place + 1 :]

    with pytest.raises(PaymentCodeError):
        account_of(wrong)


@given(accounts, st.integers(0, 10))
def test_two_swapped_neighbours_are_found(account: int, place: int) -> None:
    code = payment_code(account)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if swapped == code:
        return

    with pytest.raises(PaymentCodeError):
        account_of(swapped)


@pytest.mark.parametrize("typed", ["", "1000", "abcdefghijkl", "200000004264", "1000000042641"])
def test_what_is_no_code_is_told_what_one_looks_like(typed: str) -> None:
    with pytest.raises(PaymentCodeError, match="it has twelve digits and begins with 1"):
        account_of(typed)


def test_what_does_not_check_is_to_be_compared_with_the_bill() -> None:
    with pytest.raises(PaymentCodeError, match=r"'100000004265' do not fit: a digit is wrong, or"):
        account_of("100000004265")


def test_an_account_beyond_nine_digits_has_no_code() -> None:
    with pytest.raises(PaymentCodeError, match="beyond what a payment code can name"):
        payment_code(LARGEST + 1)
