"""What messages say is changed on pages: previewed, refused where it is wrong, kept, reset."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.permission import Role
from api.store import logins
from billing.delivery.event import Kind
from billing.store import audit, delivery_texts, projects

if TYPE_CHECKING:
    import httpx
    from conftest import House, Reader

BILL = "osmanthus-2026-10-0002"
PAGE = "/messages/bill.issued/en"
OWN = {
    "subject": "{{ community }}: {{ amount }}",
    "text": "Dear owner of {{ unit }}, {{ bill }} says {{ amount }}.\n{{ link }}",
    "html": "<p>{{ unit }} owes <b>{{ amount }}</b></p>",
    "short": "{{ unit }}: {{ amount }}",
}


def sent(reader: Reader, to: str = "", seen: int = 0, **changes: Any) -> httpx.Response:
    fields = {**OWN, "seen": str(seen), **changes}
    return reader.post(f"{PAGE}{to}", csrf=reader.csrf(PAGE), **fields)


def kept(house: House) -> list[tuple[int, str | None, str]]:
    with house.database.snapshot() as connection:
        found = delivery_texts.versions(connection, 1, Kind.BILL_ISSUED, "en")
    return [(each.number, each.texts and each.texts.subject, each.changed_by) for each in found]


def letter(answer: httpx.Response) -> str:
    """Return the document inside the frame of the preview."""
    found = re.search(r'<iframe [^>]*sandbox[^>]*srcdoc="([^"]*)"', answer.text)
    assert found is not None
    return html.unescape(found[1])


def test_a_preview_has_the_values_of_a_bill_and_keeps_nothing(billed: House) -> None:
    approver = billed.reader("approver")
    answer = sent(approver, "/preview", about=BILL)
    assert answer.status_code == 200
    assert "Osmanthus Court: CN¥500.98" in answer.text
    assert letter(answer) == "<p>1-201 owes <b>CN¥500.98</b></p>"
    assert "With the values of a message that was told." in answer.text
    other = sent(approver, "/preview", about="osmanthus-2026-10-0001")
    assert "500.98" not in other.text
    unknown = sent(approver, "/preview", about="nonsense")
    assert "With samples: there is no such message yet." in unknown.text
    assert kept(billed) == []


def test_who_sees_no_bill_previews_with_samples(billed: House) -> None:
    answer = sent(billed.reader("admin"), "/preview", about=BILL)
    assert "With samples: your role sees no bill." in answer.text
    assert "500.98" not in answer.text
    assert letter(answer) == "<p>1-201 owes <b>¥456.78</b></p>"


@pytest.mark.parametrize(
    ("part", "source", "said"),
    [
        ("text", "one\n{{ owner }}", "text, line 2: nothing is called 'owner'"),
        ("html", "{% for x in link %}{% endfor %}", "html, line 1: 'for' cannot be used"),
        ("subject", "{{ amount", "subject: unexpected end of template"),
        ("short", " ", "short: must have 1 to 500 letters"),
        ("html", "{{ ''.__class__ }}", "html, line 1: 'getattr' cannot be used"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_not_kept(
    billed: House, part: str, source: str, said: str
) -> None:
    approver = billed.reader("approver")
    for to in ("/preview", ""):
        answer = sent(approver, to, **{part: source})
        assert answer.status_code == 422
        assert said in html.unescape(answer.text)
        assert html.escape(OWN["short"] if part != "short" else OWN["subject"]) in answer.text
    assert kept(billed) == []


def test_versions_are_kept_told_to_the_audit_log_and_reset(billed: House) -> None:
    admin = billed.reader("admin")
    assert sent(admin).status_code == 303
    assert sent(admin, seen=1, subject="Second {{ amount }}").status_code == 303
    assert "version 2, by admin" in admin.get("/messages").text
    late = sent(billed.reader("approver"), seen=1, subject="Late")
    assert late.status_code == 412
    assert "Late" in late.text, "what was typed is not lost"

    assert sent(admin, "/reset", seen=2).status_code == 303
    assert kept(billed) == [
        (3, None, "admin"),
        (2, "Second {{ amount }}", "admin"),
        (1, OWN["subject"], "admin"),
    ]
    with billed.database.snapshot() as connection:
        assert delivery_texts.find(connection, 1, Kind.BILL_ISSUED, "en") is None
        wanted = audit.Wanted(subject="bill.issued en")
        log = [(each.action, each.actor) for each in audit.entries(connection, wanted, limit=9)]
    assert log == [("texts.drop", "admin"), ("texts.put", "admin"), ("texts.put", "admin")]
    again = admin.get(PAGE)
    assert "The bill of {{ community }}" in html.unescape(again.text)
    assert "Go back to" not in again.text


def test_the_link_that_confirms_an_address_is_shown_to_nobody(billed: House) -> None:
    with billed.database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO event (key, kind, subject, community_id, at, data) VALUES ('k', "
                "'address.stated', 'li', 1, '2026-11-15 08:00:00', "
                """'{"address": "li@example.com", "code": "secret-code"}')"""
            )
        )
    page = billed.reader("approver").get("/messages/address.stated/en").text
    assert "secret-code" not in page


def test_each_project_has_its_own_texts(strangers: House) -> None:
    assert sent(strangers.reader("admin elsewhere")).status_code == 303
    assert kept(strangers) == []
    assert "version 1" not in strangers.reader("admin").get("/messages").text


def test_who_belongs_to_no_project_says_whose_texts_they_change(strangers: House) -> None:
    with strangers.database.transaction() as connection:
        known = logins.find_login(connection, "li")
        assert known is not None
        for name, role in (("head", Role.ADMIN), ("chief", Role.APPROVER)):
            logins.add_login(
                connection,
                name=name,
                password_hash=known.password_hash,
                role=role,
                now=strangers.now,
                project=None,
            )
        first, other = projects.listed(connection)
    head = strangers.reader("head")
    assert head.get(PAGE).status_code == 404, "nothing says whose"
    for code, subject in ((first.code, "First"), (other.code, "Other")):
        address = f"{PAGE}?project={code}"
        fields = {**OWN, "seen": "0", "subject": subject}
        made = head.post(address, csrf=head.csrf(address), **fields)
        assert (made.status_code, made.headers["location"]) == (303, address)
    assert 'value="Other"' in head.get(f"{PAGE}?project={other.code}").text
    assert 'value="First"' in head.get(f"{PAGE}?project={first.code}").text
    listed = head.get(f"/messages?project={other.code}").text
    assert listed.count("version 1, by head") == 1
    assert f'href="{PAGE}?project={other.code}"' in listed
    assert head.get("/messages?project=nowhere").status_code == 404

    chief = strangers.reader("chief")
    told = "With the values of a message that was told."
    assert told in chief.get(f"{PAGE}?project={first.code}").text
    preview = chief.get(f"{PAGE}?project={other.code}").text
    assert "With samples: there is no such message yet." in preview


def test_other_languages_and_kinds_are_not_there(billed: House) -> None:
    admin = billed.reader("admin")
    assert admin.get("/messages/bill.issued/fr").status_code == 404
    assert admin.get("/messages/bill.lost/en").status_code == 422
    chinese = billed.reader("admin", "zh-CN").get("/messages/bill.issued/zh-CN").text
    assert "保存为新版本" in chinese
