"""A merchant at the simulated WeChat Pay: a clock that stands still, and a callback address."""

from __future__ import annotations

import queue
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from scripted_server import ScriptedServer

from billing.payments.provider import Ordered, ProviderError
from billing.payments.wechat.account import Account

if TYPE_CHECKING:
    from types import TracebackType

    from scripted_server import Asked

    from billing.payments.provider import Notice, RefundNotice
    from billing.payments.wechat.client import WechatPay
    from billing.payments.wechat.trust import PlatformKey
    from simulators.wechat_pay.server import WechatPayServer

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
"""12:00 in Beijing."""
PATIENCE_S = 30
WATER = Ordered(
    number="TG20261122-000001",
    amount_fen=1234,
    currency="CNY",
    description="2026年10月 水费 3-1-301",
    expires_at=NOON + timedelta(minutes=30),
)


class Clock:
    """A time that moves when it is told to; both sides read it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, length: timedelta) -> None:
        self.now += length


class Callbacks:
    """The merchant's address for notices: read by `provider`, answered, and kept in order."""

    provider: WechatPay

    def __init__(self, clock: Clock) -> None:
        self.arrived: list[Asked] = []
        self._clock = clock
        self._heard: queue.Queue[Notice | RefundNotice | ProviderError] = queue.Queue()
        self._server = ScriptedServer(self._answer)

    @property
    def url(self) -> str:
        return f"http://{self._server.host}:{self._server.port}/notices/wechat"

    def next(self) -> Notice | RefundNotice | ProviderError:
        """Return what the next notice said, or why it was not taken; wait for it."""
        return self._heard.get(timeout=PATIENCE_S)

    def forget(self) -> None:
        """Forget what nobody asked for."""
        self.arrived.clear()
        while not self._heard.empty():
            self._heard.get()

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _answer(self, asked: Asked) -> tuple[int, str]:
        said: Notice | RefundNotice | ProviderError
        self.arrived.append(asked)
        try:
            said = self.provider.read(asked.headers, asked.content, now=self._clock.now)
            answer = self.provider.answer(None)
        except ProviderError as error:
            said, answer = error, self.provider.answer(str(error))
        self._heard.put(said)
        return answer.status, answer.body.decode()


def account_at(
    server: WechatPayServer,
    notify_url: str,
    *,
    public_key_id: str | None = None,
    keys: tuple[PlatformKey, ...] = (),
) -> Account:
    """Return the account of the merchant whom `server` knows."""
    merchant = server.merchant
    return Account(
        merchant=merchant.mchid,
        app=merchant.appid,
        key_serial=merchant.serial,
        private_key=merchant.key,
        api_v3_key=merchant.api_v3_key.encode(),
        notify_url=notify_url,
        base_url=server.base_url,
        public_key_id=public_key_id,
        keys=keys,
    )
