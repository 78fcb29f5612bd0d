"""The audit log as `/v1` answers it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from api.schemas.values import Answer
from billing.canonical import read_json

if TYPE_CHECKING:
    from billing.store.audit import Entry


class AuditEntry(Answer):
    """What somebody did. Each entry's digest covers the one before."""

    position: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    digest: str = Field(description="SHA-256 of the entry and of the digest before it.")

    @classmethod
    def of(cls, entry: Entry) -> AuditEntry:
        return cls(
            position=entry.position,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            detail=read_json(entry.detail),
            digest=entry.digest,
        )
