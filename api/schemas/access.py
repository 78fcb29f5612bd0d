"""Logins and API keys as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.permission import Permission, Role
from api.schemas.values import Answer

if TYPE_CHECKING:
    from api.store.keys import Key
    from api.store.logins import LoginHead

Name = Annotated[str, Field(min_length=1, max_length=200)]
Project = Annotated[
    Name | None,
    Field(
        description="Code of the project that it is of. Your own where you leave it out; who is of "
        "none must say it, but for what manages the installation."
    ),
]


class LoginShown(Answer):
    """Somebody who can sign in."""

    name: str
    role: str
    accounts: list[str] = Field(description="Codes of the accounts that it is bound to.")
    project: str | None = Field(description="Code of its project; null: the installation's staff.")
    created_at: datetime

    @classmethod
    def of(cls, head: LoginHead) -> LoginShown:
        return cls(
            name=head.name,
            role=head.role.value,
            accounts=list(head.accounts),
            project=head.project,
            created_at=head.created_at,
        )


class NewLogin(BaseModel):
    """A login to add."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "li", "role": "owner", "accounts": ["A-1-201"]}]},
    )

    name: Name
    role: Role
    accounts: Annotated[list[Name], Field(max_length=100)] = []
    project: Project = None


class LoginAdded(Answer):
    """A login with its password, which is shown this once."""

    name: str
    role: str
    password: str


class KeyShown(Answer):
    """A key without its secret. `last_used_at` is exact to the hour."""

    id: int
    name: str
    scopes: list[str]
    gateway: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: Key) -> KeyShown:
        return cls(
            id=key.id,
            name=key.name,
            scopes=sorted(key.scopes),
            gateway=key.gateway,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
        )


class NewKey(BaseModel):
    """A key to add. `gateway`: the only one that it reports as, else `name`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "payments", "scopes": ["bills:read"], "days": 365}]
        },
    )

    name: Name
    scopes: Annotated[list[Permission], Field(min_length=1)]
    gateway: Name | None = None
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    project: Project = None


class KeyAdded(Answer):
    """A key, which is shown this once: send it as `Authorization: Bearer …`."""

    name: str
    key: str
