"""What is signed and opened is what the documentation and the makers' own tests say."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from wechat_merchant import NOON

from billing.payments.wechat.account import Account
from billing.payments.wechat.document import Document
from billing.payments.wechat.sealed import opened
from billing.payments.wechat.signing import authorization, in_app_call, message

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def account(key: RSAPrivateKey) -> Account:
    return Account(
        merchant="1900009191",
        app="wxd678efh567hg6787",
        key_serial="1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
        private_key=key,
        api_v3_key=b"",
        notify_url="",
        base_url="",
        public_key_id=None,
        keys=(),
    )


def test_the_documented_request_for_certificates_is_signed_as_five_lines() -> None:
    signed = message(
        "GET", "/v3/certificates", "1554208460", "593BEC0C930BF1AFEB40B4A08C8FB242", b""
    )
    assert signed == (b"GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n")


def test_the_body_is_signed_as_it_is_sent() -> None:
    body = '{"description": "水费"}\n'.encode()
    assert message("POST", "/v3/x?a=1", "1", "n", body) == b"POST\n/v3/x?a=1\n1\nn\n" + body + b"\n"


def test_the_header_says_who_signed_and_its_signature_is_over_the_message(
    account: Account, key: RSAPrivateKey
) -> None:
    header = authorization(
        account,
        method="GET",
        target="/v3/certificates",
        body=b"",
        nonce="593BEC0C930BF1AFEB40B4A08C8FB242",
        now=NOON,
    )
    found = re.fullmatch(
        r'WECHATPAY2-SHA256-RSA2048 mchid="1900009191",'
        r'nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",signature="([A-Za-z0-9+/=]+)",'
        r'timestamp="1795320000",serial_no="1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"',
        header,
    )
    assert found is not None
    key.public_key().verify(
        base64.b64decode(found[1]),
        b"GET\n/v3/certificates\n1795320000\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n",
        padding.PKCS1v15(),
        SHA256(),
    )


def test_a_page_inside_wechat_calls_with_four_signed_lines(
    account: Account, key: RSAPrivateKey
) -> None:
    call = in_app_call(account, prepay_id="wx201410272009395522657a690", nonce="5K8264", now=NOON)
    key.public_key().verify(
        base64.b64decode(call.pop("paySign")),
        b"wxd678efh567hg6787\n1795320000\n5K8264\nprepay_id=wx201410272009395522657a690\n",
        padding.PKCS1v15(),
        SHA256(),
    )
    assert call == {
        "appId": "wxd678efh567hg6787",
        "timeStamp": "1795320000",
        "nonceStr": "5K8264",
        "package": "prepay_id=wx201410272009395522657a690",
        "signType": "RSA",
    }


def test_a_resource_of_the_platform_s_own_sdk_opens() -> None:
    """The values stand in the tests of WeChat Pay's SDK for Go (utils/aes_test.go)."""
    resource = {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC",
        "nonce": "wCq51qZv4Yfg",
        "associated_data": "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8",
    }
    assert opened(Document(resource, "the resource"), b"testAPIv3Key0000") == b"Hello World"
