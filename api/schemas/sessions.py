"""Sessions as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Answer


class SignIn(BaseModel):
    """Name and password of a login, and the code of its second factor where it has one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "li", "password": "kx4ma-…"},
                {"name": "clerk", "password": "kx4ma-…", "code": "081804"},
            ]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]
    code: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="The six digits of the authenticator, or a recovery code."
    )


class TokenGiven(Answer):
    """A short token (JWT), which is shown this once: send it as `Authorization: Bearer …`."""

    token: str
    name: str
    role: str
    expires_at: datetime


class SessionOpened(Answer):
    """A session. The token is shown this once: send it as `Authorization: Bearer …`."""

    token: str
    name: str
    role: str
    expires_at: datetime
