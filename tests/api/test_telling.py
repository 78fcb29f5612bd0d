"""What went wrong is told in the reader's language, whole, and the same for programs in each."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import billing
from api import problems
from api.language import languages
from api.problems import ProblemError
from api.telling import STATES, said
from billing.disputes import DisputeState
from billing.payments.order import OrderState
from billing.payments.provider import RefundState, RefusedError
from billing.told import StateName, Told, told

if TYPE_CHECKING:
    from typing import Any

    from conftest import House

LINE = "/v1/bills/osmanthus-2026-10-0002/lines/1/disputes"
CHINESE, ENGLISH = languages()["zh-CN"], languages()["en"]
OF_CLIENTS = {
    "AddressError",
    "DeskError",
    "DeskEyesError",
    "DisputeError",
    "NoAccountError",
    "OrderError",
    "RefundError",
    "RefundEyesError",
    "UnknownCodeError",
    "UnknownDisputeError",
    "UnknownOrderError",
    "UnknownPaymentError",
    "UnknownRefundError",
}
"""What a payment client or somebody in the portal can meet."""


def dispute(house: House, key: str, language: str, reason: str = "Nobody was at home") -> Any:
    headers = {"Idempotency-Key": key, "Accept-Language": language}
    return house.caller("li").call("POST", LINE, json={"reason": reason}, headers=headers)


def test_a_detail_is_in_the_language_of_the_reader_and_the_type_is_the_same(billed: House) -> None:
    assert dispute(billed, "first-001", "en").status_code == 201
    by_language = {
        language: dispute(billed, f"again-{language}", language) for language in ("en", "zh-CN")
    }
    documents = {name: each.json() for name, each in by_language.items()}

    assert documents["en"].pop("detail") == (
        "line 1 of bill osmanthus-2026-10-0002 is disputed already (1)"
    )
    assert documents["zh-CN"].pop("detail") == (
        "账单 osmanthus-2026-10-0002 的第 1 行已有异议（1）"
    )
    titles = {documents[name].pop("title") for name in documents}
    assert len(titles) == 2
    assert documents["en"] == documents["zh-CN"]
    assert documents["en"]["type"] == "/problems/dispute-refused"


def test_a_page_says_it_in_its_language(billed: House) -> None:
    texts = {}
    for language in ("en", "zh-CN"):
        reader = billed.reader("li", language)
        page = "/bills/osmanthus-2026-10-0002/lines/1"
        answer = reader.post(f"{page}/dispute", csrf=reader.csrf(page), reason="No")
        assert answer.status_code == 409, answer.text
        texts[language] = answer.text
    assert "say it in 3 to 2000 letters; it has 2" in texts["en"]
    assert "请写 3 到 2000 个字；现有 2 个" in texts["zh-CN"]
    assert "say it in" not in texts["zh-CN"]


def test_states_are_said_too_and_codes_are_not() -> None:
    error = told("order {number} is {state}; only an open one is closed", number="P-7", state=PAID)
    assert error == "order P-7 is paid; only an open one is closed"
    assert said(error, CHINESE) == "订单 P-7 已支付；只有待付的订单才能关闭"
    assert said(error, ENGLISH) == "order P-7 is paid; only an open one is closed"


PAID = StateName(OrderState.PAID)


def test_what_nobody_has_translated_is_english_whole() -> None:
    document = ProblemError(problems.NOT_TAKEN, "line 3: no such key").document(CHINESE, "/v1/x")
    assert document["detail"] == "line 3: no such key"
    assert said("line 3: no such key", CHINESE) is None
    provider = RefusedError("NOAUTH", "商户无权限; call WeChat Pay")
    assert said(provider.args[0], CHINESE) is None
    ours = RefusedError(
        "SCENE_NOT_OFFERED", told("WeChat Pay is paid here by a code or inside WeChat")
    )
    assert said(ours.args[0], CHINESE) == (
        "SCENE_NOT_OFFERED：此处的微信支付只能扫码或在微信内支付"
    )


@pytest.mark.parametrize("states", [DisputeState, OrderState, RefundState])
def test_every_state_has_a_name(states: Any) -> None:
    missing = {"pending"} if states is RefundState else set()  # a provider's, never told
    assert {str(each) for each in states} - set(STATES) == missing


def test_it_is_the_same_in_another_process() -> None:
    made = told("payment {payment} is {state}; it waits for nobody", payment=1, state=PAID)
    copy = pickle.loads(pickle.dumps(made))  # noqa: S301  our own bytes
    assert (copy, said(copy, CHINESE)) == (made, said(made, CHINESE))
    assert isinstance(copy, Told)


def test_nothing_that_clients_meet_is_raised_in_english_alone() -> None:
    plain, found = [], 0
    for path in Path(billing.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[first, *_])) if (
                    name in OF_CLIENTS
                ):
                    found += 1
                    match first:
                        case ast.Call(func=ast.Name(id="told")):
                            pass
                        case _:
                            plain.append(f"{path.name}:{node.lineno}")
    assert plain == []
    assert found > 35
