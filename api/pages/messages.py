"""The pages of what messages say: seen, changed with a preview, kept version by version, reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from api import language as languages
from api import problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.delivery.event import Kind
from billing.delivery.letter import values_of_newest
from billing.delivery.shipped import shipped
from billing.delivery.wording import LANGUAGES, LONGEST, SAMPLES, Texts, check, render
from billing.store import delivery_texts, projects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from billing.delivery.wording import Message

ZONE = ZoneInfo("UTC")
router = APIRouter(include_in_schema=False, prefix="/messages")

Writer = Annotated[Principal, Depends(PageRequires(Permission.MESSAGES_WRITE))]
Writing = Annotated[Principal, Depends(FormRequires(Permission.MESSAGES_WRITE))]
Tag = Annotated[str, Path(max_length=10)]
Code = Annotated[str, Query(max_length=200)]
Part = Annotated[str, Form(max_length=max(LONGEST.values()))]


@dataclass(frozen=True, slots=True)
class Which:
    """Whose texts of what in which language."""

    kind: Kind
    language: str
    project: str = ""

    @property
    def address(self) -> str:
        asked = f"?project={quote(self.project)}" if self.project else ""
        return f"/messages/{self.kind}/{self.language}{asked}"


def _which(kind: Kind, language: Tag, project: Code = "") -> Which:
    if language not in LANGUAGES:
        raise ProblemError(problems.NOT_FOUND)
    return Which(kind, language, project)


def _texts(subject: Part = "", text: Part = "", html: Part = "", short: Part = "") -> Texts:
    return Texts(
        subject=subject,
        text=text.replace("\r\n", "\n"),
        html=html.replace("\r\n", "\n"),
        short=short,
    )


Typed = Annotated[Texts, Depends(_texts)]
Seen = Annotated[int, Form(ge=0, lt=2**31)]
Subject = Annotated[str, Form(max_length=200)]


@router.get("")
async def show_messages(request: Request, caller: Writer, project: Code = "") -> Response:
    """Every kind of message in every language, and whose texts count."""
    with of(request).database.snapshot() as connection:
        known = projects.listed(connection)
        whose = _project(connection, project or known[0].code)
        newest = delivery_texts.newest(connection, whose)
    return page(
        request,
        "messages.html",
        principal=caller,
        newest={(kind, tag): newest.get((kind, tag)) for kind in Kind for tag in LANGUAGES},
        projects=known,
        project=project or known[0].code,
        tags=languages.languages(),
    )


@router.get("/{kind}/{language}")
async def show_texts(
    request: Request, caller: Writer, which: Annotated[Which, Depends(_which)]
) -> Response:
    """The texts of one kind in one language, as a form, and what they come to."""
    return _texts_page(request, caller, which)


@router.post("/{kind}/{language}/preview")
async def preview(
    *,
    request: Request,
    caller: Writing,
    which: Annotated[Which, Depends(_which)],
    typed: Typed,
    seen: Seen = 0,
    about: Subject = "",
) -> Response:
    """What the form's texts come to; nothing is kept."""
    return _texts_page(request, caller, which, typed=typed, seen=seen, about=about.strip())


@router.post("/{kind}/{language}")
async def store(
    *,
    request: Request,
    caller: Writing,
    which: Annotated[Which, Depends(_which)],
    typed: Typed,
    seen: Seen = 0,
) -> Response:
    """Keep the form's texts as a new version."""
    now = of(request).now()

    def put(connection: Connection, whose: int) -> None:
        delivery_texts.put(
            connection,
            whose,
            which.kind,
            which.language,
            typed,
            actor=caller.name,
            now=now,
            seen=seen,
        )

    problem = await _changed(request, which, put)
    if problem is not None:
        return _texts_page(request, caller, which, typed=typed, seen=seen, problem=problem)
    return RedirectResponse(which.address, 303)


@router.post("/{kind}/{language}/reset")
async def reset(
    *, request: Request, caller: Writing, which: Annotated[Which, Depends(_which)], seen: Seen = 0
) -> Response:
    """Go back to the texts that Tallygate brings."""
    now = of(request).now()

    def drop(connection: Connection, whose: int) -> None:
        delivery_texts.drop(
            connection, whose, which.kind, which.language, actor=caller.name, now=now, seen=seen
        )

    problem = await _changed(request, which, drop)
    if problem is not None:
        return _texts_page(request, caller, which, problem=problem)
    return RedirectResponse(which.address, 303)


async def _changed(
    request: Request, which: Which, change: Callable[[Connection, int], None]
) -> ProblemError | None:
    """Make a change to the texts of a project; return why it is refused, None where it is made."""

    def work() -> None:
        with of(request).database.transaction() as connection:
            change(connection, _project(connection, which.project))

    try:
        await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return as_problem(error)
    return None


def _project(connection: Connection, code: str) -> int:
    try:
        return projects.chosen(connection, code or None)
    except projects.UnknownProjectError as error:
        raise ProblemError(problems.NOT_FOUND) from error


def _texts_page(
    request: Request,
    caller: Principal,
    which: Which,
    *,
    typed: Texts | None = None,
    seen: int | None = None,
    about: str = "",
    problem: ProblemError | None = None,
) -> Response:
    with of(request).database.snapshot() as connection:
        whose = _project(connection, which.project)
        kept = delivery_texts.versions(connection, whose, which.kind, which.language)
        values = _real(request, connection, caller, which, whose=whose, about=about)
    newest = kept[0] if kept else None
    brought = shipped(which.kind, which.language)
    shown = typed or (newest and newest.texts) or brought
    message = None
    try:
        message = _made(which.kind, shown, values)
    except DOMAIN_ERRORS as error:
        problem = problem or as_problem(error)
    return page(
        request,
        "message.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        which=which,
        texts=shown,
        longest=LONGEST,
        names=SAMPLES[which.kind],
        message=message,
        real=values is not None,
        about=about,
        sees_bills=caller.may(Permission.BILLS_READ),
        seen=(newest.number if newest else 0) if seen is None else seen,
        own=newest is not None and newest.texts is not None,
        versions=kept,
        zone=ZONE,
    )


def _real(
    request: Request,
    connection: Connection,
    caller: Principal,
    which: Which,
    *,
    whose: int,
    about: str,
) -> Mapping[str, str] | None:
    """Return the values of an event that has happened; None for who may not see what it is of.

    The link that confirms an address is nobody else's.
    """
    if not caller.may(Permission.BILLS_READ) or which.kind is Kind.ADDRESS_STATED:
        return None
    links = of(request).settings.public_address or str(request.base_url)
    return values_of_newest(
        connection, whose, which.kind, language=which.language, links=links, subject=about
    )


def _made(kind: Kind, texts: Texts, values: Mapping[str, str] | None) -> Message:
    """Return what `texts` come to; raise `TemplateRefusedError` that says what is wrong where."""
    check(kind, texts)
    return render(kind, texts, SAMPLES[kind] if values is None else values)
