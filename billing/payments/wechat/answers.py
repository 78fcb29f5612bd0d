"""What an answer means by its HTTP status, before anything in it is believed.

Only 200 and 204 are done, and have to be signed; a done answer without a signature is a forgery.
An error is `{"code": …, "message": …}` and is not signed, so the status is looked at first; 202
(`USER_PAYING`), 429 and 5xx ask for another try, and so does an error without a code, which is some
proxy's and says nothing of the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.payments.provider import MalformedNoticeError, RefusedError, UnreachableError
from billing.payments.wechat.document import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

DONE = frozenset({200, 204})
ADVICE = {
    "SIGN_ERROR": "check key_file, key_serial and this machine's clock",
    "APPID_MCHID_NOT_MATCH": "bind the app to the merchant on the merchant platform",
    "NO_AUTH": "apply for this API on the merchant platform",
    "NOT_ENOUGH": "the account at WeChat Pay holds too little for this refund; top it up",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP, `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def require_done(answer: Answer) -> None:
    """Return if what was asked is done; raise `RefusedError` or `UnreachableError`."""
    if answer.status in DONE:
        return
    try:
        error = Document.parse(answer.body, "WeChat Pay's answer")
        code, message = error.text("code"), error.text_or_empty("message")
    except MalformedNoticeError:
        raise UnreachableError(
            f"something answered {answer.status} without a code of WeChat Pay; check base_url and "
            "the way there"
        ) from None
    if answer.status not in range(400, 500) or answer.status == 429:
        raise UnreachableError(f"WeChat Pay is to be asked again: {code}: {message}")
    advice = ADVICE.get(code)
    raise RefusedError(code, f"{message}; {advice}" if advice else message)
