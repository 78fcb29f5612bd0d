"""Sessions as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Answer


class SignIn(BaseModel):
    """Name and password of a login."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "li", "password": "kx4ma-…"}]},
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]


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
