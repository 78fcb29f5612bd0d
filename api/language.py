"""Languages: which one a reader gets, and the catalogues that texts are translated by.

Texts stand in the code in English. A catalogue is a `.po` file beside this module, read at start;
there is no compile step that could be forgotten. Definitions carry titles in several languages of
their own, and `titled` picks one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import HTTPConnection

FOLDER = Path(__file__).parent / "locale"
DOMAIN = "tallygate"
COOKIE = "tallygate_language"
PARAMETER = "lang"


@dataclass(frozen=True, slots=True)
class Language:
    """A language that pages are written in. `tag` is what HTML and HTTP call it."""

    tag: str
    name: str
    locale: Locale
    texts: NullTranslations

    def __call__(self, message: str) -> str:
        """Return `message`, an English text of the code, in this language."""
        return self.texts.gettext(message)

    def plural(self, one: str, many: str, number: int) -> str:
        """Return the form that fits `number`."""
        return self.texts.ngettext(one, many, number)

    def titled(self, title: Mapping[str, str]) -> str:
        """Return the text of a definition's title that fits best: language, English, any."""
        code = self.locale.language
        for key in (self.tag, code, "en"):
            if key in title:
                return title[key]
        return next(iter(title.values()))


def mark(message: str) -> str:
    """Return `message` as it is; it is in the catalogues and is translated where it is shown."""
    return message


def plural(one: str, many: str) -> tuple[str, str]:
    """Return both forms as they are, as `mark` does; `Language.plural` chooses between them."""
    return one, many


@cache
def languages() -> Mapping[str, Language]:
    """Return every language by tag, the default first."""
    return {
        "zh-CN": Language("zh-CN", "中文", Locale.parse("zh_Hans_CN"), _catalogue("zh_CN")),
        "en": Language("en", "English", Locale("en", "GB"), NullTranslations()),
    }


def default() -> Language:
    """Return the language of readers who ask for none that exists."""
    return next(iter(languages().values()))


def english() -> Language:
    """Return the language that the code is written in."""
    return languages()["en"]


def catalogue_path(locale: str) -> Path:
    return FOLDER / locale / "LC_MESSAGES" / f"{DOMAIN}.po"


def of_request(connection: HTTPConnection) -> Language:
    """Return what the reader asks for: by parameter, else cookie, else browser, else default."""
    known = languages()
    asked = connection.query_params.get(PARAMETER) or connection.cookies.get(COOKIE)
    if asked is not None and asked in known:
        return known[asked]
    return accepted(connection.headers.get("accept-language", "")) or default()


def of_program(connection: HTTPConnection) -> Language:
    """Return the language that a program's call asks for, else English."""
    return accepted(connection.headers.get("accept-language", "")) or english()


def accepted(header: str) -> Language | None:
    """Return the best language of an `Accept-Language` header, None where it names none of ours."""
    ranked = []
    for place, entry in enumerate(header.split(",")):
        tag, _, weight = entry.strip().partition(";q=")
        # Weights have at most three decimals (RFC 9110): as text they sort like numbers.
        ranked.append((weight or "1", -place, tag.lower()))
    for weight, _, tag in sorted(ranked, reverse=True):
        for known in languages().values():
            if tag.partition("-")[0] == known.locale.language and weight.strip("0.") != "":
                return known
    return None


def _catalogue(locale: str) -> GNUTranslations:
    with catalogue_path(locale).open("rb") as file:
        catalogue = read_po(file, locale=locale, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
