"""What went wrong is told in the reader's language, whole, and the same for programs in each."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import api
import billing
import meters
from api import problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.language import languages
from api.problems import ProblemError
from api.telling import STATES, said
from billing.disputes import DisputeState
from billing.payments.order import OrderState
from billing.payments.provider import RefundState, RefusedError
from billing.pools.pool import parse_pool
from billing.store import runs
from billing.store.runs import StateError
from meters.definition import DefinitionError, Problem, parse_document
from meters.told import StateName, Told, told

if TYPE_CHECKING:
    from typing import Any

    from conftest import House

LINE = "/v1/bills/osmanthus-2026-10-0002/lines/1/disputes"
CHINESE, ENGLISH = languages()["zh-CN"], languages()["en"]
UNTOLD = {
    "DefinitionError",  # told problem by problem
    "RefusedError",  # what a provider says, in the provider's words
}


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


def test_what_staff_and_engineers_meet_is_said_too() -> None:
    with pytest.raises(StateError) as refused:
        runs.assert_state(7, "computed", "draft", "blocked")
    text = refused.value.args[0]
    assert text == "run 7 is computed; this takes a run that is draft, blocked"
    assert said(text, CHINESE) == "批次 7 已计算；此操作只适用于处于以下状态的批次：仍是草稿, 受阻"


def test_an_engineer_is_told_in_the_language_that_is_asked_for(house: House) -> None:
    engineer = house.caller("engineer")
    reader = {"Idempotency-Key": "not-there-1", "Accept-Language": "zh-CN"}
    answer = engineer.call("DELETE", "/v1/gateways/attic/meters/none-1", headers=reader)
    assert (answer.status_code, answer.json()["detail"]) == (404, "没有网关“attic”")


def test_what_is_wrong_with_a_definition_is_said_too() -> None:
    text = 'id = "lifts"\nbassis = "area"\n'
    with pytest.raises(DefinitionError) as refused:
        parse_pool(parse_document(text, "lifts.toml"), "lifts.toml")
    detail = as_problem(refused.value).document(CHINESE, "/v1/x")["detail"].splitlines()
    assert "lifts.toml: bassis: 未知的键，是否应为“basis”？" in detail
    assert "lifts.toml: version: 缺失" in detail
    where = Problem("t.toml", "example[1].expect", AMOUNT, "2.00", "1.00")
    assert str(said(where.text, CHINESE)).endswith("请更正示例或收费项（期望 2.00，实际 1.00）")


AMOUNT = told("the tariff gives another amount; correct the example or the charges")


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


def raised_as_problems() -> set[str]:
    """Return the names of everything that a caller is told of as a problem."""
    found = {ProblemError, *DOMAIN_ERRORS}
    while more := {sub for each in found for sub in each.__subclasses__()} - found:
        found |= more
    return {each.__name__ for each in found} - UNTOLD


def test_nothing_that_a_caller_is_told_is_raised_in_english_alone() -> None:
    names, plain, found = raised_as_problems(), [], 0
    for folder in (api, billing, meters):
        for path in Path(folder.__file__).parent.rglob("*.py"):
            if path.parent.name == "wechat":  # what its notices are refused by goes into the log
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=args)) if (
                        name in names
                    ):
                        found += 1
                        first = args[1:2] if name == "ProblemError" else args[:1]
                        if any(isinstance(each, ast.JoinedStr | ast.Constant) for each in first):
                            plain.append(f"{path.name}:{node.lineno}")
    assert plain == []
    assert found > 200
