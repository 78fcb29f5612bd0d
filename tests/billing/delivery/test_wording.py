"""Templates say what happened, hold no program, and are refused before they fail."""

from __future__ import annotations

import pytest

from billing.delivery.event import Kind
from billing.delivery.shipped import shipped
from billing.delivery.wording import (
    LANGUAGES,
    SAMPLES,
    TemplateRefusedError,
    Texts,
    check,
    render,
)

GOOD = {
    "subject": "{{ bill }}",
    "text": "{{ amount }}",
    "html": "<p>{{ amount }}</p>",
    "short": "x",
}


def texts(**parts: str) -> Texts:
    return Texts(**GOOD | parts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_what_is_shipped_can_be_used_and_leads_to_a_page(kind: Kind, language: str) -> None:
    found = shipped(kind, language)
    check(kind, found)
    message = render(kind, found, SAMPLES[kind])

    link = SAMPLES[kind]["link"]
    assert all(link in part for part in (message.text, message.html, message.short))
    assert "{" not in message.subject + message.text + message.html + message.short


def test_an_issued_bill_reads_so() -> None:
    values = SAMPLES[Kind.BILL_ISSUED]
    zh = render(Kind.BILL_ISSUED, shipped(Kind.BILL_ISSUED, "zh-CN"), values)
    en = render(Kind.BILL_ISSUED, shipped(Kind.BILL_ISSUED, "en"), values)

    assert zh.subject == "桂花苑 1-201 2026年10月账单：¥456.78"
    assert en.short == (
        "桂花苑 1-201, 2026年10月: ¥456.78, to be paid by 2026年12月13日. "
        "https://bills.example.com/bills/osmanthus-2026-10-0002"
    )


@pytest.mark.parametrize(
    ("part", "source", "why"),
    [
        ("text", "{{ holder }}", "nothing is called 'holder'"),
        ("text", "{{ amount", "unexpected end of template"),
        ("text", "{% for a in bill %}{{ a }}{% endfor %}", "'for' cannot be used"),
        ("text", "{{ bill.__class__ }}", "'getattr' cannot be used"),
        ("text", "{{ bill['x'] }}", "'getitem' cannot be used"),
        ("text", "{{ bill * 1000000000 }}", "'mul' cannot be used"),
        ("text", "{{ range(9) }}", "'call' cannot be used"),
        ("text", "{% include 'x' %}", "'include' cannot be used"),
        ("text", "{% set amount = 1 %}", "'assign' cannot be used"),
        ("text", "{% macro m() %}{% endmacro %}", "'macro' cannot be used"),
        ("text", "{{ bill|safe }}", "no filter 'safe'"),
        ("text", "{{ bill|center(9999) }}", "no filter 'center'"),
        ("html", "{% autoescape false %}{{ bill }}{% endautoescape %}", "cannot be used"),
        ("subject", "x" * 201, "1 to 200 letters"),
        ("short", " ", "1 to 500 letters"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(part: str, source: str, why: str) -> None:
    with pytest.raises(TemplateRefusedError, match=why) as refused:
        check(Kind.BILL_ISSUED, texts(**{part: source}))
    assert str(refused.value).startswith(part)


def test_conditions_and_filters_can_be_used() -> None:
    check(
        Kind.BILL_ISSUED,
        texts(text="{% if unit == '1-201' and not due %}{{ unit|upper }}{% endif %}"),
    )


def test_html_is_escaped_and_a_subject_is_one_line() -> None:
    values = {**SAMPLES[Kind.BILL_ISSUED], "amount": "<script>", "bill": "a\r\nBcc: b@c.example"}
    message = render(Kind.BILL_ISSUED, texts(), values)

    assert message.html == "<p>&lt;script&gt;</p>"
    assert message.text == "<script>"
    assert message.subject == "a Bcc: b@c.example"


def test_a_message_that_comes_out_too_long_is_refused() -> None:
    values = {**SAMPLES[Kind.BILL_ISSUED], "amount": "9" * 30_000}
    with pytest.raises(TemplateRefusedError, match="text: comes to 30000 letters"):
        render(Kind.BILL_ISSUED, texts(), values)
