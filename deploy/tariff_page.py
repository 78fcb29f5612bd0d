"""The tariff reference: every kind of charge with its keys and a file that is proven."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from billing.calendar import Calendar
from billing.money import from_fen
from billing.rating.charge import Charge
from billing.rating.example import Example
from billing.rating.rate import rate
from billing.rating.tax import Tax
from billing.rating.walking import Walk
from billing.tariff import AnyCharge, Tariff, load_tariff
from meters.quantity import from_scaled, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel

TARIFFS = Path(__file__).with_name("tariffs")
WORDS = Path(__file__).with_name("tariff_words.toml")
WIDTHS = ("extra", "times", "days")


def charge_kinds() -> dict[str, type[Charge]]:
    """Return every kind of charge by the name that files give it, in the order of the union."""
    kinds = get_args(get_args(AnyCharge)[0])
    return {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in kinds}


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a table as files write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def meaning(where: str, key: str, language: str) -> str:
    """Return what `key` means in the table `where`: a kind of charge, `tariff`, `example`, …"""
    keys = _words()["keys"]
    text: str = keys.get(f"{where}.{key}", keys.get(key))[language]
    return text


def tariff_page(language: str) -> str:
    """Return the page in `language`, `en` or `zh`, as Markdown."""
    return "\n".join(_Page(language).lines()) + "\n"


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(WORDS.read_text("utf-8"))


class _Page:
    def __init__(self, language: str) -> None:
        self._language = language
        self._word = {key: each[language] for key, each in _words()["page"].items()}

    def lines(self) -> Iterator[str]:
        word = self._word
        yield from (f"# {word['title']}", "")
        for text in ("intro", "order", "spans"):
            yield from (word[text], "")
        yield from self._section("the file", "tariff", keys_of(Tariff))
        yield from self._section("any charge", "charge", keys_of(Charge))
        yield from (f"## {word['charges']}", "")
        for kind in charge_kinds():
            yield f"- [`{kind}`](#{kind}){word['colon']}{self._of_charge(kind, 'title')}"
        yield ""
        for kind, model in charge_kinds().items():
            yield from self._charge(kind, model)
        yield from self._section("blocks", "blocks", WIDTHS)
        yield from self._section("calendar", "calendar", keys_of(Calendar))
        yield from self._section("tax", "tax", keys_of(Tax))
        yield from self._file("tax")
        yield from self._section("examples", "example", keys_of(Example))

    def _of_charge(self, kind: str, what: str) -> str:
        text: str = _words()["charge"][kind][what][self._language]
        return text

    def _charge(self, kind: str, model: type[Charge]) -> Iterator[str]:
        own = [key for key in keys_of(model) if key not in {*keys_of(Charge), "kind", *WIDTHS}]
        yield from (f'<a id="{kind}"></a>', f"### `{kind}`: {self._of_charge(kind, 'title')}", "")
        yield from (self._of_charge(kind, "text"), "")
        if set(WIDTHS) <= set(keys_of(model)):
            yield from (self._word["has widths"], "")
        yield from self._keys(own, kind)
        yield from self._file(kind)

    def _section(self, title: str, where: str, keys: Iterable[str]) -> Iterator[str]:
        yield from (f'<a id="{where}"></a>', f"## {self._word[title]}", "")
        if text := self._word.get(f"{title}.text"):
            yield from (text, "")
        yield from self._keys(keys, where)

    def _keys(self, keys: Iterable[str], where: str) -> Iterator[str]:
        rows = [(f"`{key}`", meaning(where, key, self._language)) for key in keys]
        yield from _table((self._word["key"], self._word["meaning"]), rows)

    def _file(self, name: str) -> Iterator[str]:
        path = TARIFFS / f"{name}.toml"
        yield from ("```toml", *path.read_text("utf-8").rstrip().splitlines(), "```", "")
        word = self._word
        yield from (word["bills"], "")
        headings = tuple(word[key] for key in ("example", "line", "quantity", "amount"))
        yield from _table(headings, list(self._billed(load_tariff(path))))

    def _billed(self, tariff: Tariff) -> Iterator[tuple[str, str, str, str]]:
        titles = {each.name: each.title for each in (*tariff.charges, *(tariff.taxes or ()))}
        for number, example in enumerate(tariff.examples, start=1):
            walk = Walk(tariff, example)
            for place, row in enumerate(example.rows, start=1):
                lines = rate(tariff, walk.subjects(row))
                walk.go_on(row, lines)
                shown = f"{number}.{place}" if len(example.rows) > 1 else str(number)
                for line in lines:
                    if line.applies is None or line.applies[0]:
                        quantity = plain(from_scaled(int(line.quantity[0])))
                        title = titles[line.charge][self._language]
                        amount = str(from_fen(int(line.amount[0])))
                        yield shown, title, f"{quantity} {line.unit}", amount


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""
