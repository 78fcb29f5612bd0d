"""A JSON object of WeChat Pay, read member by member: each is what it has to be, or named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.payments.provider import MalformedNoticeError


class Document:
    """The members of one JSON object. `name` says what and where it is, for messages.

    Whatever is not as documented raises `MalformedNoticeError`.
    """

    def __init__(self, members: dict[str, Any], name: str) -> None:
        self._members = members
        self._name = name

    @classmethod
    def parse(cls, text: bytes, name: str) -> Document:
        """Return the object that `text` is; its fractions are decimals, never floats."""
        try:
            members = json.loads(text.decode(), parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError):
            raise MalformedNoticeError(f"{name} is not JSON") from None
        if not isinstance(members, dict):
            raise MalformedNoticeError(f"{name} is no JSON object")
        return cls(members, name)

    def where(self, member: str) -> str:
        """Return how a message names `member`."""
        return f"{self._name}: {member}"

    def part(self, member: str) -> Document:
        """Return an object inside this one."""
        value = self._members.get(member)
        if not isinstance(value, dict):
            raise MalformedNoticeError(f"{self.where(member)} is no JSON object")
        return Document(value, self.where(member))

    def parts(self, member: str) -> list[Document]:
        """Return the objects of a list inside this one."""
        values = self._members.get(member)
        if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
            raise MalformedNoticeError(f"{self.where(member)} is no list of JSON objects")
        return [Document(each, f"{self.where(member)}[{n}]") for n, each in enumerate(values, 1)]

    def text(self, member: str) -> str:
        """Return a text that is not empty."""
        value = self._members.get(member)
        if not isinstance(value, str) or not value:
            raise MalformedNoticeError(f"{self.where(member)} is no text")
        return value

    def text_or_empty(self, member: str) -> str:
        """Return a text that may be empty or missing."""
        return self.text(member) if self._members.get(member) else ""

    def fen(self, member: str) -> int:
        """Return an amount: a whole number above zero, written as one."""
        value = self._members.get(member)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise MalformedNoticeError(f"{self.where(member)} is no whole number of fen above 0")
        return value

    def time(self, member: str) -> datetime:
        """Return a time of RFC 3339 in UTC."""
        wrong = MalformedNoticeError(f"{self.where(member)} is no time with a zone")
        try:
            moment = datetime.fromisoformat(self.text(member))
            in_utc = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise wrong from None
        if moment.tzinfo is None:
            raise wrong
        return in_utc

    def same(self, member: str, expected: str) -> None:
        """Raise where `member` is not what it is to be."""
        if (actual := self.text(member)) != expected:
            raise MalformedNoticeError(
                f"{self.where(member)} is {actual!r}, and should be {expected!r}"
            )
