"""A gateway for short messages is one file, which proves itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from billing.delivery.gateway import load_gateway, shipped_gateways
from billing.delivery.schedule import Said
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
kind = "message-gateway"
id = "own"
title = { en = "Own" }
channel = "sms"
encoding = "form"
[body]
mobile = "{to}"
content = "【物业】{text}"
[answer]
field = "data.code"
taken = ["0"]
again = ["8"]
says = "data.words"
[[proof]]
expect_body = "EXPECTED"
[[proof]]
answer = '{"data": {"code": 0}}'
expect = "sent"
"""
BODY = "mobile=13800001234&content=%E3%80%90%E7%89%A9%E4%B8%9A%E3%80%91%E6%AD%A3%E6%96%87"
VALUES = {"text": "t", "to": "1", "id": "m", "secret": "s"}


def test_shipped_gateways_hold_their_proofs() -> None:
    assert set(shipped_gateways()) == {"sms-json", "wecom-robot"}


def test_a_text_does_not_break_out_of_the_body() -> None:
    text = '"},"to":"13900000000","x":"{to}{secret}\\'
    body = json.loads(shipped_gateways()["sms-json"].body({**VALUES, "text": text}))

    assert body == {"to": "1", "text": text, "reference": "m"}


def test_a_secret_stands_where_the_service_wants_it() -> None:
    sms, robot = (shipped_gateways()[name] for name in ("sms-json", "wecom-robot"))
    secret = {**VALUES, "secret": "a/b&c"}

    assert sms.headers(secret)["Authorization"] == "Bearer a/b&c"
    assert robot.url("https://x.example/send?key={secret}", secret) == (
        "https://x.example/send?key=a%2Fb%26c"
    )


def test_a_file_whose_proof_fails_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(FILE.replace("EXPECTED", BODY), "utf-8")
    assert load_gateway(path).document.id == "own"

    path.write_text(FILE, "utf-8")
    with pytest.raises(DefinitionError, match=r"proof\[1\]: another body is sent"):
        load_gateway(path)


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (200, '{"data": {"code": "0"}}', Said.SENT),
        (200, '{"data": {"code": 8, "words": "busy"}}', Said.FAILED),
        (200, '{"data": {"code": 9, "words": "no"}}', Said.REFUSED),
        (200, '{"data": []}', Said.REFUSED),
        (200, "<html>", Said.UNSURE),
        (401, "", Said.REFUSED),
        (429, "", Said.FAILED),
        (502, "", Said.FAILED),
    ],
)
def test_an_answer_says_what_became_of_the_message(
    tmp_path: Path, status: int, answer: str, said: Said
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(FILE.replace("EXPECTED", BODY), "utf-8")

    assert load_gateway(path).said(status, answer.encode()).said is said
