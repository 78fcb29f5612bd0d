"""What a proven answer or notice of WeChat Pay says, in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.payments.provider import (
    MalformedNoticeError,
    Notice,
    NoticeState,
    Prepayment,
    RefundNotice,
    RefundState,
    Scene,
    Unpaid,
)
from billing.payments.wechat.asking import PREPAYMENT_VALID
from billing.payments.wechat.document import Document
from billing.payments.wechat.sealed import opened
from billing.payments.wechat.signing import in_app_call
from billing.payments.wechat.trust import PlatformKey, normal

if TYPE_CHECKING:
    from datetime import datetime

    from billing.payments.provider import Ordered, RefundAsked
    from billing.payments.wechat.account import Account

PROVIDER = "wechat"
RENMINBI = "CNY"
"""The currency of domestic refunds, whose notices do not state one."""

_PAID = {"SUCCESS": NoticeState.PAID, "REFUND": NoticeState.REFUNDED}
_UNPAID = {
    "NOTPAY": Unpaid.WAITING,
    "USERPAYING": Unpaid.WAITING,
    "ACCEPT": Unpaid.WAITING,
    "PAYERROR": Unpaid.WAITING,  # one try failed; until it is closed there may be another
    "CLOSED": Unpaid.CLOSED,
    "REVOKED": Unpaid.CLOSED,
}
_REFUNDS = {
    "PROCESSING": RefundState.PENDING,
    "SUCCESS": RefundState.EXECUTED,
    "CLOSED": RefundState.FAILED,
    "ABNORMAL": RefundState.FAILED,  # the payer's account does not take it back: people settle it
}


def callback(body: bytes, account: Account) -> Notice | RefundNotice:
    """Return what a proven notice says; raise `MalformedNoticeError` if it holds no payment."""
    envelope = Document.parse(body, "the notice")
    event = envelope.text("event_type")
    content = Document.parse(
        opened(envelope.part("resource"), account.api_v3_key), "the notice's resource"
    )
    content.same("mchid", account.merchant)
    if event == "TRANSACTION.SUCCESS":
        return _transaction(content, account)
    if event.startswith("REFUND."):
        state = event.removeprefix("REFUND.")
        content.same("refund_status", state)
        at = "success_time" if state == "SUCCESS" else None
        return _refund(
            content, account, state, content.time(at) if at else envelope.time("create_time")
        )
    raise MalformedNoticeError(f"{envelope.where('event_type')} is {event!r}: no payment or refund")


def order(content: Document, number: str, account: Account) -> Notice | Unpaid:
    """Return what the answer to a question says of the order `number`."""
    content.same("mchid", account.merchant)
    content.same("out_trade_no", number)
    unpaid = _UNPAID.get(content.text("trade_state"))
    return _transaction(content, account) if unpaid is None else unpaid


def prepayment(
    content: Document, asked: Ordered, account: Account, *, nonce: str, now: datetime
) -> Prepayment:
    """Return what `asked` can be paid with; what is signed for it is signed once, with `nonce`."""
    expires_at = min(asked.expires_at, now + PREPAYMENT_VALID)
    if asked.scene is Scene.CODE:
        return Prepayment(expires_at=expires_at, code_url=content.text("code_url"))
    call = in_app_call(account, prepay_id=content.text("prepay_id"), nonce=nonce, now=now)
    return Prepayment(expires_at=expires_at, in_app_call=call)


def asked_refund(content: Document, asked: RefundAsked, account: Account) -> RefundNotice:
    """Return the refund that was asked for; raise where the answer is about another."""
    refund = refund_answer(content, asked.number, account)
    content.same("out_trade_no", asked.order_number)
    content.same("transaction_id", asked.transaction_id)
    if refund.amount_fen != asked.amount_fen:
        raise MalformedNoticeError(
            f"refund {asked.number} is of {refund.amount_fen} fen at WeChat Pay, and was asked for "
            f"{asked.amount_fen} fen; a number stands for one refund"
        )
    return refund


def refund_answer(content: Document, number: str, account: Account) -> RefundNotice:
    """Return what an answer says of the refund `number`."""
    content.same("out_refund_no", number)
    state = content.text("status")
    at = content.time("success_time" if state == "SUCCESS" else "create_time")
    return _refund(content, account, state, at)


def certificates(content: Document, account: Account) -> dict[str, PlatformKey]:
    """Return the keys of the platform certificates that WeChat Pay hands out, by serial.

    Each is encrypted by the APIv3 key, which only WeChat Pay and the merchant have.
    """
    keys = {}
    for each in content.parts("data"):
        pem = opened(each.part("encrypt_certificate"), account.api_v3_key)
        try:
            key = PlatformKey.of_certificate(pem)
        except ValueError as error:
            raise MalformedNoticeError(f"a platform certificate cannot be read: {error}") from None
        if key.serial != normal(each.text("serial_no")):
            raise MalformedNoticeError(f"{each.where('serial_no')} is not the certificate's")
        keys[key.serial] = key
    return keys


def _transaction(content: Document, account: Account) -> Notice:
    """Return the payment that `content` tells of: its total before coupons, in fen."""
    content.same("appid", account.app)
    trade_state = content.text("trade_state")
    if (state := _PAID.get(trade_state)) is None:
        raise MalformedNoticeError(f"{content.where('trade_state')} is {trade_state!r}: no payment")
    amount = content.part("amount")
    return Notice(
        provider=PROVIDER,
        merchant=account.merchant,
        order_number=content.text("out_trade_no"),
        transaction_id=content.text("transaction_id"),
        amount_fen=amount.fen("total"),
        currency=amount.text("currency"),
        paid_at=content.time("success_time"),
        state=state,
    )


def _refund(content: Document, account: Account, state: str, at: datetime) -> RefundNotice:
    if (known := _REFUNDS.get(state)) is None:
        raise MalformedNoticeError(f"a refund is {state!r}, which is no state that we know")
    amount = content.part("amount")
    return RefundNotice(
        provider=PROVIDER,
        merchant=account.merchant,
        number=content.text("out_refund_no"),
        refund_id=content.text("refund_id"),
        amount_fen=amount.fen("refund"),
        currency=amount.text_or_empty("currency") or RENMINBI,
        at=at,
        state=known,
    )
