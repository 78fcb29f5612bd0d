"""Staff at the desk: accounts are found, money is entered, approved, undone and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.store import payments_book, payments_due, payments_refunds

if TYPE_CHECKING:
    from conftest import House, Reader

    from billing.store.payments_book import Payment

LI, CODE = 2, "100000000287"
PAGE = f"/staff/accounts/{LI}"


def enter(reader: Reader, amount: str, document: str = "slip 1", **more: str) -> int:
    said = {"channel": "cash", "amount": amount, "document": document, **more}
    return reader.post(f"{PAGE}/payments", csrf=reader.csrf(PAGE), **said).status_code


def made(house: House) -> list[Payment]:
    with house.database.snapshot() as connection:
        return payments_book.of_account(connection, LI)


def test_accounts_are_found_by_unit_name_account_and_payment_code(billed: House) -> None:
    reader = billed.reader("clerk")
    link = f'href="{PAGE}"'
    for text in ("1-201", "A-1-201", CODE, "1000 0000 0287"):
        found = reader.get(f"/staff/accounts?q={text}").text
        assert link in found, text
        assert found.count('href="/staff/accounts/') == 1, text
    with billed.database.snapshot() as connection:
        holder = payments_due.payer(connection, LI).holder
    assert link in reader.get(f"/staff/accounts?q={holder[-1]}").text
    assert "No account is like that" in reader.get("/staff/accounts?q=nobody%25").text
    assert reader.get("/staff/accounts").text.count('href="/staff/accounts/') >= 4


def test_money_is_entered_once_for_a_slip_and_pays_what_is_due(billed: House) -> None:
    reader = billed.reader("clerk")
    assert enter(reader, "500.00") == 303
    assert enter(reader, "500.00") == 303
    (paid,) = made(billed)
    assert (paid.amount, paid.state, paid.entered_by) == (50000, "posted", "clerk")
    text = reader.get(PAGE).text
    assert "¥500.00" in text
    assert f'href="/receipts/{paid.id}"' in text


def test_what_is_no_amount_is_said_and_nothing_is_entered(billed: House) -> None:
    reader = billed.reader("clerk")
    for amount in ("", "much", "1.005", "0", "-5", "NaN"):
        assert enter(reader, amount) == 409, amount
    assert enter(reader, "5", document=" ") == 409
    assert enter(reader, "5", channel="wechat") == 409
    assert made(billed) == []


def test_a_large_payment_waits_at_the_desk_for_somebody_else(billed: House) -> None:
    clerk, approver = billed.reader("clerk"), billed.reader("approver")
    assert enter(clerk, "6000") == 303
    (waits,) = made(billed)
    assert waits.state == "entered"
    address = f"/staff/desk/payments/{waits.id}/approve"
    assert address not in clerk.get("/staff/desk").text
    assert clerk.post(address, csrf=clerk.csrf("/staff/desk")).status_code == 403
    assert address in approver.get("/staff/desk").text
    assert approver.post(address, csrf=approver.csrf("/staff/desk")).status_code == 303
    assert made(billed)[0].state == "posted"
    assert "No payment waits." in approver.get("/staff/desk").text


def test_who_has_entered_a_large_payment_does_not_approve_it(billed: House) -> None:
    approver = billed.reader("approver")
    assert enter(approver, "6000") == 303
    (waits,) = made(billed)
    csrf = approver.csrf("/staff/desk")
    answer = approver.post(f"/staff/desk/payments/{waits.id}/approve", csrf=csrf)
    assert answer.status_code == 409
    assert made(billed)[0].state == "entered"
    second = billed.reader("second-approver")
    csrf = second.csrf("/staff/desk")
    assert second.post(f"/staff/desk/payments/{waits.id}/reject", csrf=csrf).status_code == 303
    assert made(billed)[0].state == "rejected"


def test_a_payment_is_undone_by_somebody_else_with_a_reason(billed: House) -> None:
    clerk, approver = billed.reader("clerk"), billed.reader("approver")
    enter(clerk, "100")
    (paid,) = made(billed)
    undo = {"kind": "mistaken", "reason": "Of another flat"}
    address = f"{PAGE}/payments/{paid.id}/reverse"
    assert clerk.post(address, csrf=clerk.csrf(PAGE), **undo).status_code == 409
    elsewhere = address.replace(PAGE, "/staff/accounts/1")
    assert approver.post(elsewhere, csrf=approver.csrf(PAGE), **undo).status_code == 404
    assert approver.post(address, csrf=approver.csrf(PAGE), **undo).status_code == 303
    assert made(billed)[0].state == "reversed"
    assert "undone by approver" in clerk.get(PAGE).text


def test_a_refund_is_asked_for_approved_by_another_and_paid_out(billed: House) -> None:
    clerk, approver = billed.reader("clerk"), billed.reader("approver")
    enter(clerk, "4900")  # more than is due: the rest is credit
    (paid,) = made(billed)
    said = {"amount": "100", "reason": "Paid too much"}
    address = f"{PAGE}/payments/{paid.id}/refunds"
    assert clerk.post(address, csrf=clerk.csrf(PAGE), **said).status_code == 303
    with billed.database.snapshot() as connection:
        (asked,) = payments_refunds.under_way(connection)
    decide = f"/staff/desk/refunds/{asked.number}"
    assert f"{decide}/approve" not in clerk.get("/staff/desk").text
    csrf = approver.csrf("/staff/desk")
    assert approver.post(f"{decide}/approve", csrf=csrf).status_code == 303
    assert clerk.post(f"{decide}/execute", csrf=clerk.csrf("/staff/desk")).status_code == 303
    with billed.database.snapshot() as connection:
        assert payments_refunds.read(connection, asked.number).state == "executed"
    assert "No refund waits." in clerk.get("/staff/desk").text
    assert "paid out" in clerk.get(PAGE).text


def test_an_auditor_sees_the_desk_and_has_no_form_there(billed: House) -> None:
    clerk, auditor = billed.reader("clerk"), billed.reader("auditor")
    enter(clerk, "6000")
    for address in (PAGE, "/staff/desk"):
        text = auditor.get(address).text
        assert "6,000.00" in text
        assert 'action="/staff' not in text


def test_it_is_said_in_chinese(billed: House) -> None:
    clerk = billed.reader("clerk", "zh-CN")
    enter(clerk, "6000")
    assert "等待审批" in clerk.get(PAGE).text
    assert "超限额收款" in clerk.get("/staff/desk").text
