"""What the commands of runs tell: documents for programs, lines of text for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from billing.money import from_fen
from billing.store import holds, runs
from billing.store.views import changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from billing.anomalies import Anomaly
    from billing.comparison import Difference
    from billing.database import Database
    from billing.previewing import Change, DryRun
    from billing.problem import Problem
    from billing.store.runs import Run


def show_run(database: Database, run_id: int, *, as_json: bool) -> None:
    """Print the run as it stands: its state, problems, differences and anomalies."""
    with database.snapshot() as connection:
        found = runs.read(connection, run_id)
        held = holds.of_run(connection, run_id)
        differences = {
            part.id: changes.differences(connection, part)
            for part in found.communities
            if part.state == "computed" and not part.revision
        }
    document = {
        **_plain(asdict(found)),
        "holds": [_plain(asdict(each)) for each in held],
        "differences": {
            part.community: [_difference_document(each) for each in differences[part.id]]
            for part in found.communities
            if part.id in differences
        },
    }
    texts = [*_run_texts(found), *(f"held: {each.unit or each.building}" for each in held)]
    for part in found.communities:
        texts += [_difference_text(each) for each in differences.get(part.id, ())]
    _print(document, texts, as_json=as_json)


def show_dry_run(found: DryRun, *, as_json: bool) -> None:
    """Print what a month would come to."""
    _print(_dry_run_document(found), _dry_run_texts(found), as_json=as_json)


def show_changes(found: Sequence[Change], *, as_json: bool) -> None:
    """Print what a correction would change, month by month."""
    texts = [text for each in found for text in _change_texts(each)]
    _print([_change_document(each) for each in found], texts, as_json=as_json)


def _print(document: object, texts: list[str], *, as_json: bool) -> None:
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else "\n".join(texts))


def _run_texts(found: Run) -> list[str]:
    texts = [f"run {found.id} of {found.period} is {found.state}, digest {found.digest}"]
    for part in found.communities:
        what = f", revision {part.revision}" if part.revision else ""
        bills = f"{part.bills} bills of {from_fen(part.total)}"
        texts.append(f"{part.community} {part.period}{what}: {part.state}, {bills}")
        texts += _found_texts(part.problems, part.anomalies)
    return texts


def _found_texts(problems: tuple[Problem, ...], anomalies: tuple[Anomaly, ...]) -> Iterator[str]:
    for problem in problems:
        yield f"  {problem.kind}: {problem.subject}: {problem.text}"
    for anomaly in anomalies:
        yield f"  {anomaly.kind}: {anomaly.unit}, {anomaly.subject}: {anomaly.text}"


def _difference_text(each: Difference) -> str:
    before, now = ("–" if fen is None else from_fen(fen) for fen in (each.before, each.now))
    return f"  {each.unit}, {each.charge}: {before} → {now}"


def _difference_document(each: Difference) -> dict[str, Any]:
    return {
        "unit": each.unit,
        "charge": each.charge,
        "before": None if each.before is None else str(from_fen(each.before)),
        "now": None if each.now is None else str(from_fen(each.now)),
    }


def _dry_run_document(found: DryRun) -> dict[str, Any]:
    return {
        "community": found.community,
        "period": found.period,
        "bills": found.bills,
        "total": str(from_fen(found.total)),
        "problems": [asdict(each) for each in found.problems],
        "differences": [_difference_document(each) for each in found.differences],
        "anomalies": [asdict(each) for each in found.anomalies],
    }


def _dry_run_texts(found: DryRun) -> list[str]:
    bills = f"{found.bills} bills of {from_fen(found.total)}"
    return [
        f"{found.community} {found.period}: {bills}; nothing is stored",
        *_found_texts(found.problems, found.anomalies),
        *(_difference_text(each) for each in found.differences),
    ]


def _change_document(each: Change) -> dict[str, Any]:
    return {
        "period": each.period,
        "total": str(from_fen(each.total)),
        "problems": [asdict(problem) for problem in each.problems],
        "corrections": [
            {
                "unit": one.unit.code,
                "account": one.account.code,
                "total": str(from_fen(one.total)),
                "reversed": [
                    {"bill": line.number, "line": line.position, "charge": line.charge}
                    for line in one.reversed
                ],
                "new": [
                    {"charge": new.line.charge, "amount": str(from_fen(new.line.amount))}
                    for new in one.new
                ],
            }
            for one in each.corrections
        ],
    }


def _change_texts(each: Change) -> Iterator[str]:
    yield f"{each.period}: {from_fen(each.total)} for {len(each.corrections)} accounts"
    yield from _found_texts(each.problems, ())
    for one in each.corrections:
        yield f"  {one.unit.code}, {one.account.code}: {from_fen(one.total)}"


def _plain(value: Any) -> Any:
    """Return a document with times as texts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
