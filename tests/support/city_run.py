"""Compute a run of the city: `city_run.py DATABASE RUN workers|scheduler HOW-MANY|WHERE`.

It goes on where it was cut off, and says "computing" when its workers are there.
"""

from __future__ import annotations

import sys

from city import NOW, City, MadeUpArchive

from billing import lifecycle
from billing.backend import run_backend
from billing.computing import Workers
from billing.database import Database
from billing.store import runs
from meters.catalog import shipped


def main(url: str, run_id: str, kind: str, where: str) -> None:
    asked = {"workers": int(where)} if kind == "workers" else {"scheduler": where}
    with Database(url) as database, run_backend(**asked) as backend:
        with database.snapshot() as connection:
            cut_off = runs.read(connection, int(run_id)).state == "draft"
        print("computing", flush=True)  # noqa: T201  who kills it waits for this
        lifecycle.compute_run(
            database,
            MadeUpArchive(),
            shipped(),
            run_id=int(run_id),
            actor="clerk",
            now=NOW,
            workers=Workers(backend, City(url)),
            resume=cut_off,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
