"""What a demo came to: figures and invariants, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from billing.money import from_fen
from billing.store.verification import verify_run
from billing.store.views import statements
from billing.store.views.scope import Scope
from gateway.spool import ConservationError, Spool

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.store.runs import Run


NOTHING = str(from_fen(0))


@dataclass(frozen=True, slots=True)
class PoolBalance:
    """What a pool's supply cost, and who bears it; the balance is zero where nothing is lost."""

    pool: str
    supply: str
    owners: str
    company: str
    balance: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a demo. Money is text in the currency, `readings` is the gateway's tally."""

    meters: int
    live_readings: int
    readings: dict[str, int]
    period: str
    bills: int
    total: str
    pools: tuple[PoolBalance, ...]
    lines_recomputed: int
    digest: str
    failures: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.failures

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON holds it."""
        return {**asdict(self), "ok": self.ok}


def summarise(
    database: Database, run: Run, *, spool: Path, meters: int, live_readings: int
) -> Summary:
    """Return what the demo came to, every invariant checked again from what was stored."""
    readings, failures = _conservation(spool)
    with database.snapshot() as connection:
        verified = verify_run(connection, run.id)
        pools = _balances(connection, run.id)
    failures += verified.failures
    failures += [
        f"I4: pool {each.pool} is off by {each.balance}"
        for each in pools
        if each.balance != NOTHING
    ]
    if run.state != "issued":
        failures.append(f"the run of {run.period} is {run.state}")
    for part in run.communities:
        failures += [f"{each.subject}: {each.text}" for each in part.problems]
    return Summary(
        meters=meters,
        live_readings=live_readings,
        readings=readings,
        period=run.period,
        bills=sum(part.bills for part in run.communities),
        total=str(from_fen(sum(part.total for part in run.communities))),
        pools=tuple(pools),
        lines_recomputed=verified.lines,
        digest=str(run.digest),
        failures=tuple(failures),
    )


def _conservation(path: Path) -> tuple[dict[str, int], list[str]]:
    with Spool(path, read_only=True) as spool:
        try:
            return asdict(spool.conservation()), []
        except ConservationError as error:
            return asdict(spool.tally()), [f"I1: {error}"]


def _balances(connection: Connection, run_id: int) -> list[PoolBalance]:
    everything = Scope(accounts=None, unissued=True)
    found = []
    for head in statements.heads_of_run(connection, run_id):
        view = statements.statement(connection, everything, head.id)
        if view is None:
            raise LookupError(f"statement {head.id} of run {run_id} has gone")
        owners, company = view.sums.owners, view.sums.company
        found.append(
            PoolBalance(
                pool=head.pool.id,
                supply=str(from_fen(head.amount)),
                owners=str(from_fen(owners)),
                company=str(from_fen(company)),
                balance=str(from_fen(head.amount - owners - company)),
            )
        )
    return found
