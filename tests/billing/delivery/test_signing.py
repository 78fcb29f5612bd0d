"""Webhooks are signed as the Standard Webhooks convention has it, and one secret after another."""

from __future__ import annotations

import pytest

from billing.delivery.signing import SecretError, SignatureError, headers, new_secret, verify

# the example of the convention's own libraries
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  published for tests
MESSAGE, AT = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_is_that_of_the_conventions_own_libraries() -> None:
    assert headers(MESSAGE, AT, BODY, [SECRET]) == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_what_was_signed_is_verified() -> None:
    assert verify(headers(MESSAGE, AT, BODY, [SECRET]), BODY, SECRET, now_s=AT + 300) == MESSAGE


def test_while_a_secret_is_replaced_each_of_both_verifies() -> None:
    new = new_secret()
    signed = headers(MESSAGE, AT, BODY, [new, SECRET])

    assert signed["webhook-signature"].endswith(f" {SIGNATURE}")
    assert verify(signed, BODY, new, now_s=AT) == MESSAGE
    assert verify(signed, BODY, SECRET, now_s=AT) == MESSAGE


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "msg_other"}, "no signature fits"),
        ({"webhook-timestamp": "1614265331"}, "no signature fits"),
        ({"webhook-timestamp": "soon"}, "no Unix time"),
        ({"webhook-signature": "v1,AAAA v2,BBBB"}, "no signature fits"),
        ({"webhook-signature": SIGNATURE.replace("v1", "v1a")}, "no signature fits"),
    ],
)
def test_what_was_changed_on_its_way_is_refused(change: dict[str, str], why: str) -> None:
    signed = headers(MESSAGE, AT, BODY, [SECRET]) | change
    with pytest.raises(SignatureError, match=why):
        verify(signed, BODY, SECRET, now_s=AT)


def test_another_body_a_missing_header_and_an_old_message_are_refused() -> None:
    signed = headers(MESSAGE, AT, BODY, [SECRET])
    with pytest.raises(SignatureError, match="no signature fits"):
        verify(signed, BODY + b" ", SECRET, now_s=AT)
    with pytest.raises(SignatureError, match="too far"):
        verify(signed, BODY, SECRET, now_s=AT + 301)
    del signed["webhook-id"]
    with pytest.raises(SignatureError, match="webhook-id is missing"):
        verify(signed, BODY, SECRET, now_s=AT)


def test_new_secrets_differ_and_others_are_named() -> None:
    assert new_secret() != new_secret()
    for wrong in ("whsec_short", "whsec_!!!!", SECRET.removeprefix("whsec_")):
        with pytest.raises(SecretError, match="whsec_"):
            headers(MESSAGE, AT, BODY, [wrong])
