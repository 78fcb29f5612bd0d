"""What a check of definitions says: each file with its problems, as text or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from meters.definition import Problem


class NothingToCheckError(ValueError):
    """A folder without a definition."""


class Checked(NamedTuple):
    """A file that was checked: what is wrong with it, and otherwise what it shows."""

    path: Path
    problems: tuple[Problem, ...] = ()
    shows: tuple[str, ...] = ()
    """Lines for people."""
    facts: Mapping[str, Any] = {}
    """The same for programs."""


def definition_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield `paths`, and for a folder what it holds; raise `NothingToCheckError` for nothing."""
    for path in paths:
        found = sorted(path.rglob("*.toml")) if path.is_dir() else [path]
        if not found:
            raise NothingToCheckError(f"{path} holds no .toml file")
        yield from found


def lines(results: Sequence[Checked]) -> Iterator[str]:
    """Yield what a person reads."""
    for checked in results:
        if not checked.problems:
            yield f"ok    {checked.path}"
        yield from (f"      {line}" for line in checked.shows)
        yield from (f"FAIL  {problem}" for problem in checked.problems)
    holding = sum(not checked.problems for checked in results)
    yield f"{holding} of {len(results)} definitions hold"


def document(results: Sequence[Checked]) -> list[dict[str, Any]]:
    """Return what a program reads."""
    return [
        {
            "path": str(checked.path),
            "ok": not checked.problems,
            "problems": [
                {
                    "source": problem.source,
                    "where": problem.where,
                    "what": problem.what,
                    "expected": problem.expected,
                    "actual": problem.actual,
                }
                for problem in checked.problems
            ],
            **checked.facts,
        }
        for checked in results
    ]
