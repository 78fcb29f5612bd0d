"""The words of the page of the meter types, in its two languages."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CHINESE_CAVEATS = Path(__file__).with_name("caveats.zh-CN.toml")


@cache
def caveats_in(language: str) -> Mapping[str, str]:
    """Return what the caveats of the shipped types are called in `language`; as they are in `en`.

    A caveat that is missing is shown in English.
    """
    if language == "en":
        return {}
    return tomllib.loads(CHINESE_CAVEATS.read_text("utf-8"))


WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Meter types",
        "intro": (
            "Generated from the files in `meters/catalog/`: {models} models, and {variants} other "
            "firmwares or models whose map differs. None loads unless its proofs hold, and every "
            "register that bills may rest on has one. How far to trust a proof depends on where "
            "it comes from:"
        ),
        "colon": ": ",
        "capture": "capture",
        "capture.meaning": "what a real meter answered, from a log; a display or a CRC confirms it",
        "display": "display",
        "display.meaning": "an answer together with what the meter's display showed",
        "manual": "manual",
        "manual.meaning": "an example of the maker",
        "driver": "driver",
        "driver.meaning": "what a public driver or codec is tested with",
        "computed": "computed",
        "computed.meaning": (
            "made from the documented map, because no answer is public: it proves the file, not "
            "the map. Compare the first reading with the display before you bill"
        ),
        "add": (
            "A meter that is missing takes one short file and no code: see "
            "[Add a meter type](../meters/README.md#add-a-meter-type)."
        ),
        "model": "model",
        "medium": "medium",
        "way in": "way in",
        "bills from": "bills rest on",
        "proven by": "these are proven by",
        "also known as": "also known as",
        "electricity": "electricity",
        "water": "water",
        "modbus": "Modbus, function {function}",
        "order": "; words in order {order}, at most {words} a request",
        "serial": "; the factory sets the line to {line}",
        "mqtt": "MQTT",
        "topics": "; topics below the meter's: {names}",
        "lorawan": "LoRaWAN through ChirpStack or The Things Stack",
        "port": ", port {port}",
        "starts": ", payloads that begin with `{hex}`",
        "aliases": "Also known as: {names}",
        "identity": "States its own number: {where}",
        "function": "function {function}",
        "check": "Adds up, or is not trusted: {sum}, ± {tolerance}",
        "without": "Lacks {names}",
        "variant": "differs from {name} in what follows",
        "register": "register",
        "kind": "kind",
        "unit": "unit",
        "step": "step",
        "wraps": "wraps at",
        "rate": "at most an hour",
        "where": "where",
        "no value": "means no value",
        "proven": "proven",
        "kind.total": "total",
        "kind.tariff": "tariff band",
        "kind.partial": "partial",
        "kind.gauge": "gauge",
        "caveats": "Mind:",
        "proofs": "Proven by:",
    },
    "zh": {
        "title": "表计类型",
        "intro": (
            "由 `meters/catalog/` 中的文件生成：{models} 种型号，另有 {variants} "
            "种寄存器表不同的固件或型号。"
            "验证样例不成立的类型不会被加载；凡是可用于计费的寄存器都至少有一个样例。"
            "样例的可信程度取决于来源："
        ),
        "colon": "：",
        "capture": "实采",
        "capture.meaning": "真实表计的应答记录，有表计显示值或 CRC 佐证",
        "display": "显示对照",
        "display.meaning": "应答与表计显示值的对照",
        "manual": "手册",
        "manual.meaning": "厂家给出的示例",
        "driver": "驱动",
        "driver.meaning": "公开驱动或编解码器所用的测试数据",
        "computed": "推算",
        "computed.meaning": (
            "没有公开的应答，按公开的寄存器表推算：只能证明文件正确，不能证明寄存器表正确。"
            "计费之前请先与表计显示值核对"
        ),
        "add": (
            "缺少的表计只需要一个短文件，不需要写代码：见"
            "[添加表计类型](../meters/README.md#add-a-meter-type)。样例来源保留英文原文。"
        ),
        "model": "型号",
        "medium": "介质",
        "way in": "接入方式",
        "bills from": "计费寄存器",
        "proven by": "其验证依据",
        "also known as": "别名",
        "electricity": "电",
        "water": "水",
        "modbus": "Modbus，功能码 {function}",
        "order": "；字节序 {order}，每次请求最多 {words} 个字",
        "serial": "；出厂串口参数 {line}",
        "mqtt": "MQTT",
        "topics": "；表计主题之下的子主题：{names}",
        "lorawan": "LoRaWAN（经 ChirpStack 或 The Things Stack）",
        "port": "，端口 {port}",
        "starts": "，载荷以 `{hex}` 开头",
        "aliases": "别名：{names}",
        "identity": "可读取表号：{where}",
        "function": "功能码 {function}",
        "check": "读数须满足：{sum}，允差 ± {tolerance}，否则视为可疑",
        "without": "没有 {names}",
        "variant": "与 {name} 的不同之处如下",
        "register": "寄存器",
        "kind": "种类",
        "unit": "单位",
        "step": "分辨率",
        "wraps": "满量程",
        "rate": "每小时上限",
        "where": "位置",
        "no value": "表示无数据",
        "proven": "验证",
        "kind.total": "总量",
        "kind.tariff": "费率",
        "kind.partial": "可清零",
        "kind.gauge": "瞬时量",
        "caveats": "注意：",
        "proofs": "验证依据：",
    },
}
