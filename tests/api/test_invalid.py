"""What is wrong with a value is said in the reader's language, with the field named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import core_schema

from api.invalid import SAID, told
from api.language import languages

if TYPE_CHECKING:
    from conftest import House

CHINESE, ENGLISH = languages()["zh-CN"], languages()["en"]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=2, max_length=5, pattern=r"^[a-z]*$")] = "ab"
    count: Annotated[int, Field(ge=1, lt=10)] = 1
    share: Annotated[Decimal, Field(gt=0, le=1)] = Decimal(1)
    yes: bool = True
    day: date | None = None
    at: AwareDatetime | None = None
    colour: Colour = Colour.RED
    word: Literal["held", "signed-off"] = "held"
    items: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    even: int = 2

    @field_validator("even")
    @classmethod
    def _even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("it is odd")
        return number


class Needs(BaseModel):
    code: str


def said(kind: type[BaseModel], value: dict[str, Any], language: Any) -> str:
    with pytest.raises(ValidationError) as found:
        kind.model_validate(value)
    (error,) = found.value.errors()
    return told(error, language)


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        ({"name": 3}, "name is no text", "name 不是文本"),
        (
            {"name": "toolong"},
            "name is too long; it may have 5 letters",
            "name 太长，最多 5 个字",
        ),
        ({"name": "a"}, "name is too short; it needs 2 letters", "name 太短，至少 2 个字"),
        (
            {"name": "AB"},
            "name is not written as it has to be: ^[a-z]*$",
            "name 的写法不对，应为：^[a-z]*$",
        ),
        ({"count": "x"}, "count is no whole number", "count 不是整数"),
        ({"count": 0}, "count has to be at least 1", "count 不能小于 1"),
        ({"count": 10}, "count has to be less than 10", "count 必须小于 10"),
        ({"share": "x"}, "share is no number", "share 不是数字"),
        ({"share": "0"}, "share has to be more than 0", "share 必须大于 0"),
        ({"share": "2"}, "share has to be at most 1", "share 不能大于 1"),
        ({"yes": "?"}, "yes is neither true nor false", "yes 既不是 true 也不是 false"),
        (
            {"day": "2026-13-01"},
            "day is no date; write it as 2026-11-30",
            "day 不是日期，请写成 2026-11-30",
        ),
        (
            {"at": "2026-11-30T08:00:00"},
            "at is no time with its zone; write it as 2026-11-30T08:00:00Z",
            "at 不是带时区的时间，请写成 2026-11-30T08:00:00Z",
        ),
        ({"colour": "x"}, "colour is none of 'red', 'blue'", "colour 不是下列之一：'red', 'blue'"),
        (
            {"word": "x"},
            "word is none of 'held', 'signed-off'",
            "word 不是下列之一：'held', 'signed-off'",
        ),
        ({"items": []}, "items holds too few; it needs 1", "items 的项数太少，至少 1 项"),
        (
            {"items": [1, 2, 3]},
            "items holds too many; it may hold 2",
            "items 的项数太多，最多 2 项",
        ),
        ({"items": 3}, "items is no list", "items 不是列表"),
        ({"items": [1, "x"]}, "items is no whole number", "items 不是整数"),
        (
            {"nmae": 3},
            "nmae is not known here; leave it out or correct its name",
            "此处没有 nmae，请去掉它或改正名称",
        ),
        ({"even": 3}, "Value error, it is odd", "Value error, it is odd"),
    ],
)
def test_usual_kinds_name_the_field(value: dict[str, Any], english: str, chinese: str) -> None:
    assert (said(Sent, value, ENGLISH), said(Sent, value, CHINESE)) == (english, chinese)


def test_what_is_missing_is_named() -> None:
    assert said(Needs, {}, CHINESE) == "缺少 code"


def test_every_kind_is_one_that_pydantic_has() -> None:
    assert set(SAID) <= set(get_args(core_schema.ErrorType))


def test_a_call_is_told_in_its_language_with_a_code(house: House) -> None:
    found = {
        tag: house.call(
            "POST", "/v1/sessions", json={"name": "li"}, headers={"Accept-Language": tag}
        )
        for tag in ("en", "zh-CN")
    }
    errors = {tag: answer.json()["errors"] for tag, answer in found.items()}
    where = {"where": "body.password", "code": "missing"}
    assert errors["en"] == [{**where, "what": "password is missing"}]
    assert errors["zh-CN"] == [{**where, "what": "缺少 password"}]
