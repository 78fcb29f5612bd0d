"""The OpenAPI document: what FastAPI says wrongly of us is put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import problems

if TYPE_CHECKING:
    from fastapi import FastAPI

JSON = "application/json"


def tell_problems_as_problems(app: FastAPI) -> None:
    """Let the document say that problems come as `application/problem+json`.

    FastAPI files the model of every response under the media type of its route's answers.
    """
    made = app.openapi

    def document() -> dict[str, Any]:
        found = made()
        for operations in found["paths"].values():
            for operation in operations.values():
                for response in operation["responses"].values():
                    content = response.get("content", {})
                    if problems.MEDIA_TYPE in content and JSON in content:
                        content[problems.MEDIA_TYPE] |= content.pop(JSON)
        return found

    app.openapi = document  # type: ignore[method-assign] # as FastAPI documents it
