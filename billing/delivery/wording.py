"""What a message says: templates that hold no program, with the values that each kind of event has.

A template is Jinja in a sandbox, and of Jinja the smallest part: values, conditions and a few
filters. No loop, call, attribute or sum can stand in it, so rendering takes time by its length
only. What names a value that its event does not have, or cannot be rendered with samples, is
refused when it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from billing.delivery.event import Kind
from meters.definition import Definition
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = {"subject": 200, "text": 10_000, "html": 20_000, "short": 500}
"""Part → how many letters it may have, as it is written and as it is rendered."""

PARTS = tuple(LONGEST)
LANGUAGES = ("zh-CN", "en")

_OF_BILL = {
    "community": "桂花苑",
    "unit": "1-201",
    "account": "A-1-201",
    "bill": "osmanthus-2026-10-0002",
    "month": "2026年10月",
    "amount": "¥456.78",
    "due": "2026年12月13日",
    "link": "https://bills.example.com/bills/osmanthus-2026-10-0002",
    "settings": "https://bills.example.com/settings/notifications",
}

SAMPLES: Mapping[Kind, Mapping[str, str]] = {
    Kind.BILL_ISSUED: _OF_BILL,
    Kind.CORRECTION_ISSUED: _OF_BILL,
    Kind.PAYMENT_POSTED: {
        "community": "桂花苑",
        "unit": "1-201",
        "account": "A-1-201",
        "amount": "¥456.78",
        "paid": "2026年12月4日",
        "credit": "¥0.00",
        "link": "https://bills.example.com/receipts/7",
        "settings": "https://bills.example.com/settings/notifications",
    },
    Kind.RUN_BLOCKED: {
        "communities": "osmanthus",
        "month": "2026年10月",
        "problems": "3",
        "link": "https://bills.example.com/staff/runs/2",
    },
    Kind.METER_OFFLINE: {
        "community": "桂花苑",
        "meter": "E-1-201",
        "point": "E-1-201",
        "since": "2026年12月4日 10:00",
        "link": "https://bills.example.com/engineering/meters/E-1-201",
    },
    Kind.ADDRESS_STATED: {
        "address": "li@example.com",
        "link": "https://bills.example.com/notifications/confirm/code",
    },
}
"""What templates of each kind may name, each with a sample."""

_ALLOWED_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.Filter,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)
_ALLOWED_FILTERS = frozenset({"e", "escape", "lower", "trim", "upper"})


class TemplateRefusedError(ValueError):
    """A template cannot be used; the message says where and why."""


class Texts(Definition):
    """The templates of one kind of event in one language.

    `subject`, `text` and `html` make a mail; `short` is all of an SMS or a message to a group.
    """

    subject: str
    text: str
    html: str
    short: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a template came to; `html` is escaped."""

    subject: str
    text: str
    html: str
    short: str


def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.clear()
    return made


_PLAIN, _HTML = _environment(html=False), _environment(html=True)


def check(kind: Kind, texts: Texts) -> None:
    """Raise `TemplateRefusedError` unless `texts` can be used for events of `kind`."""
    known = SAMPLES[kind]
    for part in PARTS:
        source: str = getattr(texts, part)
        if not source.strip() or len(source) > LONGEST[part]:
            raise TemplateRefusedError(
                told("{part}: must have 1 to {longest} letters", part=part, longest=LONGEST[part])
            )
        try:
            tree = _PLAIN.parse(source)
        except TemplateError as error:
            raise TemplateRefusedError(
                told("{part}: {why}", part=part, why=error.message)
            ) from error
        for node in _all(tree):
            _assert_known(part, node, known)
    render(kind, texts, known)


def _assert_known(part: str, node: nodes.Node, known: Mapping[str, str]) -> None:
    """Raise `TemplateRefusedError` for what no template may hold, or its event does not have."""
    line = node.lineno or 1
    if not isinstance(node, _ALLOWED_NODES):
        raise TemplateRefusedError(
            told(
                "{part}, line {line}: '{what}' cannot be used; there are values, conditions and "
                "the filters {filters}",
                part=part,
                line=line,
                what=type(node).__name__.lower(),
                filters=", ".join(sorted(_ALLOWED_FILTERS)),
            )
        )
    if isinstance(node, nodes.Filter) and (
        node.name not in _ALLOWED_FILTERS or node.args or node.kwargs
    ):
        raise TemplateRefusedError(
            told(
                "{part}, line {line}: there is no filter '{name}'",
                part=part,
                line=line,
                name=node.name,
            )
        )
    if isinstance(node, nodes.Name) and node.name not in known:
        raise TemplateRefusedError(
            told(
                "{part}, line {line}: nothing is called '{name}'; known are {known}",
                part=part,
                line=line,
                name=node.name,
                known=", ".join(sorted(known)),
            )
        )


def render(kind: Kind, texts: Texts, values: Mapping[str, str]) -> Message:
    """Return what `texts` come to; raise `TemplateRefusedError` where that fails or is too long.

    `values` are those of `SAMPLES[kind]`, by the same names.
    """
    made, known = {}, {name: values[name] for name in SAMPLES[kind]}
    for part, source in parts_of(texts).items():
        environment = _HTML if part == "html" else _PLAIN
        try:
            text = environment.from_string(source).render(known)
        except TemplateError as error:
            raise TemplateRefusedError(
                told("{part}: {why}", part=part, why=error.message)
            ) from error
        if len(text) > 2 * LONGEST[part]:
            raise TemplateRefusedError(
                told(
                    "{part}: comes to {letters} letters, which is too long",
                    part=part,
                    letters=len(text),
                )
            )
        made[part] = " ".join(text.split()) if part in {"subject", "short"} else text
    return Message(**made)


def parts_of(texts: Texts) -> dict[str, str]:
    """Return the parts of `texts` by their names."""
    return {part: getattr(texts, part) for part in PARTS}


def _all(tree: nodes.Node) -> list[nodes.Node]:
    found, pending = [], [tree]
    while pending:
        node = pending.pop()
        found.append(node)
        pending.extend(node.iter_child_nodes())
    return found
