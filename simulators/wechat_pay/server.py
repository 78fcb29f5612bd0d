"""The platform in a thread of its own, behind a port on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Self, TypeVar

import uvicorn

from simulators.ports import listen_error, require_free
from simulators.wechat_pay.app import ServedPlatform
from simulators.wechat_pay.delivery import Deliveries
from simulators.wechat_pay.key_mode import KeyMode
from simulators.wechat_pay.keys import PlatformKeys
from simulators.wechat_pay.merchant import Merchant
from simulators.wechat_pay.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from simulators.wechat_pay.books import RefundStatus
    from simulators.wechat_pay.delivery import Try
    from simulators.wechat_pay.faults import Faults


START_TIMEOUT_S = 30.0
WHAT = "simulated WeChat Pay"

Result = TypeVar("Result")


class WechatPayServer:
    """WeChat Pay for one merchant at `base_url`, for as long as the `with` block lasts.

    `clock` is what it takes for the time. `pace` scales the times from one try of a notice to the
    next; with `refund_after_s` None refunds settle only when `settle` is called. Raises
    `ListenError` where it cannot listen.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        merchant: Merchant | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        mode: KeyMode = KeyMode.CERTIFICATE,
        pace: float = 1.0,
        refund_after_s: float | None = 5.0,
    ) -> None:
        self.merchant = Merchant.made_up(seed) if merchant is None else merchant
        self.host, self.port = host, port
        keys = PlatformKeys(now=clock(), mode=mode, seed=seed)
        self.platform = Platform(self.merchant, keys, seed)
        self._clock, self._pace, self._refund_after_s = clock, pace, refund_after_s
        self._served = ServedPlatform(self.platform, clock, self._deliveries)
        self._up = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._server: uvicorn.Server
        self._thread: threading.Thread

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def tries(self) -> list[Try]:
        """What was sent to the merchant so far."""
        return list(self._served.deliveries.tries)

    def pay(self, number: str, *, openid: str | None = None, coupon_fen: int = 0) -> None:
        """Let somebody pay an order; raise `NotPayableError` where nobody can."""
        self._do(lambda: self._served.pay(number, openid=openid, coupon_fen=coupon_fen))

    def settle(self, number: str, status: RefundStatus) -> None:
        """Say what became of a refund."""
        self._do(lambda: self._served.settle(number, status))

    def change_certificate(self) -> str:
        """Sign by a new certificate from now on; return its serial."""
        return self._do(self._served.change_certificate)

    def set_faults(self, faults: Faults) -> None:
        """Let go wrong what `faults` says from now on."""
        self.platform.faults = faults

    def __enter__(self) -> Self:
        listener = self._listening()
        self.port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            self._served.app(),
            log_level="critical",
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        if not self._up.wait(START_TIMEOUT_S):
            raise RuntimeError(f"{WHAT} did not start within {START_TIMEOUT_S:.0f} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _listening(self) -> socket.socket:
        """Return a socket that holds connections until somebody serves them."""
        if self.port:
            require_free(self.host, self.port, WHAT)
        listener = socket.socket(proto=socket.IPPROTO_TCP)  # so that asyncio sends at once
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
            listener.listen()
        except OSError as error:
            listener.close()
            raise listen_error(self.host, self.port, WHAT, error) from error
        return listener

    def _deliveries(self) -> Deliveries:
        """Return what tells the merchant, on the loop that is to serve: called there."""
        self._loop = asyncio.get_running_loop()
        self._up.set()
        return Deliveries(
            self.platform, self._clock, pace=self._pace, refund_after_s=self._refund_after_s
        )

    def _do(self, work: Callable[[], Result]) -> Result:
        """Do `work` on the loop, where everything else happens."""

        async def done() -> Result:
            return work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result()
