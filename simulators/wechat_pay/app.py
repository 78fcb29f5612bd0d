"""The platform over HTTP: the merchant's API, the payer's page, and controls for tests."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from meters.definition import DefinitionError, validate
from simulators.wechat_pay.books import NotPayableError, RefundStatus
from simulators.wechat_pay.faults import Faults
from simulators.wechat_pay.key_mode import KeyMode
from simulators.wechat_pay.merchant import Call
from simulators.wechat_pay.page import language_of, page
from simulators.wechat_pay.refusal import RefusalError
from simulators.wechat_pay.wire import InAppCall, parsed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from simulators.wechat_pay.delivery import Deliveries
    from simulators.wechat_pay.platform import Platform

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class LostResponse(Response):
    """An answer that breaks off before its body: the client sees a broken connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class ServedPlatform:
    """`platform` on the loop that serves it; what it has to tell is delivered from here.

    `deliveries` is made on that loop, and lives as long as it serves.
    """

    def __init__(
        self,
        platform: Platform,
        clock: Callable[[], datetime],
        deliveries: Callable[[], Deliveries],
    ) -> None:
        self.platform = platform
        self.deliveries: Deliveries
        self._clock = clock
        self._made = deliveries

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/v3/{rest:path}", self._api, methods=METHODS),
                Route("/", self._overview),
                Route("/scan", self._scan),
                Route("/pay", self._pay, methods=["POST"]),
                Route("/simulator/orders", self._orders),
                Route("/simulator/pay", self._pay_by_program, methods=["POST"]),
                Route("/simulator/request-payment", self._pay_in_app, methods=["POST"]),
                Route("/simulator/settle", self._settle, methods=["POST"]),
                Route("/simulator/faults", self._faults, methods=["GET", "PUT"]),
                Route("/simulator/keys", self._keys, methods=["PUT"]),
                Route("/simulator/certificate", self._certificate, methods=["POST"]),
                Route("/simulator/notices", self._notices),
            ],
            exception_handlers={
                NotPayableError: _refused,
                RefusalError: _refused,
                DefinitionError: _refused,
                TypeError: _refused,
                ValueError: _refused,
            },
            lifespan=self._lifespan,
        )

    def pay(self, number: str, *, openid: str | None = None, coupon_fen: int = 0) -> None:
        """Let somebody pay an order; raise `NotPayableError` where nobody can."""
        notice = self.platform.pay(number, self._clock(), openid=openid, coupon_fen=coupon_fen)
        self.deliveries.tell(notice)

    def settle(self, number: str, status: RefundStatus) -> None:
        """Say what became of a refund."""
        notice = self.platform.settle(number, status, self._clock())
        if notice is not None:
            self.deliveries.tell(notice)

    def change_certificate(self) -> str:
        """Sign by a new certificate from now on; return its serial."""
        return self.platform.keys.change_certificate(self._clock())

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.deliveries = self._made()
        try:
            yield
        finally:
            await self.deliveries.end()

    async def _api(self, request: Request) -> Response:
        target = request.scope["raw_path"].decode("ascii")
        if request.url.query:
            target += "?" + request.scope["query_string"].decode("ascii")
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, target, headers, await request.body())
        reply = self.platform.answer(call, self._clock())
        self.deliveries.settle_refunds()
        if reply.lost:
            return LostResponse()
        return Response(reply.body, reply.status, reply.headers)

    async def _overview(self, request: Request) -> Response:
        orders = reversed(self.platform.books.orders.values())
        return HTMLResponse(page(list(orders)[:20], _language(request)))

    async def _scan(self, request: Request) -> Response:
        code = request.query_params.get("code", "").strip()
        orders = self.platform.books.orders.values()
        found = [order for order in orders if code in (order.token, order.number)]
        problem = "" if found else f"二维码无效 · no such code: {code}"
        shown = page(found, _language(request), code=code, problem=problem)
        return HTMLResponse(shown, 200 if found else 404)

    async def _pay(self, request: Request) -> Response:
        form = await request.form()
        number, language = str(form.get("number", "")), language_of(str(form.get("lang")), "")
        try:
            self.pay(number)
        except NotPayableError as error:
            return HTMLResponse(page([], language, problem=str(error)), 409)
        return RedirectResponse(
            str(request.url_for("_scan").include_query_params(code=number, lang=language)), 303
        )

    async def _orders(self, _: Request) -> Response:
        return JSONResponse(
            [
                order.document() | {"token": order.token, "description": order.asked.description}
                for order in self.platform.books.orders.values()
            ]
        )

    async def _pay_by_program(self, request: Request) -> Response:
        asked = await _asked(request)
        number = str(asked.get("out_trade_no", ""))
        self.pay(number, openid=asked.get("openid"), coupon_fen=int(asked.get("coupon_fen", 0)))
        return JSONResponse(self.platform.books.order(number).document())

    async def _pay_in_app(self, request: Request) -> Response:
        number = self.platform.called_for(parsed(InAppCall, await request.body()))
        self.pay(number)
        return JSONResponse(self.platform.books.order(number).document())

    async def _settle(self, request: Request) -> Response:
        asked = await _asked(request)
        number = str(asked.get("out_refund_no", ""))
        self.settle(number, RefundStatus(asked.get("status", RefundStatus.SUCCESS)))
        return JSONResponse(self.platform.books.refund_of(number).document())

    async def _faults(self, request: Request) -> Response:
        if request.method == "PUT":
            self.platform.faults = validate(Faults, await _asked(request), "faults")
        return JSONResponse(self.platform.faults.model_dump())

    async def _keys(self, request: Request) -> Response:
        self.platform.keys.mode = KeyMode(str((await _asked(request)).get("mode")))
        return JSONResponse({"mode": self.platform.keys.mode})

    async def _certificate(self, _: Request) -> Response:
        return JSONResponse({"serial_no": self.change_certificate()})

    async def _notices(self, _: Request) -> Response:
        return JSONResponse([asdict(tried) for tried in self.deliveries.tries])


async def _asked(request: Request) -> dict[str, Any]:
    """Return the JSON object of a control's body, an empty one for none."""
    asked = json.loads(await request.body() or b"{}")
    if not isinstance(asked, dict):
        raise ValueError("the body must be a JSON object")
    return asked


def _language(request: Request) -> str:
    return language_of(request.query_params.get("lang"), request.headers.get("accept-language", ""))


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"problem": str(error)}, 409 if isinstance(error, NotPayableError) else 400)
