"""What a mail may carry beside its text: a bill as a file, made by whoever knows how it looks.

Pages and papers stand above this package, so they hand in the way to a paper as a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from billing.delivery.event import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

OF_A_BILL = frozenset({Kind.BILL_ISSUED, Kind.CORRECTION_ISSUED})
"""The events whose mails carry the bill that they tell of."""


class NotAttachableError(RuntimeError):
    """A file could not be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of `media_type`; `make` gives its bytes, and raises `NotAttachableError`.

    It is made when the mail is sent, with no transaction open, and is the same at every try.
    """

    name: str
    media_type: str
    make: Callable[[], bytes]


class BillPapers(Protocol):
    """The way to a bill as a file."""

    def __call__(self, connection: Connection, number: str, language: str) -> Attachment | None:
        """Return the bill `number` in `language`, a tag as `zh-CN`; None where there is none."""
        ...
