"""What auditors read: who did what, in pages, narrowed by what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages import audit as audit_page

if TYPE_CHECKING:
    import pytest
    from conftest import House


def test_the_log_comes_in_pages_without_gap(billed: House) -> None:
    auditor = billed.caller("auditor")
    positions, cursor = [], ""
    while True:
        page = auditor.get(f"/v1/audit?limit=3{cursor}").json()
        positions += [each["position"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(positions) > 6
    assert positions == list(range(len(positions), 0, -1))


def test_the_log_is_narrowed_by_what_is_asked(billed: House) -> None:
    auditor = billed.caller("auditor")
    found = auditor.get("/v1/audit?action=run.approve").json()["items"]
    assert len(found) == 2
    one = found[0]
    by = f"actor={one['actor']}&subject={one['subject']}&action=run.approve"
    assert auditor.get(f"/v1/audit?{by}").json()["items"] == [one]
    assert auditor.get(f"/v1/audit?{by}&until={one['at']}").json()["items"] == []
    assert auditor.get("/v1/audit?actor=nobody").json()["items"] == []
    assert auditor.get("/v1/audit?since=yesterday").status_code == 422


def test_the_page_narrows_and_leads_on(billed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_page, "SHOWN", 1)
    auditor = billed.reader("auditor")
    first = auditor.get("/audit?action=run.approve").text
    assert first.count('<code class="raw">run.approve</code>') == 1
    address = first.split('<p class="note"><a href="?')[1].split('"')[0].replace("&amp;", "&")
    second = auditor.get(f"/audit?{address}").text
    assert second.count('<code class="raw">run.approve</code>') == 1
    assert "No entry" in auditor.get("/audit?actor=nobody").text
