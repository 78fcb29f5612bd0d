"""Codes on papers that only this installation can have made, and that anybody can have checked.

A code is the first 80 bits of an HMAC-SHA256 (RFC 2104) over the kind of paper, its number, what it
comes to, its day and a digest of its content. It says nothing by itself: who has a paper asks with
its number and code, and is told number, amount, day and community of what is kept under them now.
Keys stand in a file, one a line, the newest first: that one signs, each verifies.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import quote

import segno

from api.language import mark as _
from api.papers.paper import Seal
from billing.canonical import canonical_json
from meters.definition import DefinitionError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from api.language import Language
    from billing.store.journal_views import AccountStatement
    from billing.store.payments_due import Payer
    from billing.store.payments_receipts import Receipt
    from billing.store.views.bills import BillView
    from billing.store.views.statements import WholeStatement

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that reads like a digit."""
READ_AS = str.maketrans("OIL", "011")
CODE_BITS, LETTER_BITS = 80, 5
GROUP = 4
NAMED_LETTERS = 10
"""Letters of a digest that the number of a statement of account names."""
KEY_BYTES = 32
MOST_KEYS = 100
PAGE = "/verify"
TITLE = _("Verify this paper")
ADVICE = _("Scan this, or enter number and code at {address}")


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a code holds for. `total` in minor units of `currency`; `content`: a digest, hex."""

    kind: str
    number: str
    total: int
    currency: str
    day: date
    content: str

    def text(self) -> bytes:
        told = [self.kind, self.number, self.total, self.currency, self.day.isoformat()]
        return canonical_json([*told, self.content]).encode()


def page_of(number: str, code: str) -> str:
    """Return the path of the page that says whether a paper is genuine."""
    return f"{PAGE}/{quote(number, safe='')}/{quote(code, safe='')}"


class Seals:
    """Signs papers and checks codes. `address`: where the pages are for the public, if anywhere."""

    def __init__(self, keys: Sequence[bytes], address: str | None = None) -> None:
        self._keys = tuple(keys)
        self._address = address

    def code(self, sealed: Sealed) -> str:
        """Return the code of a paper, by the newest key: `7QK2-M9XF-03TB-ZH4D`."""
        return _code(self._keys[0], sealed)

    def holds(self, sealed: Sealed, code: str) -> bool:
        """Return whether `code` was made for just this by one of the keys."""
        asked = read_code(code).encode()
        return any(hmac.compare_digest(asked, _letters(key, sealed).encode()) for key in self._keys)

    def seal(self, sealed: Sealed, language: Language) -> Seal:
        """Return what is printed: the code, and where there is an address a QR code of it."""
        code, picture = self.code(sealed), None
        if self._address is not None:
            picture = _drawn(f"{self._address}{page_of(sealed.number, code)}")
        advice = language(ADVICE).format(address=f"{self._address or ''}{PAGE}")
        return Seal(title=language(TITLE), picture=picture, code=code, advice=advice)


def of_bill(bill: BillView) -> Sealed | None:
    """Return what the code of a bill holds for; None for one that is not issued."""
    head = bill.head
    if head.issued_on is None:
        return None
    lines = [[line.charge, line.quantity, line.unit, line.amount] for line in bill.lines]
    return Sealed("bill", head.number, head.total, head.currency, head.issued_on, _digest(lines))


def of_receipt(receipt: Receipt, total: int, currency: str, day: date) -> Sealed:
    """Return what the code of a receipt holds for."""
    content = _digest(dict(receipt.document))
    return Sealed("receipt", receipt.number, total, currency, day, content)


def of_account(found: AccountStatement) -> Sealed:
    """Return what the code of a statement of account holds for: its days and every line.

    `total`: what was owed after the last day. The journal goes on, and which of its entries a paper
    was made of cannot be asked later. So its number names `total` and what it says by a digest.
    """
    lines = [[line.day.isoformat(), line.reference, line.amount] for line in found.lines]
    content = _digest([found.opening, sorted(lines)])[:NAMED_LETTERS].upper()
    return of_account_days(found.payer, found.first, found.last, found.closing, content)


def of_account_days(who: Payer, first: date, last: date, closing: int, content: str) -> Sealed:
    """Return what the code holds for of a statement that comes to `closing` fen by `content`."""
    owed = f"{'C' if closing < 0 else 'D'}{abs(closing)}"
    return Sealed(
        kind="account-statement",
        number=f"{who.payment_code}-{first:%Y%m%d}-{last:%Y%m%d}-{owed}-{content}",
        total=closing,
        currency=who.currency,
        day=last,
        content=content,
    )


def of_pool(view: WholeStatement) -> Sealed | None:
    """Return what the code of a pool's statement holds for; None for one that is not issued.

    It holds for every share, whoever's paper masks which of them.
    """
    head = view.head
    if head.run_state != "issued":
        return None
    parts = [[part.charge, part.quantity, part.amount] for part in view.parts]
    shares = [[share.unit, str(share.payer), share.quantity, share.amount] for share in view.shares]
    return Sealed(
        kind="pool-statement",
        number=f"{head.pool.id}-{head.period.key}-S{head.id}",
        total=head.amount,
        currency=head.currency,
        day=head.period.after - timedelta(days=1),
        content=_digest([head.quantity, head.unit, parts, shares]),
    )


def read_code(typed: str) -> str:
    """Return a code as it was typed without what is only for the eye."""
    return re.sub(r"[\s-]", "", typed).upper().translate(READ_AS)


def open_seals(path: Path | None, address: str | None) -> Seals | None:
    """Return the seals with the keys in the file `path`, None where none is named.

    Raises `DefinitionError` that names the line, never the key.
    """
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _problem(f"{path} cannot be read; make it with `tallygate bill seal-key`") from error
    keys = []
    for number, line in enumerate(lines, 1):
        if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", line):
            raise _problem(f"{path}, line {number}, is no key: {2 * KEY_BYTES} digits 0–9, a–f")
        keys.append(bytes.fromhex(line))
    if not 0 < len(keys) <= MOST_KEYS:
        raise _problem(f"{path} holds {len(keys)} keys; it takes 1 to {MOST_KEYS}")
    return Seals(keys, None if address is None else address.rstrip("/"))


def add_key(path: Path) -> int:
    """Put a new key before those of the file `path`, and return how many there are.

    The file is made where there is none, and replaced as a whole. Raises `OSError`, and
    `DefinitionError` for a file that holds anything else.
    """
    before: list[str] = []
    if path.exists():
        open_seals(path, None)
        before = path.read_text(encoding="ascii").splitlines()
    if len(before) == MOST_KEYS:
        raise _problem(f"{path} holds {MOST_KEYS} keys already; take out the oldest, the last")
    beside = path.with_name(path.name + ".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{key}\n" for key in (secrets.token_hex(KEY_BYTES), *before))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return len(before) + 1


def _code(key: bytes, sealed: Sealed) -> str:
    letters = _letters(key, sealed)
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def _letters(key: bytes, sealed: Sealed) -> str:
    found = hmac.digest(key, sealed.text(), hashlib.sha256)
    number = int.from_bytes(found[: CODE_BITS // 8])
    places = range(CODE_BITS - LETTER_BITS, -1, -LETTER_BITS)
    return "".join(ALPHABET[number >> place & 31] for place in places)


def _digest(content: object) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _drawn(address: str) -> str:
    drawn = BytesIO()
    segno.make_qr(address, error="m").save(drawn, kind="svg", scale=4, border=2, light="#fff")
    return drawn.getvalue().decode()


def _problem(what: str) -> DefinitionError:
    return DefinitionError([Problem("the API's settings", "seal_keys", what)])
