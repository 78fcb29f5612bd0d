"""Gateways for short messages: one small TOML file says what such a service is sent.

`body` is JSON (or a form) whose texts may hold `{text}`, `{to}`, `{id}` and `{secret}`; they are
put in after the JSON was read, so that nothing in them can break out of it. `answer` says by which
value of its answer the service has taken a message. Each file holds proofs, and does not load where
one fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import Field

from billing.delivery.schedule import Result, Said
from meters.definition import Definition, DefinitionError, Problem, read_document, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "gateways"
NAMES = ("text", "to", "id", "secret")
BUSY = (408, 429, *range(500, 600))
"""Answers that say nothing of the message itself."""


class AnswerShape(Definition):
    """The message is taken where `field` of the answer's JSON is `taken`; by the status without."""

    field: str | None = None
    """Keys, by dots: `data.code`."""
    taken: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    """Values after which the same message may be taken later: too many at once."""
    says: str | None = None
    """The field that says in words what is wrong."""


class Proof(Definition):
    """A message with what is sent, or an answer with what it comes to."""

    text: str = "正文"
    to: str = "13800001234"
    id: str = "msg_1"
    secret: str = "s"  # noqa: S105  a sample, no secret
    expect_body: str | None = None
    status: int = 200
    answer: str | None = None
    expect: Said | None = None


class GatewayDocument(Definition):
    """The file."""

    kind: Literal["message-gateway"]
    id: str = Field(pattern=r"^[a-z0-9-]{1,60}$")
    title: dict[str, str]
    channel: Literal["sms", "wecom"]
    method: Literal["POST", "PUT"] = "POST"
    encoding: Literal["json", "form"] = "json"
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any]
    answer: AnswerShape = AnswerShape()
    drops_repeats: bool = False
    """Whether the service drops a second message of the same `{id}`."""
    longest: int = Field(default=500, ge=20, le=5000)
    """Letters that one message may have."""
    proof: tuple[Proof, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A service for short messages, proven."""

    document: GatewayDocument

    def body(self, values: Mapping[str, str]) -> bytes:
        """Return what is sent, as bytes of UTF-8."""
        filled = _filled(self.document.body, values)
        if self.document.encoding == "form":
            return urlencode({name: str(value) for name, value in filled.items()}).encode()
        return json.dumps(filled, ensure_ascii=False, separators=(",", ":")).encode()

    def headers(self, values: Mapping[str, str]) -> dict[str, str]:
        form = self.document.encoding == "form"
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        said = {name: _put_in(text, values) for name, text in self.document.headers.items()}
        return {"Content-Type": f"{kind}; charset=utf-8", **said}

    def url(self, template: str, values: Mapping[str, str]) -> str:
        """Return where it is sent: the secret may be part of the address."""
        return template.replace("{secret}", quote(values["secret"], safe=""))

    def said(self, status: int, content: bytes) -> Result:
        """Return what an answer comes to."""
        shape = self.document.answer
        if not 200 <= status < 300:
            busy = status in BUSY
            return Result(Said.FAILED if busy else Said.REFUSED, status, _words(content))
        if shape.field is None:
            return Result(Said.SENT, status)
        try:
            document = json.loads(content, parse_float=Decimal)
        except ValueError:
            return Result(Said.UNSURE, status, f"the answer is no JSON: {_words(content)}")
        value = _at(document, shape.field)
        if value in shape.taken:
            return Result(Said.SENT, status)
        why = f"{shape.field} is {value}: {_at(document, shape.says) if shape.says else ''}"
        return Result(Said.FAILED if value in shape.again else Said.REFUSED, status, why)


def load_gateway(path: Path) -> Gateway:
    """Return the gateway in the file `path`; raise `DefinitionError` where a proof fails."""
    source = str(path)
    gateway = Gateway(validate(GatewayDocument, read_document(path), source))
    problems = []
    for number, proof in enumerate(gateway.document.proof, 1):
        values = {name: getattr(proof, name) for name in NAMES}
        found = gateway.body(values).decode()
        where = f"proof[{number}]"
        if proof.expect_body is not None and found != proof.expect_body:
            what = "another body is sent"
            problems.append(Problem(source, where, what, proof.expect_body, found))
        if proof.expect is not None:
            said = gateway.said(proof.status, (proof.answer or "").encode()).said
            if said is not proof.expect:
                what = "the answer comes to something else"
                problems.append(Problem(source, where, what, proof.expect.value, said.value))
    if problems:
        raise DefinitionError(problems)
    return gateway


@cache
def shipped_gateways() -> Mapping[str, Gateway]:
    """Return the gateways that Tallygate brings, by id."""
    found = [load_gateway(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {each.document.id: each for each in found}


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _put_in(value, values)
        case dict():
            return {name: _filled(each, values) for name, each in value.items()}
        case list():
            return [_filled(each, values) for each in value]
        case Decimal():
            return str(value)
    return value


def _put_in(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each `{name}` replaced, once: what is put in is not looked at again."""
    found, rest = "", text
    while rest:
        before, brace, rest = rest.partition("{")
        found += before
        name, end, after = rest.partition("}")
        if brace and end and name in values:
            found, rest = found + values[name], after
        else:
            found += brace
    return found


def _at(document: Any, field: str) -> str:
    for key in field.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return "missing" if document is None else str(document)


def _words(content: bytes) -> str:
    return content.decode("utf-8", "replace")[:200]
