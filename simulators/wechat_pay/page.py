"""The payer's side as a page: what a phone shows after the scan, in Chinese and English.

It loads nothing from anywhere, and works without scripts.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from simulators.wechat_pay.books import TradeState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.wechat_pay.books import Order

CHINESE, ENGLISH = "zh-CN", "en"
_WORDS = {
    CHINESE: {
        "title": "模拟微信支付",
        "note": "这是模拟器：不会产生真实扣款。",
        "scan": "输入或粘贴二维码内容",
        "look": "扫一扫",
        "pay": "支付",
        "none": "没有待支付的订单。",
        "other": "English",
        TradeState.NOTPAY: "待支付",
        TradeState.SUCCESS: "支付成功",
        TradeState.REFUND: "已退款",
        TradeState.CLOSED: "已关闭",
    },
    ENGLISH: {
        "title": "Simulated WeChat Pay",
        "note": "A simulator: no money moves.",
        "scan": "Type or paste what the QR code says",
        "look": "Scan",
        "pay": "Pay",
        "none": "No order waits to be paid.",
        "other": "中文",
        TradeState.NOTPAY: "to be paid",
        TradeState.SUCCESS: "paid",
        TradeState.REFUND: "refunded",
        TradeState.CLOSED: "closed",
    },
}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#ededed;color:#191919}
main{max-width:26rem;margin:0 auto;padding:1rem}
h1{font-size:1.1rem}section{background:#fff;border-radius:8px;padding:1rem;margin:.75rem 0}
b{display:block;font-size:1.8rem}small{color:#666;overflow-wrap:anywhere}
button{width:100%;padding:.7rem;border:0;border-radius:8px;background:#057a3e;color:#fff;
font-size:1rem}input{width:100%;box-sizing:border-box;padding:.6rem;margin:.25rem 0 .5rem}
.problem{color:#a40000}
"""


def language_of(asked: str | None, accepted: str) -> str:
    """Return the language of a reader who `asked` for one, or whose browser `accepted` some."""
    if asked in _WORDS:
        return asked
    first = accepted.partition(",")[0].strip().lower()
    return ENGLISH if first.startswith("en") else CHINESE


def yuan(fen: int) -> str:
    """Return `fen` as a payer reads it."""
    return f"¥{fen // 100}.{fen % 100:02d}"


def page(
    orders: Iterable[Order], language: str, *, code: str | None = None, problem: str = ""
) -> str:
    """Return the page that shows `orders`, each with a button where it can be paid.

    `code` is what was scanned; `problem` what is to be told first.
    """
    words = _WORDS[language]
    other = ENGLISH if language == CHINESE else CHINESE
    shown_here = {} if code is None else {"code": code}
    again = f"/{'scan' if shown_here else ''}?{urlencode({'lang': other, **shown_here})}"
    shown = "".join(_order(order, language) for order in orders) or f"<p>{words['none']}</p>"
    told = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words['title']}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{words['title']}</h1><p><small>{words['note']}</small> "
        f'<a href="{escape(again)}" lang="{other}">{words["other"]}</a></p>{told}'
        f'<form action="/scan"><input type="hidden" name="lang" value="{language}">'
        f'<label>{words["scan"]}<input name="code" required></label>'
        f"<button>{words['look']}</button></form>{shown}</main></body></html>"
    )


def _order(order: Order, language: str) -> str:
    words = _WORDS[language]
    button = (
        f'<form method="post" action="/pay"><input type="hidden" name="lang" value="{language}">'
        f'<input type="hidden" name="number" value="{escape(order.number)}">'
        f"<button>{words['pay']}</button></form>"
        if order.state is TradeState.NOTPAY
        else ""
    )
    return (
        f"<section><span>{escape(order.asked.description)}</span>"
        f"<b>{yuan(order.asked.amount.total)}</b>"
        f"<small>{escape(order.number)} · {words[order.state]}</small>{button}</section>"
    )
