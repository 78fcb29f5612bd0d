"""A run that was cut off goes on with what is left, and comes to what it would have come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from city import NOW, OCTOBER, MadeUpArchive, make_city

from billing import lifecycle
from billing.backend import InLine
from billing.computing import Given, Sources, Workers
from billing.store import runs
from billing.store.runs import StateError
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from billing.backend import P, T
    from billing.database import Database
    from billing.store.runs import Run

COMMUNITIES = 5


class PowerCutError(Exception):
    """The machine is gone."""


class Counted(InLine):
    """Counts the communities that it is handed, and is gone after `lasts` of them."""

    def __init__(self, lasts: int = COMMUNITIES) -> None:
        self.count = 0
        self._lasts = lasts

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self.count == self._lasts:
            raise PowerCutError
        self.count += 1
        return super().submit(fn, *args, **kwargs)


def compute(database: Database, run_id: int, backend: Counted, *, resume: bool = False) -> Run:
    sources = Sources(database, MadeUpArchive(), shipped())
    workers = Workers(backend, Given(sources))
    return lifecycle.compute_run(
        *sources, run_id=run_id, actor="clerk", now=NOW, workers=workers, resume=resume
    )


def states(database: Database, run_id: int) -> list[str]:
    with database.snapshot() as connection:
        run = runs.read(connection, run_id)
    return [run.state, *sorted(part.state for part in run.communities)]


@pytest.fixture
def run_id(database: Database) -> int:
    codes = make_city(database, COMMUNITIES, 16)
    return lifecycle.create_run(
        database, period=OCTOBER.key, communities=codes, actor="clerk", now=NOW
    )


def test_only_what_is_left_is_computed_after_a_power_cut(database: Database, run_id: int) -> None:
    with pytest.raises(PowerCutError):
        compute(database, run_id, Counted(lasts=3))
    assert states(database, run_id) == ["draft", *["computed"] * 3, *["draft"] * 2]

    rest = Counted()
    resumed = compute(database, run_id, rest, resume=True)
    assert (resumed.state, rest.count) == ("computed", 2)

    again = Counted()
    assert compute(database, run_id, again).digest == resumed.digest
    assert again.count == COMMUNITIES


def test_a_computation_that_is_repeated_and_cut_off_leaves_a_draft(
    database: Database, run_id: int
) -> None:
    first = compute(database, run_id, Counted())
    with pytest.raises(PowerCutError):
        compute(database, run_id, Counted(lasts=1))
    assert states(database, run_id) == ["draft", "computed", *["draft"] * 4]

    rest = Counted()
    assert compute(database, run_id, rest, resume=True).digest == first.digest
    assert rest.count == 4


def test_what_came_to_its_end_is_not_resumed(database: Database, run_id: int) -> None:
    compute(database, run_id, Counted())

    with pytest.raises(
        StateError, match=rf"run {run_id} is computed; this takes a run that is draft"
    ):
        compute(database, run_id, Counted(), resume=True)
