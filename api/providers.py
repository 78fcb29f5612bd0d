"""The payment providers that an installation has accounts at, opened from their settings."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from api import problems
from api.problems import ProblemError
from billing.payments.wechat.client import WechatPay
from billing.payments.wechat.settings import WechatSettings, load_account
from meters.definition import read_document, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from api.settings import ApiSettings
    from billing.payments.provider import Prepayment, Provider


class Providers:
    """The merchant account at WeChat Pay, if there is one, and what its open orders are paid with.

    Codes are kept while they count, so that a page that waits does not ask the provider again;
    after a restart they are asked for again, which gives the same ones.
    """

    def __init__(self, wechat: WechatPay | None = None) -> None:
        self.wechat = wechat
        self._prepaid: dict[str, Prepayment] = {}
        self._lock = threading.Lock()

    @property
    def by_account(self) -> Mapping[tuple[str, str], Provider]:
        """Every provider by its name and merchant account."""
        return (
            {} if self.wechat is None else {(self.wechat.name, self.wechat.merchant): self.wechat}
        )

    def online(self) -> Provider:
        """Return what is paid with online; raise `ProblemError` where nothing is."""
        if self.wechat is None:
            raise ProblemError(problems.NO_PROVIDER)
        return self.wechat

    def prepaid(
        self, number: str, create: Callable[[], Prepayment | None], now: datetime
    ) -> Prepayment | None:
        """Return what the order `number` is paid with: as it is kept, else as `create` gives it."""
        with self._lock:
            kept = self._prepaid.get(number)
        if kept is not None and now < kept.expires_at:
            return kept
        found = create()
        if found is None:
            return None
        with self._lock:
            over = [each for each, it in self._prepaid.items() if it.expires_at <= now]
            for each in over:
                del self._prepaid[each]
            self._prepaid[number] = found
        return found

    def close(self) -> None:
        if self.wechat is not None:
            self.wechat.close_connections()


def open_providers(settings: ApiSettings) -> Providers:
    """Return the providers that `settings` name; none of them is asked anything yet.

    Raises `DefinitionError` for an account whose settings or keys cannot be read.
    """
    path = settings.wechat_settings
    if path is None:
        return Providers()
    stated = validate(WechatSettings, read_document(path), str(path))
    return Providers(WechatPay(load_account(stated, os.environ, source=str(path))))
