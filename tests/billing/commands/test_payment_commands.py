"""`tallygate payment` and `tallygate ledger`: a day at the counter from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from billing.commands.ledger import ledger
from billing.commands.payments import payment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import click
    from till import Till


BILL = "yard-2026-10-0001"


@pytest.fixture
def call(sqlite_till: Till) -> Callable[..., Any]:
    """Run a command on the till's database, and return its JSON, or its output where it fails."""

    def one(command: click.Command, *words: str, by: str | None = None, code: int = 0) -> Any:
        env = {"TALLYGATE_DATABASE_URL": sqlite_till.books.database.url}
        said = [*words, "--json", *(() if by is None else ("--by", by))]
        result = CliRunner().invoke(command, said, env=env)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 else result.output

    return one


def test_a_bill_is_looked_up_by_its_code_and_paid_in_cash(
    call: Callable[..., Any], sqlite_till: Till
) -> None:
    code = sqlite_till.payer().payment_code
    (found,) = call(payment, "due", "--code", code)
    assert (found["account"], found["payment_code"]) == ("A-101", code)
    (payable,) = found["payables"]
    assert (payable["bill"], payable["due"]) == (BILL, found["due"])

    words = ("take", "yard", "A-101", payable["due"], "--document", "S-1", "--bill", BILL)
    taken = call(payment, *words, by="clerk")

    assert (taken["state"], taken["receipt"]) == ("posted", "yard-R000001")
    assert taken["receipt_of"]["pays"] == [{"amount": payable["due"], "claim": f"bill:{BILL}"}]
    assert call(payment, "due", "yard", "--unit", "101")[0]["due"] == "0.00"
    assert "owes nothing by" in call(
        payment, *words[:-3], "S-2", "--bill", BILL, by="clerk", code=1
    )


def test_a_payment_is_undone_by_somebody_else(call: Callable[..., Any]) -> None:
    call(payment, "take", "yard", "A-101", "10", "--document", "S-1", by="clerk")
    undo = ("reverse", "1", "--as", "mistaken", "--reason", "wrong account")

    assert "somebody else undoes it" in call(payment, *undo, by="clerk", code=1)
    assert call(payment, *undo, by="head")["state"] == "reversed"
    assert call(payment, "show", "1")["reversed_by"] == "head"


def test_a_community_states_its_limit_and_order(call: Callable[..., Any]) -> None:
    stated = ("--first", "charge", "--charge", "property-fee", "--four-eyes-above", "5")
    call(payment, "policy", "yard", *stated, by="head")

    taken = call(payment, "take", "yard", "A-101", "5.01", "--document", "S-1", by="clerk")
    assert (taken["state"], taken["receipt"]) == ("entered", None)
    assert "four eyes" in call(payment, "approve", "1", by="clerk", code=1)
    assert call(payment, "approve", "1", by="head")["state"] == "posted"
    call(payment, "take", "yard", "A-101", "6", "--document", "S-2", by="clerk")
    assert call(payment, "reject", "2", by="head")["state"] == "rejected"


def test_money_goes_back_by_two(call: Callable[..., Any]) -> None:
    call(payment, "take", "yard", "A-101", "2000", "--document", "S-1", by="clerk")
    ask = ("refund", "request", "1", "50", "--reason", "paid too much")
    number = call(payment, *ask, by="clerk")["number"]

    assert "four eyes" in call(payment, "refund", "approve", number, by="clerk", code=1)
    assert call(payment, "refund", "approve", number, by="head")["state"] == "approved"
    assert call(payment, "refund", "executed", number, by="head")["state"] == "executed"
    other = call(payment, *ask, by="clerk")["number"]
    assert call(payment, "refund", "reject", other, by="head")["state"] == "rejected"
    third = call(payment, *ask, by="clerk")["number"]
    call(payment, "refund", "approve", third, by="head")
    assert call(payment, "refund", "failed", third, by="head")["state"] == "failed"
    assert call(payment, "use-credit", "yard", "A-101", by="clerk") == {"used": "0.00"}


def test_the_ledger_is_balanced_closed_settled_and_exported(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    call(payment, "take", "yard", "A-101", "10", "--document", "S-1", by="clerk")
    balance = call(ledger, "trial-balance", "--community", "yard")
    assert balance["clearing:cash"] == "10.00"

    assert call(ledger, "close", "yard", "2026-01-31", by="head")["entries"] == 0
    settled = ("settle", "yard", "cash", "2026-01-15", "10", "--document", "B-1", "--kept", "0.10")
    assert call(ledger, *settled, by="clerk") == {
        "day": "2026-02-01",  # January is closed
        "gross": "10.00",
        "kept": "0.10",
    }
    days = ("--from", "2026-01-01", "--to", "2099-12-31")
    for form, begins in (("csv", "day,reference"), ("beancount", 'option "title" "yard"')):
        path = tmp_path / form
        told = call(ledger, "export", "yard", str(path), "--format", form, *days)
        assert (told["entries"], path.read_text().startswith(begins)) == (6, True)
    found = call(ledger, "statement", "yard", "A-101", *days)
    assert (found["opening"], found["totals"]["payment"]) == ("0.00", "-10.00")
    assert found["closing"] == call(payment, "due", "yard", "--account", "A-101")[0]["due"]


@pytest.mark.parametrize(
    ("command", "words", "code", "says"),
    [
        (payment, ("due",), 2, "name a --code, or a community with an --account or a --unit"),
        (payment, ("due", "--code", "100000004265"), 1, "a digit is wrong, or two are swapped"),
        (payment, ("due", "yard", "--account", "A-9"), 1, "has no account 'A-9'"),
        (payment, ("due", "yard", "--unit", "9"), 1, "no account holds or has held unit '9'"),
        (payment, ("show", "7"), 1, "there is no payment 7"),
        (ledger, ("trial-balance", "--community", "zoo"), 1, "there is no community 'zoo'"),
        (
            payment,
            ("take", "yard", "A-101", "1.005", "--document", "x", "--by", "c"),
            2,
            "1.005 has more than 2 decimals",
        ),
        (
            payment,
            ("take", "yard", "A-101", "5", "--document", "x", "--by", "c", "--bill", "b=x"),
            2,
            "'b=x' is no bill, nor a bill=amount",
        ),
        (ledger, ("close", "yard", "2099-01-01", "--by", "c"), 1, "2099-01-01 has not begun"),
        (payment, ("refund", "approve", "R-x", "--by", "c"), 1, "there is no refund 'R-x'"),
    ],
)
def test_what_a_user_can_mend_is_said_in_words(
    command: click.Command, words: tuple[str, ...], code: int, says: str, call: Callable[..., Any]
) -> None:
    assert says in call(command, *words, code=code)


def test_without_json_it_is_read_by_people(sqlite_till: Till) -> None:
    env = {"TALLYGATE_DATABASE_URL": sqlite_till.books.database.url}

    def told(command: click.Command, *words: str) -> str:
        result = CliRunner().invoke(command, list(words), env=env)
        assert result.exit_code == 0, result.output
        return str(result.output)

    take = ("take", "yard", "A-101", "2000", "--document", "S-1", "--by", "clerk")
    assert "receipt yard-R000001" in told(payment, *take)
    assert f"  bill:{BILL}" in told(payment, "show", "1")
    assert BILL in told(payment, "due", "yard", "--account", "A-201").replace("0002", "0001")
    request = ("refund", "request", "1", "1", "--reason", "x", "--by", "clerk")
    assert "1.00 of payment 1, requested" in told(payment, *request)
    assert "sum" in told(ledger, "trial-balance")
    closing = told(
        ledger, "statement", "yard", "A-101", "--from", "2026-01-01", "--to", "2099-01-01"
    )
    assert closing.splitlines()[0].split() == ["opening", "0.00"]
