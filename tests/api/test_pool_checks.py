"""Checking a pool on its page: what if it were shared otherwise, signing off, and holding."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from api import pool_trials
from api.pool_trials import WhatIfError
from billing import tables
from billing.lifecycle import approve_run, compute_run, review_run
from billing.store import pool_checks
from billing.store.pool_checks import PoolHeldError
from billing.store.views import statements
from billing.store.views.scope import Scope
from meters.catalog import shipped

if TYPE_CHECKING:
    from conftest import House, Reader

    from api.pool_trials import Trial

NEW = {"period": "2026-10", "communities": ["osmanthus"]}
LIFT = 2_000_001
PAGE = f"/staff/statements/{LIFT}"


@pytest.fixture
def computed(house: House) -> House:
    """The house with a run of October that is computed and not reviewed."""
    clerk = house.caller("clerk")
    assert clerk.post("/v1/runs", key="given-create", json=NEW).status_code == 201
    assert clerk.post("/v1/runs/2/compute", key="given-compute").status_code == 200
    return house


def tried(house: House, basis: str, share: str | None = None) -> Trial:
    with house.database.snapshot() as connection:
        view = statements.statement(connection, Scope(unissued=True), LIFT)
        assert view is not None
        asked = pool_trials.asked(basis, None if share is None else Decimal(share))
        return pool_trials.trial(connection, view, asked)


def say(reader: Reader, word: str, reason: str = "") -> int:
    csrf = reader.csrf(PAGE)
    return reader.post(f"{PAGE}/check", csrf=csrf, word=word, reason=reason).status_code


def test_what_a_pool_is_shared_by_already_moves_nothing(computed: House) -> None:
    same = tried(computed, "")
    assert {each.amount for each in same.moved} == {0}
    assert same.before == same.now > 0


def test_another_basis_moves_shares_and_no_sum(computed: House) -> None:
    otherwise = tried(computed, "household")
    units = [each for each in otherwise.moved if each.unit is not None]
    assert len({each.now for each in units}) <= 2  # equal shares differ by an odd cent at most
    assert otherwise.before == otherwise.now
    sizes = [abs(each.amount) for each in otherwise.moved]
    assert sizes == sorted(sizes, reverse=True)


def test_a_share_of_the_company_goes_to_the_company(computed: House) -> None:
    half = tried(computed, "", "0.5")
    company = next(each for each in half.moved if each.unit is None)
    assert company.now is not None
    assert abs(2 * company.now - half.now) <= 1
    with pytest.raises(WhatIfError, match="from 0 to all of it"):
        tried(computed, "", "1.01")
    with pytest.raises(WhatIfError, match="cannot be tried"):
        tried(computed, "weights")


def test_what_is_not_known_of_everybody_is_said_and_not_taken_for_zero(computed: House) -> None:
    attribute = tables.unit_attribute
    with computed.database.transaction() as connection:
        connection.execute(attribute.delete().where(attribute.c.name == "persons"))
    missing = tried(computed, "persons")
    assert missing.moved == ()
    assert {each.unit for each in missing.obstacles} >= {"1-201", "1-202"}


def test_trying_on_the_page_saves_nothing(computed: House) -> None:
    reader = computed.reader("clerk")
    before = computed.seen(2)
    text = reader.get(f"{PAGE}?basis=household&company=25").text
    assert "What if" in text
    assert 'value="25"' in text
    assert "as it is:" in text
    assert computed.seen(2) == before
    wrong = reader.get(f"{PAGE}?company=much")
    assert "This cannot be tried" in wrong.text


def test_a_pool_that_is_held_keeps_its_run_from_approval(computed: House) -> None:
    reader = computed.reader("clerk")
    assert say(reader, "held") == 422
    assert (
        "There is no reason"
        in reader.post(f"{PAGE}/check", csrf=reader.csrf(PAGE), word="held").text
    )
    assert say(reader, "held", "The lift stood still for a week") == 303
    assert "The lift stood still for a week" in reader.get(PAGE).text
    database, now = computed.database, computed.now
    review_run(database, run_id=2, actor="clerk", now=now)
    digest = computed.seen(2)["digest"]
    with pytest.raises(PoolHeldError, match="stood still"):
        approve_run(database, run_id=2, digest=digest, actor="approver", now=now)
    answer = computed.caller("approver").post(
        "/v1/runs/2/approve", key="approve-held", json={"digest": digest}
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/pool-held")
    assert say(reader, "signed-off", "Seen with the lift company") == 303
    assert approve_run(database, run_id=2, digest=digest, actor="approver", now=now)


def test_every_word_stands_in_the_audit_log(computed: House) -> None:
    reader = computed.reader("clerk")
    say(reader, "held", "Look again")
    say(reader, "signed-off")
    log = tables.audit
    with computed.database.snapshot() as connection:
        found = connection.execute(
            select(log.c.actor, log.c.action, log.c.subject).where(log.c.action.like("pool.%"))
        ).all()
    assert [tuple(row) for row in found] == [
        ("clerk", "pool.held", "run:2"),
        ("clerk", "pool.signed-off", "run:2"),
    ]


def test_a_sign_off_is_about_the_figures_that_were_seen(computed: House) -> None:
    say(computed.reader("clerk"), "signed-off")
    attribute = tables.unit_attribute
    with computed.database.transaction() as connection:
        connection.execute(attribute.update().values(value=attribute.c.value + 10_000))
    resources = computed.app.state.resources
    compute_run(
        computed.database,
        resources.archive,
        shipped(),
        run_id=2,
        actor="clerk",
        now=computed.now,
    )
    with computed.database.snapshot() as connection:
        (check,) = pool_checks.of_run(connection, 2)
    assert (check.word, check.current) == ("signed-off", False)
    assert "look at it once more" in computed.reader("clerk").get(PAGE).text


def test_an_issued_run_is_not_checked_any_more(billed: House) -> None:
    reader = billed.reader("clerk")
    text = reader.get(PAGE).text
    assert f'action="{PAGE}/check"' not in text
    csrf = reader.csrf("/staff/runs")
    assert reader.post(f"{PAGE}/check", csrf=csrf, word="signed-off").status_code == 409


def test_an_auditor_reads_and_says_nothing(computed: House) -> None:
    assert f'action="{PAGE}/check"' not in computed.reader("auditor").get(PAGE).text


def test_programs_try_a_statement_and_say_their_word(computed: House) -> None:
    clerk = computed.caller("clerk")
    path = f"/v1/statements/{LIFT}"

    trial = clerk.get(f"{path}/trial?basis=household&company_share=0.5").json()
    held = clerk.post(f"{path}/check", key="say-check-1", json={"word": "held", "reason": "Twice"})
    silent = clerk.post(f"{path}/check", key="say-check-2", json={"word": "held"})
    signed = clerk.post(f"{path}/check", key="say-check-3", json={"word": "signed-off"})

    shares = {each["unit"]: each["now"] for each in trial["shares"]}
    assert shares == {None: "99.52", "1-201": "49.75", "1-202": "49.76"}
    assert trial["before"] == trial["now"]
    assert (held.status_code, held.json()["id"]) == (200, 2)
    assert (silent.status_code, silent.json()["type"]) == (422, "/problems/reason-missing")
    assert signed.status_code == 200
    with computed.database.snapshot() as connection:
        (said,) = pool_checks.of_run(connection, 2)
    assert (said.word, said.said_by, said.current) == ("signed-off", "clerk", True)


@pytest.mark.parametrize("asked", ["basis=use", "company_share=1.2"])
def test_what_programs_cannot_ask_of_a_pool_is_refused(computed: House, asked: str) -> None:
    answer = computed.caller("clerk").get(f"/v1/statements/{LIFT}/trial?{asked}")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/cannot-be-tried")
