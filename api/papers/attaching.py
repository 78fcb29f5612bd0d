"""Bills as files that mails carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import english, languages
from api.papers.bill import bill_paper
from api.papers.typesetting import MEDIA_TYPE, UnsettableError, typeset
from billing.delivery.attachment import Attachment, NotAttachableError
from billing.store.views import bills
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from api.papers.paper import Paper
    from api.papers.sealing import Seals


def attached_bill(
    seals: Seals | None, connection: Connection, number: str, language: str
) -> Attachment | None:
    """Return the issued bill `number` as a file; see `billing.delivery.attachment.BillPapers`."""
    found = bills.bill(connection, Scope(), number)
    if found is None:
        return None
    paper = bill_paper(found, languages().get(language, english()), seals)
    return Attachment(f"{number}.pdf", MEDIA_TYPE, lambda: _made(paper))


def _made(paper: Paper) -> bytes:
    try:
        return typeset(paper)
    except UnsettableError as error:
        raise NotAttachableError(str(error)) from error
