"""The adapter: one merchant account at WeChat Pay, over HTTP."""

from __future__ import annotations

import json
import logging
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from billing.payments.provider import Answer as CallbackAnswer
from billing.payments.provider import (
    ProviderError,
    RefusedError,
    Unpaid,
    UnreachableError,
)
from billing.payments.wechat import asking, reading, signing, trust
from billing.payments.wechat.answers import Answer, require_done
from billing.payments.wechat.document import Document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.payments.provider import (
        Notice,
        Ordered,
        Prepayment,
        RefundAsked,
        RefundNotice,
    )
    from billing.payments.wechat.account import Account
    from billing.payments.wechat.asking import Ask

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
CERTIFICATES_AFTER = timedelta(hours=12)
"""How old what is known of platform certificates may be, where they are all there is."""
CERTIFICATES_AT_MOST_EVERY = timedelta(minutes=1)
"""How often certificates are fetched for serials that nobody knows: anybody can send those."""
NO_ORDER = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST"})
LONGEST_REASON = 64


class WechatPay:
    """A merchant account at WeChat Pay: a `billing.payments.provider.Provider`.

    Calls may come from several threads. Callbacks are read without asking anybody: where one names
    a platform certificate that is not known here, the next call fetches it, and WeChat Pay's next
    try succeeds.
    """

    name = reading.PROVIDER

    def __init__(self, account: Account, *, timeout_s: float = TIMEOUT_S) -> None:
        self._account = account
        self._keys = {key.serial: key for key in account.keys}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._key_missing = False
        self._http = httpx.Client(
            timeout=timeout_s,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "tallygate",
            },
        )
        if account.public_key_id is not None:
            self._http.headers["Wechatpay-Serial"] = account.public_key_id

    @property
    def merchant(self) -> str:
        return self._account.merchant

    def close_connections(self) -> None:
        """End what is open to WeChat Pay; the account cannot be used afterwards."""
        self._http.close()

    def create(self, order: Ordered, *, now: datetime) -> Prepayment:
        """Order by a code (native), or inside WeChat (JSAPI, with the payer's openid)."""
        content = self._told(asking.order(order, self._account), now)
        nonce = secrets.token_hex(16)
        return reading.prepayment(content, order, self._account, nonce=nonce, now=now)

    def query(self, order_number: str, *, now: datetime) -> Notice | Unpaid:
        """Return what became of an order, whether or not a notice of it arrived."""
        try:
            content = self._told(asking.query(order_number, self._account), now)
        except RefusedError as error:
            if error.code in NO_ORDER:
                return Unpaid.UNKNOWN
            raise
        return reading.order(content, order_number, self._account)

    def close(self, order_number: str, *, now: datetime) -> None:
        """Close an order; one that is closed or was never there is as good as closed."""
        try:
            self._proven(asking.close(order_number, self._account), now)
        except RefusedError as error:
            if error.code not in NO_ORDER | {"ORDER_CLOSED"}:
                raise

    def refund(self, refund: RefundAsked, *, now: datetime) -> RefundNotice:
        """Ask for money to go back; what becomes of it is told later."""
        content = self._told(asking.refund(refund, self._account), now)
        return reading.asked_refund(content, refund, self._account)

    def query_refund(self, number: str, *, now: datetime) -> RefundNotice | None:
        """Return what became of a refund, None where there is none of this number."""
        try:
            content = self._told(asking.query_refund(number), now)
        except RefusedError as error:
            if error.code == "RESOURCE_NOT_EXISTS":
                return None
            raise
        return reading.refund_answer(content, number, self._account)

    def read(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Notice | RefundNotice:
        """Return what a callback says, without asking anybody."""
        try:
            trust.prove(headers, body, self._keys, now=now)
        except trust.UnknownKeyError:
            self._key_missing = True
            raise
        return reading.callback(body, self._account)

    def answer(self, message: str | None) -> CallbackAnswer:
        """Return the answer to a callback: 204, or 400 so that WeChat Pay tries again."""
        if message is None:
            return CallbackAnswer(204, "application/json", b"")
        failed = {"code": "FAIL", "message": message[:LONGEST_REASON]}
        return CallbackAnswer(400, "application/json", json.dumps(failed).encode())

    def renew_certificates(self, *, now: datetime) -> None:
        """Fetch WeChat Pay's certificates unless what is known of them is new enough."""
        if self._fetched_at is None or self._certificates_are_due(now):
            self.fetch_certificates(now=now)

    def fetch_certificates(self, *, now: datetime) -> None:
        """Fetch WeChat Pay's certificates; keys that were known before stay known."""
        self._tried_at = now
        answer = self._send(asking.CERTIFICATES, now)
        require_done(answer)
        fetched = reading.certificates(
            Document.parse(answer.body, "the platform certificates"), self._account
        )
        keys = {**self._keys, **fetched}
        trust.prove(answer.headers, answer.body, keys, now=now)
        self._keys, self._fetched_at, self._key_missing = keys, now, False

    def _told(self, ask: Ask, now: datetime) -> Document:
        return Document.parse(self._proven(ask, now).body, f"WeChat Pay's answer to {ask.target}")

    def _proven(self, ask: Ask, now: datetime) -> Answer:
        """Return the proven answer to `ask`."""
        if self._certificates_are_due(now):
            self._try_to_fetch_certificates(now)
        answer = self._send(ask, now)
        require_done(answer)
        try:
            trust.prove(answer.headers, answer.body, self._keys, now=now)
        except trust.UnknownKeyError:
            self._key_missing = True
            if not self._certificates_are_due(now):
                raise
            self._try_to_fetch_certificates(now)
            trust.prove(answer.headers, answer.body, self._keys, now=now)
        return answer

    def _certificates_are_due(self, now: datetime) -> bool:
        if self._tried_at is not None and now - self._tried_at < CERTIFICATES_AT_MOST_EVERY:
            return False
        if self._key_missing or not self._keys:
            return True
        return self._account.public_key_id is None and (
            self._fetched_at is None or now - self._fetched_at >= CERTIFICATES_AFTER
        )

    def _try_to_fetch_certificates(self, now: datetime) -> None:
        """Fetch certificates; go on without new ones where some key is known."""
        try:
            self.fetch_certificates(now=now)
        except ProviderError as error:
            if not self._keys:
                raise
            log.warning("merchant %s: no new certificates: %s", self.merchant, error)

    def _send(self, ask: Ask, now: datetime) -> Answer:
        request = self._http.build_request(
            ask.method, self._account.base_url + ask.target, content=ask.body or None
        )
        if ask.body:
            request.headers["Content-Type"] = "application/json"
        request.headers["Authorization"] = signing.authorization(
            self._account,
            method=ask.method,
            target=request.url.raw_path.decode("ascii"),
            body=ask.body,
            nonce=secrets.token_hex(16),
            now=now,
        )
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"{self._account.base_url} gave no answer to {ask.method} {ask.target}: "
                f"{str(error) or type(error).__name__}"
            ) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, response.content)
