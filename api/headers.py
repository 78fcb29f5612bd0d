"""Headers that every answer carries: what a browser may load, and that nothing is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self';"
    " manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
VARY = "Accept, Accept-Language, Authorization, Cookie"
"""What an answer depends on beside its address: who asks, and in which form and language."""
STATIC = "/static/"
A_YEAR_S = 365 * 24 * 3600


class SecurityHeaders:
    """Adds the headers to every answer, errors included. `secure`: the site speaks HTTPS only."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._fixed = {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        }
        if secure:
            self._fixed["Strict-Transport-Security"] = f"max-age={A_YEAR_S}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Bills are personal; what is static carries its content's digest in its address.
        kept = scope["path"].startswith(STATIC)
        caching = f"public, max-age={A_YEAR_S}, immutable" if kept else "no-store"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._fixed.items():
                    headers[name] = value
                headers["Cache-Control"] = caching if message["status"] < 400 else "no-store"
                if not kept:
                    headers.add_vary_header(VARY)
            await send(message)

        await self._app(scope, receive, send_with_headers)
