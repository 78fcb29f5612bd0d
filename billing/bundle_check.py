"""Check a bundle against itself: the bill again, from what it rests on, and from nothing else.

Lines, usages and statements are recomputed by the functions that a run is verified by. Beyond them
a bundle is held to what a run's rows are held to as a whole: the total, the lines that a tariff
must give, the days that its inputs speak of, the sums of its statements.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from billing.bundle import read_bundle
from billing.bundled_pools import issued, pool_differences
from billing.canonical import evidence_json
from billing.correction import taking_back
from billing.difference import Difference, differing, differing_money, differing_quantity
from billing.pools.policy import Payer
from billing.pools.pool import Example, Pool
from billing.rating.evidence import read_inputs
from billing.rating.rate import rate
from billing.recompute import UNREADABLE, Claim, recompute_charge, recompute_pool
from billing.tariff import Tariff, parse_tariff
from billing.usage.check import usage_differences
from meters.definition import validate
from meters.interval import Interval, Period, local_midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from billing.bundle import (
        Bundle,
        BundledLine,
        BundledStatement,
        BundledTariff,
        BundledUsage,
        EarlierLine,
    )
    from billing.pools.apportionment import Statement
    from billing.rating.rate import ChargeColumns

DAMAGED = (*UNREADABLE, AttributeError, RuntimeError)
"""What evidence raises that is of another shape than ours; anybody may have written it."""
POOL_REVENUE = "pool"


class SharedPool(Pool):
    """A pool as a bundle states it: without its examples, which name units."""

    examples: tuple[Example, ...] = ()


@dataclass(slots=True)
class Checked:
    """What of bill `bill` was recomputed, and every difference in words. `total`: fen."""

    bill: str
    total: int
    currency: str
    digest: str
    lines: int
    usages: int
    statements: int
    differences: list[str] = field(default_factory=list)

    def say(self, where: str, found: Iterable[object]) -> None:
        """Add what is `found`; evidence that cannot even be read is a finding too."""
        try:
            self.differences.extend(f"{where}: {each}" for each in found)
        except DAMAGED as error:
            what = f"{type(error).__name__}: {error}"
            self.differences.append(f"{where}: its evidence is damaged: {what}")


def check_bundle(file: bytes) -> Checked:
    """Return what the bundle in `file` is found to be: it holds if there is no difference.

    Raises `billing.bundle.BundleError` where it cannot be read.
    """
    bundle, differences = read_bundle(file)
    checked = Checked(
        bill=bundle.bill.number,
        total=bundle.bill.total,
        currency=bundle.bill.currency,
        digest=bundle.digest,
        lines=len(bundle.lines),
        usages=len(bundle.usages),
        statements=len(bundle.statements),
        differences=list(differences),
    )
    _Check(bundle, checked).all()
    return checked


class _Check:
    """A bundle under check: its tariffs and statements, read and recomputed once each."""

    def __init__(self, bundle: Bundle, checked: Checked) -> None:
        self._bundle = bundle
        self._checked = checked
        self._zone = ZoneInfo(bundle.bill.zone)
        self._tariffs: dict[tuple[str, int], Tariff] = {}
        self._shared: list[Statement | None] = []
        self._rated: dict[tuple[tuple[str, int], str], dict[str, ChargeColumns]] = {}

    def all(self) -> None:
        bundle, say = self._bundle, self._checked.say
        say(f"bill {bundle.bill.number}", _head_differences(bundle))
        say("bundle", _unused(bundle))
        for place, tariff in enumerate(bundle.tariffs, start=1):
            say(f"tariff {place}", self._tariff(tariff))
        for usage in bundle.usages:
            say(f"usage of {usage.point}, {usage.register_name}", self._usage(usage))
        say("usages", _overlaps(bundle))
        for statement in bundle.statements:
            where = f"statement of {statement.pool.get('id')} in {statement.period}"
            self._shared.append(None)
            say(where, self._statement(statement))
        for line in bundle.lines:
            say(_named(line), self._line(line))
        for earlier in bundle.reversed_lines:
            say(f"bill {earlier.bill}, {_named(earlier.line)}", self._line(earlier.line))
        say("lines", self._missing())

    def _tariff(self, tariff: BundledTariff) -> Iterator[object]:
        """Read a tariff; its own examples prove it."""
        read = parse_tariff(tariff.document, "its definition")
        self._tariffs[read.id, read.version] = read
        yield from differing("digest", tariff.digest, read.digest)
        yield from differing("currency", self._bundle.bill.currency, read.currency)

    def _named_tariff(self, code: str, version: int) -> Tariff:
        if (code, version) not in self._tariffs:
            raise LookupError(f"version {version} of tariff {code} is not in the bundle")
        return self._tariffs[code, version]

    def _usage(self, usage: BundledUsage) -> Iterator[Difference]:
        interval = _interval(usage)
        yield from usage_differences(
            usage.quantity,
            register=usage.register_name,
            interval=interval,
            evidence=usage.evidence,
            opens_with=issued(usage.opens_with, interval),
        )

    def _statement(self, statement: BundledStatement) -> Iterator[object]:
        """Share the supply again, and hold every share against it, whoever bears it."""
        summed = sum(share.amount for share in statement.shares)
        yield from differing_money("sum of its shares", statement.amount, summed)
        pool = validate(SharedPool, statement.pool, "its pool")
        yield from pool_differences(statement, pool, self._zone)
        result = recompute_pool(
            pool=pool,
            tariffs=self._named_tariff,
            period=Period.month(statement.period, self._zone),
            evidence=statement.evidence,
        )
        if isinstance(result, Difference):
            yield result
            return
        self._shared[-1] = result
        supply = result.supply
        yield from differing("unit", statement.unit, supply.unit)
        yield from differing_quantity("quantity", statement.quantity, supply.quantity)
        yield from differing_money("amount", statement.amount, supply.amount)
        yield from differing("number of shares", len(statement.shares), len(result.shares))
        for claimed, share in zip(statement.shares, result.shares, strict=False):
            whose = "the company's share" if share.unit is None else f"share of {share.unit}"
            yield from differing(f"{whose}, unit", claimed.unit, share.unit)
            yield from differing(f"{whose}, who pays", claimed.payer, share.payer)
            yield from differing_quantity(f"{whose}, quantity", claimed.quantity, share.quantity)
            yield from differing_money(f"{whose}, amount", claimed.amount, share.amount)
            yield from differing(f"{whose}, carried", claimed.carried, share.carried)

    def _line(self, line: BundledLine) -> Iterator[object]:
        if line.corrects is not None and line.corrects.reversal:
            yield from _reversal(line, self._bundle.reversed_lines)
        elif line.statement is not None:
            yield from self._share(line, line.statement)
        elif line.tariff is not None:
            yield from self._charge(line, line.tariff)
        else:
            yield "it rests on no tariff and no statement"

    def _share(self, line: BundledLine, place: int) -> Iterator[object]:
        """Hold a shared line against its share, which was recomputed with its statement."""
        statement, shared = self._bundle.statements[place], self._shared[place]
        if shared is None or line.share is None:
            yield "its statement does not hold"
            return
        share, bill = shared.shares[line.share], self._bundle.bill
        yield from differing("period", line.period, statement.period)
        yield from differing("charge", line.charge, shared.pool)
        yield from differing("revenue", line.revenue, POOL_REVENUE)
        yield from differing("unit", line.unit, shared.supply.unit)
        yield from differing("who shares", bill.unit, share.unit)
        yield from differing("whose share", bill.account, share.account)
        yield from differing("who pays", Payer.OWNER, share.payer)
        yield from differing_quantity("quantity", line.quantity, share.quantity)
        yield from differing_money("amount", line.amount, share.amount)
        yield from differing("evidence", {}, line.evidence)
        yield from differing("usages", (), line.usages)

    def _charge(self, line: BundledLine, named: tuple[str, int]) -> Iterator[object]:
        usages = [self._bundle.usages[place] for place in line.usages]
        yield from recompute_charge(
            Claim(quantity=line.quantity, amount=line.amount),
            charge=line.charge,
            tariff=self._named_tariff(*named),
            evidence=line.evidence,
            usages={each.register_name: each.evidence for each in usages},
        )
        rated = self._rated_with(line, named)[line.charge]
        yield from differing("unit", line.unit, rated.unit)
        yield from differing("revenue", line.revenue, rated.revenue)
        yield from differing("share", None, line.share)
        yield from self._days(line, usages)

    def _rated_with(self, line: BundledLine, named: tuple[str, int]) -> dict[str, ChargeColumns]:
        """Return all lines that the tariff gives for the inputs of `line`, by charge."""
        key = named, evidence_json(line.evidence["inputs"])
        if key not in self._rated:
            rated = rate(self._named_tariff(*named), read_inputs(line.evidence["inputs"]))
            self._rated[key] = {each.charge: each for each in rated}
        return self._rated[key]

    def _days(self, line: BundledLine, usages: Iterable[BundledUsage]) -> Iterator[object]:
        """Hold the days that a line was rated for against its month, and against its usages."""
        period = Period.month(line.period, self._zone)
        before, days, period_days = line.evidence["inputs"]["days"]
        yield from differing("days of the month", period_days, period.days)
        if not 0 <= before < before + days <= period.days:
            yield f"days: {days} after {before} do not lie in {period.key}"
            return
        first = period.first + timedelta(days=before)
        edges = first, first + timedelta(days=days)
        start, end = (local_midnight(day, self._zone) for day in edges)
        for billed in map(_interval, usages):
            yield from differing("first day", start, billed.start)
            yield from differing("last day", end, billed.end)

    def _missing(self) -> Iterator[str]:
        """Yield the lines that a tariff gives, and that are not there as often as the others."""
        groups: dict[tuple[tuple[str, int], str], Counter[str]] = defaultdict(Counter)
        for line in self._bundle.lines:
            if line.corrects is None and line.tariff is not None and "inputs" in line.evidence:
                key = line.tariff, evidence_json(line.evidence["inputs"])
                groups[key][line.charge] += 1
        for (tariff, inputs), there in groups.items():
            rated = self._rated.get((tariff, inputs), {})
            times = max(there.values())
            for charge, columns in rated.items():
                applies = columns.applies is None or bool(columns.applies[0])
                if there[charge] != times and (applies or there[charge]):
                    yield f"{tariff[0]} gives {times} of {charge}, the bill has {there[charge]}"


def _head_differences(bundle: Bundle) -> Iterator[object]:
    bill, lines = bundle.bill, bundle.lines
    begins = f"{bill.community}-{bill.period}-"
    if not (bill.number.startswith(begins) and bill.number[len(begins) :].isdecimal()):
        yield f"it is none of {bill.community} in {bill.period}"
    yield from differing_money("total", bill.total, sum(line.amount for line in lines))
    yield from differing("order", [line.position for line in lines], [*range(1, len(lines) + 1)])
    for line in lines:
        if line.corrects is None and line.period != bill.period:
            yield f"{_named(line)} is of {line.period}, and corrects nothing"
        if line.corrects is not None and line.period > bill.period:
            yield f"{_named(line)} corrects {line.period}, which was not billed yet"


def _unused(bundle: Bundle) -> Iterator[object]:
    """Yield what nothing in the bundle rests on."""
    lines = [*bundle.lines, *(each.line for each in bundle.reversed_lines)]
    statements = {line.statement for line in lines if line.statement is not None}
    for what, places, there in (
        ("usage", {place for line in lines for place in line.usages}, len(bundle.usages)),
        ("statement", statements, len(bundle.statements)),
    ):
        if places != set(range(there)):
            yield f"its lines rest on {what}s {sorted(places)}, it has {there}"
    reversals = {
        (line.corrects.bill, line.corrects.line)
        for line in bundle.lines
        if line.corrects is not None and line.corrects.reversal
    }
    taken = {(each.bill, each.line.position) for each in bundle.reversed_lines}
    yield from differing("lines that are taken back", _sorted(reversals), _sorted(taken))


def _overlaps(bundle: Bundle) -> Iterator[str]:
    """Yield where the usages of a register overlap that a tariff counts for the first time."""
    counted: dict[tuple[str, str, str], set[Interval]] = defaultdict(set)
    for line in bundle.lines:
        if line.corrects is None and line.tariff is not None:
            for usage in (bundle.usages[place] for place in line.usages):
                counted[line.tariff[0], usage.point, usage.register_name].add(_interval(usage))
    for (tariff, point, register), intervals in counted.items():
        for one, other in pairwise(sorted(intervals)):
            if other.start < one.end:
                yield (
                    f"{tariff} counts {register} of {point} until {one.end}, and then from "
                    f"{other.start}"
                )


def _reversal(line: BundledLine, earlier: Iterable[EarlierLine]) -> Iterator[object]:
    """Hold a reversal against the line that it takes back: exactly that, and no more (I5)."""
    corrects = line.corrects
    for each in earlier:
        of = each.line
        if corrects is None or (corrects.bill, corrects.line) != (each.bill, of.position):
            continue
        yield from differing_quantity("quantity", line.quantity, -of.quantity)
        yield from differing_money("amount", line.amount, -of.amount)
        for name in (
            "period",
            "charge",
            "revenue",
            "unit",
            "tariff",
            "usages",
            "statement",
            "share",
        ):
            yield from differing(name, getattr(line, name), getattr(of, name))
        meant = taking_back(of.evidence, bill=each.bill, line=of.position)
        yield from differing("evidence", line.evidence, meant)


def _interval(usage: BundledUsage) -> Interval:
    return Interval(datetime.fromisoformat(usage.start), datetime.fromisoformat(usage.end))


def _named(line: BundledLine) -> str:
    return f"line {line.position}, {line.charge}"


def _sorted(pairs: Iterable[tuple[Any, Any]]) -> list[str]:
    return sorted(f"{bill}, line {line}" for bill, line in pairs)
