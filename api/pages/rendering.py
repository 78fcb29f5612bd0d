"""Templates and what all of them may use: the reader's language, formats, terms, and who it is."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Context
from markupsafe import Markup

from api import findings, language, message_terms, payer_terms, staff_terms, terms
from api.formats import Formats
from api.language import COOKIE, PARAMETER
from api.permission import Permission
from api.resources import whole
from api.telling import said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from api.language import Language
    from api.principal import Principal

FOLDER = Path(__file__).parent
TEMPLATES = FOLDER / "templates"
STATIC = FOLDER / "static"
TYPE_COOKIE, LARGE = "tallygate_type", "large"
"""What remembers that somebody reads in large type."""
REMEMBERED_S = 365 * 24 * 3600


@cache
def environment(tag: str) -> Environment:
    """Return the templates in the language `tag`."""
    reader = language.languages()[tag]
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    made.context_class = DirectContext
    made.globals.update(
        _=partial(_text, reader),
        ngettext=partial(_counted, reader),
        language=reader,
        languages=list(language.languages().values()),
        words=Formats(reader),
        static=static_address,
        Permission=Permission,
        decimal=Decimal,
        instant=datetime.fromisoformat,
        terms=terms,
    )
    made.filters["term"] = lambda key, name: reader(terms.term(_terms(name), key))
    made.filters["register"] = lambda name: reader(terms.term(staff_terms.REGISTERS, name))
    made.filters["said"] = partial(said, language=reader)
    made.filters["titled"] = reader.titled
    made.filters["found"] = partial(findings.sentence, language=reader)
    return made


class DirectContext(Context):
    """Calls texts and formats at once: Jinja looks at each call what a callable wants passed."""

    def call(self, called: Any, /, *args: Any, **values: Any) -> Any:
        if type(called) is partial or type(called) is MethodType:
            values.pop("_block_vars", None)
            values.pop("_loop_vars", None)
            return called(*args, **values)
        return super().call(called, *args, **values)


def _text(reader: Language, message: str, /, **values: Any) -> Markup:
    """Return `message`, a text of a template, translated, with `values` in it that are escaped.

    As a function of its own: that of `jinja2.ext.i18n` derives a context for each text.
    """
    text = Markup(reader(message))  # noqa: S704  a text of ours, in a language of ours
    return text % values if "%" in text else text


def _counted(reader: Language, one: str, many: str, num: int, /, **values: Any) -> Markup:
    """Return the form that fits `num`, translated; `num` is among the values."""
    text = reader.plural(one, many, num)
    return Markup(text) % {"num": num, **values}  # noqa: S704  as above


def _terms(name: str) -> Mapping[str, str]:
    holders = (terms, payer_terms, staff_terms, message_terms)
    holder = next(each for each in holders if hasattr(each, name))
    found: Mapping[str, str] = getattr(holder, name)
    return found


def compile_all() -> None:
    """Compile every template in every language: one that is wrong stops the start, not a reader."""
    for tag in language.languages():
        made = environment(tag)
        for name in made.list_templates():
            made.get_template(name)


@cache
def static_address(name: str) -> str:
    """Return the address of a static file; it changes with its content, so it may be kept."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def page(
    request: Request,
    template: str,
    *,
    principal: Principal | None = None,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """Return the page that `template` makes of `values` in the reader's language."""
    reader = language.of_request(request)
    text = (
        environment(reader.tag)
        .get_template(template)
        .render(
            request=request,
            principal=principal,
            now=whole(request).now(),
            large=request.cookies.get(TYPE_COOKIE) == LARGE,
            **values,
        )
    )
    response = HTMLResponse(text, status, headers={"Content-Language": reader.tag})
    if request.query_params.get(PARAMETER) == reader.tag:
        remember(response, COOKIE, reader.tag, secure=whole(request).settings.secure_cookies)
    return response


def remember(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Have the browser keep a choice of how pages are shown."""
    response.set_cookie(
        name, value, max_age=REMEMBERED_S, httponly=True, samesite="lax", secure=secure
    )
