"""Hostile text in every place that takes text: it stays text, and breaks nothing."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from hostile_text import HOSTILE, MARKUP
from sqlalchemy import text

from api.problems import MEDIA_TYPE
from billing.store import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from conftest import Caller, House, Reader

CALLERS = ("li", "approver", "engineer", "auditor", "admin", "gw-1")
"""Between them they may call everything."""
KEPT = ("bill", "bill_line", "usage", "statement", "share", "community", "unit", "account")
"""The tables that no such call may change."""
SHARES = 4
"""Each place is given every so many of the texts, another place others; all of them where
`TALLYGATE_EVERY_TEXT` is set. There are hundreds of places, so each text comes to every kind of
them in any case.
"""
LINK = re.compile(r'(?:href|action)="(/[^"#]*)')

Request = tuple[str, str, dict[str, Any]]
"""A method, an address, and the other arguments of a call."""


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference in the document leads to."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def example(document: dict[str, Any], parameter: dict[str, Any]) -> str:
    schema = resolved(document, parameter["schema"])
    found = [*schema.get("examples", []), "1"]
    return str(found[0])


def body_of(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    """Return the first example of an operation's body, None where it takes none."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    return resolved(document, content["application/json"]["schema"])["examples"][0]


def replaced(value: Any, hostile: str) -> Iterator[Any]:
    """Give `value` once for each text in it, with that one replaced, and with a key too many."""
    if isinstance(value, str):
        yield hostile
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: other} for other in replaced(part, hostile))
        yield {**value, hostile: hostile}
    elif isinstance(value, list):
        for place, part in enumerate(value):
            for other in replaced(part, hostile):
                yield [*value[:place], other, *value[place + 1 :]]


def requests_of(
    document: dict[str, Any], method: str, path: str, operation: dict[str, Any], hostile: str
) -> Iterator[Request]:
    """Give requests of one operation with `hostile` in one place each."""
    parameters = operation.get("parameters", [])
    plain = {
        each["name"]: quote(example(document, each), safe="")
        for each in parameters
        if each["in"] == "path"
    }
    body = body_of(document, operation)
    rest: dict[str, Any] = {} if body is None else {"json": body}
    for each in parameters:
        name = each["name"]
        if each["in"] == "path":
            yield method, path.format(**{**plain, name: quote(hostile, safe="")}), rest
        elif each["in"] == "query":
            yield method, path.format(**plain), {**rest, "params": {name: hostile}}
        else:
            headers = {name: hostile.encode().replace(b"\0", b"").replace(b"\r\n", b"")}
            yield method, path.format(**plain), {**rest, "headers": headers}
    for other in replaced(body, hostile):
        yield method, path.format(**plain), {"json": other}


def operations(
    document: dict[str, Any], caller: Caller
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give the operations that are not refused to `caller`: method, path, what is said of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _, address, rest = next(
                requests_of(document, method.upper(), path, operation, "x"), (0, path, {})
            )
            closes = operation["operationId"] == "closeSession"
            if not closes and caller.call(method.upper(), address, **rest).status_code != 403:
                yield method.upper(), path, operation


def contents(house: House) -> dict[str, list[Any]]:
    with house.database.snapshot() as connection:
        return {
            table: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]  # noqa: S608  of KEPT
            for table in KEPT
        }


def assert_unbroken(house: House) -> None:
    with house.database.snapshot() as connection:
        audit.verify(connection)


@pytest.mark.parametrize("name", CALLERS)
def test_hostile_text_breaks_no_operation(patient: House, name: str) -> None:
    document = patient.call("GET", "/openapi.json").json()
    caller = patient.caller(name)
    before = contents(patient)
    taken = list(operations(document, caller))
    assert taken
    number = 0
    shares = 1 if "TALLYGATE_EVERY_TEXT" in os.environ else SHARES
    for turn, hostile in enumerate(HOSTILE):
        for method, path, operation in taken:
            places = requests_of(document, method, path, operation, hostile)
            for _, address, rest in islice(places, turn % shares, None, shares):
                number += 1
                headers = {"Idempotency-Key": f"hostile-{number:06}", **rest.pop("headers", {})}
                answer = caller.call(method, address, headers=headers, **rest)
                said = (operation["operationId"], address[:99], json.dumps(rest)[:400])
                assert answer.status_code < 500, (*said, answer.text[:400])
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == MEDIA_TYPE, said
    assert contents(patient) == before
    assert_unbroken(patient)


class Forms(HTMLParser):
    """The forms of a page: where each posts to, and what is in its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form" and said.get("method", "").lower() == "post":
            self.found.append((said.get("action", ""), {}))
        elif tag in {"input", "textarea", "select", "button"} and "name" in said and self.found:
            self.found[-1][1].setdefault(said["name"], said.get("value", "1"))


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    parser = Forms()
    parser.feed(page)
    return parser.found


def crawled(reader: Reader, most: int = 120) -> Iterator[tuple[str, httpx.Response]]:
    """Follow the links of the pages from `/` on, one page of each shape at most twice."""
    waiting, seen, shapes = ["/"], {"/"}, Counter[str]()
    while waiting and most:
        path = waiting.pop(0)
        shape = re.sub(r"[^/?&=]*\d[^/?&=]*", "#", path)
        if (shapes[shape] >= 2) or path.startswith("/static"):
            continue
        shapes[shape] += 1
        most -= 1
        answer = reader.get(path)
        yield path, answer
        for link in (answer.headers.get("location", "/"), *LINK.findall(answer.text)):
            if (link := unescape(link)) not in seen:
                seen.add(link)
                waiting.append(link)


def assert_harmless(path: str, answer: httpx.Response) -> None:
    assert answer.status_code < 500, (path, answer.text[:400])
    for markup in MARKUP:
        assert markup not in answer.text, path


def enter_markup(house: House) -> None:
    """Make every call of every caller with one or the other markup in each place."""
    document = house.call("GET", "/openapi.json").json()
    for each in CALLERS:
        caller = house.caller(each)
        for method, path, operation in operations(document, caller):
            for turn, markup in enumerate(MARKUP):
                places = requests_of(document, method, path, operation, markup)
                for _, address, rest in islice(places, turn, None, len(MARKUP)):
                    key = {"Idempotency-Key": f"markup-{next(house.changes):08}"}
                    caller.call(method, address, headers={**key, **rest.pop("headers", {})}, **rest)


def asked_again(path: str) -> Iterator[str]:
    """Give the address of a page with markup in each part of its query."""
    address = urlsplit(path)
    for part in filter(None, address.query.split("&")):
        yield f"{address.path}?{part.partition('=')[0]}={quote(MARKUP[1])}"


def filled(page: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give what the forms of a page would send with markup in each field: address and fields."""
    for action, fields in forms(page):
        if "logout" not in action:
            for field in fields.keys() - {"csrf"}:
                yield action, {**fields, field: MARKUP[0]}


def test_markup_stays_text_on_every_page(patient: House) -> None:
    """What was entered through the API and the pages' own forms is shown with its signs escaped."""
    readers = [patient.reader(each) for each in CALLERS if each != "gw-1"]
    enter_markup(patient)
    for reader in readers:
        pages = dict(crawled(reader))
        assert len(pages) > 2
        for path, answer in pages.items():
            assert_harmless(path, answer)
            for asked in asked_again(path):
                assert_harmless(asked, reader.get(asked))
            for action, sent in filled(answer.text):
                assert_harmless(f"{action} {sent}", reader.post(action or path, **sent))
        for path, answer in crawled(reader):
            assert_harmless(path, answer)
    assert_unbroken(patient)
