"""Settings of an account: what is wrong is named with its place, and no secret is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from wechat_merchant import NOON

from billing.payments.wechat.settings import WechatSettings, load_account
from meters.definition import DefinitionError, validate
from simulators.wechat_pay.keys import certified, new_key, private_pem, public_pem

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "5up3r-s3cret-APIv3-key-of-32-byte"[:32]
ENVIRONMENT = {"TALLYGATE_WECHAT_API_V3_KEY": SECRET}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that an account may have, and some that it must not."""
    folder = tmp_path_factory.mktemp("papers")
    key, platform, curve = new_key(), certified(NOON), ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    files = {
        "apiclient_key.pem": private_pem(key),
        "pub_key.pem": public_pem(platform.key),
        "wechatpay_cert.pem": platform.certificate,
        "curve.pem": curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "curve_public.pem": curve.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ),
        "locked.pem": locked,
        "text.pem": b"hello",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def document(papers: Path, **changes: Any) -> dict[str, Any]:
    written = {
        "merchant": "1900009191",
        "app": "wxd678efh567hg6787",
        "key_file": papers / "apiclient_key.pem",
        "key_serial": "1dde55ad98ed71d6edd4a4a16996de7b47773a8c",
        "notify_url": "https://pay.example.com/v1/notices/wechat",
        "public_key_file": papers / "pub_key.pem",
        "public_key_id": "PUB_KEY_ID_0114232134912410000000000000",
        "certificate_files": [papers / "wechatpay_cert.pem"],
    } | changes
    return {name: value for name, value in written.items() if value is not None}


def settings(papers: Path, **changes: Any) -> WechatSettings:
    return validate(WechatSettings, document(papers, **changes), "pay.toml")


def test_an_account_is_loaded_with_its_keys_and_tells_no_secret(papers: Path) -> None:
    account = load_account(settings(papers), ENVIRONMENT, source="pay.toml")
    assert account.key_serial == "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
    assert account.base_url == "https://api.mch.weixin.qq.com"
    assert account.api_v3_key == SECRET.encode()
    assert [key.valid_from for key in account.keys] == [None, NOON]
    assert account.keys[0].serial == "PUB_KEY_ID_0114232134912410000000000000"
    assert SECRET not in repr(account)
    assert "private_key" not in repr(account)


def test_an_account_may_know_no_key_of_the_platform_yet(papers: Path) -> None:
    none = settings(papers, public_key_file=None, public_key_id=None, certificate_files=[])
    assert load_account(none, ENVIRONMENT, source="pay.toml").keys == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"merchant": "mine"}, "pay.toml: merchant: "),
        ({"merchant": None}, "pay.toml: merchant: is missing"),
        ({"merchnat": "1"}, "pay.toml: merchnat: unknown key; did you mean 'merchant'?"),
        ({"key_serial": "xyz"}, "pay.toml: key_serial: "),
        ({"public_key_id": None}, "public_key_file and public_key_id belong together"),
        ({"public_key_id": "0114"}, "pay.toml: public_key_id: "),
        ({"notify_url": "http://pay.example.com/n"}, "notify_url: must begin with https://"),
        ({"notify_url": "https://pay.example.com/n?a=1"}, "notify_url: must be a plain address"),
        ({"notify_url": "pay.example.com"}, "notify_url: must be a plain address"),
        ({"base_url": "https://me:pw@pay.example.com"}, "base_url: must be a plain address"),
        ({"base_url": "ftp://127.0.0.1"}, "base_url: must begin with https://"),
    ],
)
def test_wrong_settings_are_named(papers: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as wrong:
        settings(papers, **changes)
    assert message in str(wrong.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8090", "http://localhost:8090"])
def test_a_simulator_on_this_machine_needs_no_tls(papers: Path, address: str) -> None:
    assert settings(papers, base_url=address, notify_url=address).base_url == address


@pytest.mark.parametrize(
    ("setting", "file", "message"),
    [
        ("key_file", "text.pem", "is no private key without a password; take apiclient_key.pem"),
        ("key_file", "pub_key.pem", "is no private key without a password"),
        ("key_file", "locked.pem", "is no private key without a password"),
        ("key_file", "curve.pem", "is no RSA key of 2048 bits or more"),
        ("key_file", "missing.pem", "cannot be read: No such file or directory"),
        ("public_key_file", "apiclient_key.pem", "is no public key; take pub_key.pem"),
        ("public_key_file", "curve_public.pem", "is no RSA key"),
    ],
)
def test_a_wrong_file_is_named_with_what_to_take(
    papers: Path, setting: str, file: str, message: str
) -> None:
    wrong = settings(papers, **{setting: papers / file})
    with pytest.raises(DefinitionError) as told:
        load_account(wrong, ENVIRONMENT, source="pay.toml")
    assert str(told.value).startswith(f"pay.toml: {setting}: {papers / file} ")
    assert message in str(told.value)


def test_a_wrong_certificate_is_named_by_its_place(papers: Path) -> None:
    files = [papers / "wechatpay_cert.pem", papers / "pub_key.pem"]
    with pytest.raises(DefinitionError, match=r"certificate_files\[2\]: .* is no certificate"):
        load_account(settings(papers, certificate_files=files), ENVIRONMENT, source="pay.toml")


@pytest.mark.parametrize(("value", "state"), [(None, "is not set"), ("short", "has 5 bytes")])
def test_a_missing_or_wrong_apiv3_key_names_its_variable(
    papers: Path, value: str | None, state: str
) -> None:
    environment = {} if value is None else {"WX_KEY": value}
    with pytest.raises(DefinitionError) as told:
        load_account(settings(papers, api_v3_key_env="WX_KEY"), environment, source="pay.toml")
    assert str(told.value) == (
        f"pay.toml: api_v3_key_env: the environment variable WX_KEY {state}; put the account's "
        "APIv3 key there, 32 bytes"
    )


def test_settings_hold_no_secret(papers: Path) -> None:
    assert SECRET not in json.dumps(settings(papers).model_dump(mode="json"))
