"""Who may open what: every page × every role × own and foreign, against one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import House

OWN, FOREIGN = "osmanthus-2026-10-0002", "osmanthus-2026-10-0001"
LIFT = 2_000_001

# Page → the status for each of PAGE_READERS in order; 303 leads to the login.
PAGE_READERS = (
    "nobody",
    "li",
    "tenant",
    "committee",
    "clerk",
    "approver",
    "engineer",
    "auditor",
    "admin",
)
PAGES: dict[str, tuple[int, ...]] = {
    "/": (303, 200, 200, 303, 303, 303, 303, 303, 303),
    f"/bills/{OWN}": (303, 200, 200, 403, 200, 200, 403, 200, 403),
    f"/bills/{FOREIGN}": (303, 404, 404, 403, 200, 200, 403, 200, 403),
    f"/bills/{OWN}/pdf": (303, 200, 200, 403, 200, 200, 403, 200, 403),
    f"/bills/{FOREIGN}/pdf": (303, 404, 404, 403, 200, 200, 403, 200, 403),
    f"/bills/{OWN}/lines/1": (303, 200, 200, 403, 200, 200, 403, 200, 403),
    f"/bills/{FOREIGN}/lines/1": (303, 404, 404, 403, 200, 200, 403, 200, 403),
    f"/statements/{LIFT}": (303, 200, 200, 200, 200, 200, 403, 200, 403),
    f"/statements/{LIFT}/pdf": (303, 200, 200, 200, 200, 200, 403, 200, 403),
    "/account": (303, 200, 200, 403, 422, 422, 403, 422, 403),
    "/account?code=100000000287": (303, 200, 200, 403, 200, 200, 403, 200, 403),
    "/account?code=100000000190": (303, 404, 404, 403, 200, 200, 403, 200, 403),
    "/account/pdf?code=100000000287&from=2026-09-01&to=2026-12-31": (
        *(303, 200, 200, 403, 200, 200, 403, 200, 403),
    ),
    "/orders/P1": (303, 404, 404, 403, 404, 404, 403, 404, 403),
    "/receipts/99": (303, 404, 404, 403, 404, 404, 403, 404, 403),
    "/receipts/99/pdf": (303, 404, 404, 403, 404, 404, 403, 404, 403),
    "/disputes": (303, 200, 200, 403, 303, 303, 403, 303, 403),
    "/staff/disputes": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/staff/disputes/99": (303, 403, 403, 403, 404, 404, 403, 404, 403),
    "/publication": (303, 200, 200, 200, 200, 200, 403, 200, 403),
    "/export": (303, 200, 200, 403, 403, 403, 403, 403, 403),
    "/meters": (303, 200, 200, 403, 200, 200, 403, 200, 403),
    "/meters/usage": (303, 200, 200, 403, 422, 422, 403, 422, 403),
    "/meters/usage?code=100000000287": (303, 200, 200, 403, 200, 200, 403, 200, 403),
    "/meters/usage?code=100000000190": (303, 404, 404, 403, 200, 200, 403, 200, 403),
    "/meters/usage/days?code=100000000287": (303, 200, 200, 403, 200, 200, 403, 200, 403),
    "/meters/usage/days?code=100000000190": (303, 404, 404, 403, 200, 200, 403, 200, 403),
    "/offline": (200, 200, 200, 200, 200, 200, 200, 200, 200),
    "/service-worker.js": (200, 200, 200, 200, 200, 200, 200, 200, 200),
    "/statements": (303, 200, 200, 200, 200, 200, 403, 200, 403),
    "/audit": (303, 403, 403, 403, 403, 403, 403, 200, 403),
    "/settings/notifications": (303, 200, 200, 403, 403, 403, 403, 403, 403),
    "/notifications/confirm/a-code-of-nobody": (200, 200, 200, 200, 200, 200, 200, 200, 200),
    "/webhooks": (303, 403, 403, 403, 403, 403, 403, 403, 200),
    "/webhooks/99": (303, 403, 403, 403, 403, 403, 403, 403, 404),
    "/messages": (303, 403, 403, 403, 403, 200, 403, 403, 200),
    "/messages/bill.issued/en": (303, 403, 403, 403, 403, 200, 403, 403, 200),
    "/access": (303, 403, 403, 403, 403, 403, 403, 403, 200),
    "/staff/runs": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/staff/runs/2": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/staff/corrections": (303, 403, 403, 403, 200, 200, 403, 403, 403),
    "/staff/reviews": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/staff/accounts": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/staff/accounts/1": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/staff/accounts/99": (303, 403, 403, 403, 404, 404, 403, 404, 403),
    "/staff/tariffs": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/staff/tariffs/fee": (303, 403, 403, 403, 404, 404, 403, 404, 403),
    "/staff/tariffs/drafts/1": (303, 403, 403, 403, 404, 404, 403, 404, 403),
    "/staff/desk": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    f"/staff/statements/{LIFT}": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    f"/staff/statements/{LIFT}/pdf": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    f"/staff/statements/{LIFT}/xlsx": (303, 403, 403, 403, 200, 200, 403, 200, 403),
    "/engineering/meters": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/engineering/meters/E-1-201": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/engineering/quarantine": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/engineering/meters/E-1-201/exchange": (303, 403, 403, 403, 403, 403, 200, 403, 403),
    "/engineering/gateways": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/engineering/gateways/nobody": (303, 403, 403, 403, 403, 403, 404, 404, 403),
    "/engineering/unknown": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/engineering/questions": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/engineering/types": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/engineering/types/eastron-sdm120": (303, 403, 403, 403, 403, 403, 200, 200, 403),
    "/settings/second-factor": (303, 200, 200, 200, 200, 200, 200, 200, 200),
    "/login/code": (303, 303, 303, 303, 303, 303, 303, 303, 303),
    "/verify": (200, 200, 200, 200, 200, 200, 200, 200, 200),
    f"/verify/{OWN}/ABCD": (200, 200, 200, 200, 200, 200, 200, 200, 200),
    "/login": (200, 303, 303, 303, 303, 303, 303, 303, 303),
    "/problems/four-eyes": (200, 200, 200, 200, 200, 200, 200, 200, 200),
}


def test_every_page_answers_every_reader_as_the_table_says(billed: House) -> None:
    found = {path: [] for path in PAGES}
    for name in PAGE_READERS:
        reader = None if name == "nobody" else billed.reader(name)
        for path, statuses in found.items():
            if reader is None:
                answer = billed.call("GET", path, headers={"Accept": "text/html"})
            else:
                answer = reader.get(path)
            statuses.append(answer.status_code)
    assert {path: tuple(statuses) for path, statuses in found.items()} == PAGES


ASKED = f"/verify/{OWN}/ABCD"
"""Says the number and code that it was asked by, and nothing else where they do not fit."""
OF_THE_HOUSE = (OWN, FOREIGN, "A-1-201", "E-1-201", str(LIFT), "100000000287")
"""What pages of the house name, and no page of another project."""


def test_no_page_shows_anything_of_another_project(strangers: House) -> None:
    shown, leaked = [], []
    for role in ("clerk", "auditor", "engineer"):
        reader = strangers.reader(f"{role} elsewhere")
        for path in PAGES:
            if path == ASKED:
                continue
            answer = reader.get(path)
            if answer.status_code == 200:
                shown.append(path)
                leaked += [(role, path, each) for each in OF_THE_HOUSE if each in answer.text]
            assert answer.status_code < 500, path
    assert leaked == []
    assert not [path for path in shown if any(each in path for each in OF_THE_HOUSE)]
    assert {"/staff/runs", "/audit", "/engineering/meters"} <= set(shown)
