"""The payment code of an account: twelve digits that are read out, typed in and printed on bills.

A one, the account's number in nine digits, and two check digits by ISO 7064, MOD 97-10: the whole
number leaves 1 when divided by 97. That finds every digit that is wrong, and every two neighbours
that are swapped (ISO/IEC 7064:2003, 5 and 6.2).
"""

from __future__ import annotations

import re

from meters.told import told

FIRST = 1
DIGITS = 9
LARGEST: int = 10**DIGITS - 1
"""The number of the last account that a code can name."""


class PaymentCodeError(ValueError):
    """What was typed is no payment code."""


def payment_code(account_id: int) -> str:
    """Return the payment code of an account; it never changes."""
    if not 0 < account_id <= LARGEST:
        raise PaymentCodeError(f"account {account_id} is beyond what a payment code can name")
    plain = f"{FIRST}{account_id:0{DIGITS}}"
    return f"{plain}{98 - int(plain) * 100 % 97:02}"


def account_of(code: str) -> int:
    """Return the number of the account that `code` names; spaces and hyphens do not count.

    Raises `PaymentCodeError` that says what to do. Whether there is such an account is not asked.
    """
    digits = re.sub(r"[ \u00a0\u3000-]", "", code)
    if not re.fullmatch(r"[0-9]{12}", digits) or not digits.startswith(str(FIRST)):
        raise PaymentCodeError(
            told(
                "'{code}' is no payment code; it has twelve digits and begins with {first}",
                code=code,
                first=FIRST,
            )
        )
    if int(digits) % 97 != 1:
        raise PaymentCodeError(
            told(
                "the check digits of '{code}' do not fit: a digit is wrong, or two are swapped; "
                "compare it with the bill",
                code=code,
            )
        )
    return int(digits[1 : 1 + DIGITS])


def grouped(code: str) -> str:
    """Return a code as people read it: `1000 0000 4267`."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4))
