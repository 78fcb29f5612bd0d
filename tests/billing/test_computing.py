"""How a community is computed, beside what comes out."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from city import NOW, OCTOBER, MadeUpArchive, make_city

from billing import lifecycle
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from billing.database import Database
    from meters.archive.protocol import Boundary
    from meters.reading import Series


class AwayError(Exception):
    """The archive is gone."""


class Away(MadeUpArchive):
    """Notes whether cycles are collected when it is asked, and is gone."""

    collecting: bool | None = None

    def boundaries(
        self, series: Collection[Series], instant: datetime, *, window: timedelta | None = None
    ) -> Mapping[Series, Boundary]:
        self.collecting = gc.isenabled()
        raise AwayError(f"asked about {len(series)} series at {instant} within {window}")


def test_cycles_are_collected_again_whatever_becomes_of_a_community(
    sqlite_database: Database,
) -> None:
    codes = make_city(sqlite_database, 1, 2)
    run_id = lifecycle.create_run(
        sqlite_database, period=OCTOBER.key, communities=codes, actor="clerk", now=NOW
    )
    archive = Away()

    with pytest.raises(AwayError):
        lifecycle.compute_run(
            sqlite_database, archive, shipped(), run_id=run_id, actor="clerk", now=NOW
        )

    assert archive.collecting is False
    assert gc.isenabled()
