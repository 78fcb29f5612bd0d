"""One simulated WeChat Pay for the tests of a module, and the adapter that speaks to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from wechat_merchant import Callbacks, Clock, account_at

from billing.payments.wechat.client import WechatPay
from simulators.wechat_pay.faults import Faults
from simulators.wechat_pay.key_mode import KeyMode
from simulators.wechat_pay.server import WechatPayServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running_server(clock: Clock) -> Iterator[WechatPayServer]:
    with WechatPayServer(clock=clock, seed=7, pace=0.001, refund_after_s=None) as running:
        yield running


@pytest.fixture
def server(running_server: WechatPayServer) -> Iterator[WechatPayServer]:
    """The platform, with nothing wrong and certificates in use at the start of each test."""
    yield running_server
    running_server.set_faults(Faults())
    running_server.platform.keys.mode = KeyMode.CERTIFICATE


@pytest.fixture(scope="module")
def listening(clock: Clock) -> Iterator[Callbacks]:
    with Callbacks(clock) as callbacks:
        yield callbacks


@pytest.fixture
def callbacks(listening: Callbacks) -> Callbacks:
    listening.forget()
    return listening


@pytest.fixture
def wechat(server: WechatPayServer, callbacks: Callbacks) -> Iterator[WechatPay]:
    adapter = WechatPay(account_at(server, callbacks.url))
    callbacks.provider = adapter
    yield adapter
    adapter.close_connections()
