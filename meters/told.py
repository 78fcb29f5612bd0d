"""What went wrong, as a text that can be said in another language: a template and its values.

An error is raised with `told("order {number} is paid", number=…)`. That is its English text, so
logs and commands need to know nothing of it; whoever shows it to people has the template, which
stands in the catalogues, and the values. States are said by `StateName`, as they
are translated too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class StateName(str):
    """A value that is the name of a state, which the catalogues have: `paid`, `approved`."""

    __slots__ = ()


class Told(str):
    """An English text with the template and the values that it was made of."""

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any]) -> Self:
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, Any]]:  # type: ignore[override]  # to be pickled
        return self.template, self.values


def told(template: str, **values: object) -> Told:
    """Return `template` with `values` put in by their names in braces."""
    return Told(template, values)


def joined(texts: Iterable[object], *, by: str = ", ") -> Told:
    """Return `texts` one after the other, of which each may be `Told` or a `StateName`."""
    values = {f"part{number}": each for number, each in enumerate(texts)}
    return Told(by.join(f"{{{name}}}" for name in values), values)


def document_of(text: object) -> Any:
    """Return `text` as JSON holds it: with its template and its values where it is `Told`."""
    if isinstance(text, Told):
        values = {name: document_of(value) for name, value in text.values.items()}
        return {"template": text.template, "values": values}
    return {"state": str(text)} if isinstance(text, StateName) else str(text)


def of_document(document: Any) -> str:
    """Return the text that `document_of` made `document` of."""
    if isinstance(document, str):
        return document
    if "state" in document:
        return StateName(document["state"])
    values = {name: of_document(value) for name, value in document["values"].items()}
    return Told(document["template"], values)


def text_of(error: Exception) -> str:
    """Return what `error` says, as `Told` where it was raised with that."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Told) else str(error)
