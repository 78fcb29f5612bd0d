"""A platform as values, with a merchant who signs by hand."""

from __future__ import annotations

import pytest
from wechat_shop import NOON, Shop

from simulators.wechat_pay.key_mode import KeyMode
from simulators.wechat_pay.keys import PlatformKeys
from simulators.wechat_pay.merchant import Merchant
from simulators.wechat_pay.platform import Platform


@pytest.fixture(scope="session")
def merchant() -> Merchant:
    return Merchant.made_up(7)


@pytest.fixture(scope="session")
def keys() -> PlatformKeys:
    return PlatformKeys(now=NOON, mode=KeyMode.CERTIFICATE, seed=7)


@pytest.fixture
def platform(merchant: Merchant, keys: PlatformKeys) -> Platform:
    """A platform with empty books; its keys are shared, and are not changed."""
    return Platform(merchant, keys, 7)


@pytest.fixture
def shop(platform: Platform) -> Shop:
    return Shop(platform)
