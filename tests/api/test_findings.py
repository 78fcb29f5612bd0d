"""Each kind of finding in one sentence with its values, in both languages."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from api import findings, terms
from api.language import languages
from api.schemas.findings import FoundInUse
from billing import evidence, tables
from billing.canonical import read_json
from billing.vee.findings import (
    HighUse,
    LowUse,
    MasterMismatch,
    Spike,
    SplitByDays,
    Stuck,
    SumMismatch,
    ZeroTooLong,
)
from billing.vee.reviews import Decision, Reviewed
from meters.demand import UnknownDemand
from meters.finding import (
    CoarseRegister,
    Estimated,
    Exchanged,
    Finding,
    Interpolated,
    RatioChanged,
    Rescaled,
    RolledOver,
    TruedUp,
    VerificationExpired,
)

if TYPE_CHECKING:
    from conftest import House

AT, LATER = datetime(2026, 10, 1, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)
DAY = date(2026, 10, 3)
USE, LESS = Decimal("1234.5"), Decimal(2)
EVERY: tuple[Finding, ...] = (
    Interpolated("E1", AT, AT, LATER),
    Exchanged(AT, "E1", "E2"),
    RolledOver("E1"),
    RatioChanged(AT, "E1", LESS, USE),
    Rescaled("E1", LESS, USE),
    VerificationExpired("E1", AT),
    CoarseRegister("E1", LESS, USE),
    Estimated("E1", AT, USE, "like-day"),
    TruedUp("E1", USE),
    Reviewed(7, Decision.ACCEPT, "HighUse", "li", AT, "他们出租了房间"),
    SplitByDays("E1", DAY),
    UnknownDemand(15, 90, 96),
    HighUse(USE, LESS),
    LowUse(LESS, USE),
    Spike(DAY, USE, LESS),
    ZeroTooLong(DAY, 9),
    Stuck(DAY, 9),
    SumMismatch("its days", USE, LESS),
    MasterMismatch(USE, LESS),
)
SAID = {
    "Interpolated": (
        (
            "Meter E1 was not read at 2026-10-01 09:00:00; the register was interpolated between "
            "2026-10-01 09:00:00 and 2026-10-02 08:00:00."
        ),
        (
            "表 E1 在 2026-10-01 09:00:00 没有读数，止度由 2026-10-01 09:00:00 与 "
            "2026-10-02 08:00:00 的读数内插得出。"
        ),
    ),
    "Estimated": (
        (
            "Meter E1 was not read at 2026-10-01 09:00:00; 1,234.5 is an estimate (by the same "
            "weekdays before), which its next reading corrects."
        ),
        (
            "表 E1 在 2026-10-01 09:00:00 没有读数；1,234.5 为估计值（按前几周的同一星期几），"
            "下次读数时更正。"
        ),
    ),
    "Reviewed": (
        "A clerk decided on 1 Oct 2026: what was found is billed as it is. Reason: 他们出租了房间",
        "工作人员于 2026年10月1日 决定：按所见如实计费。理由：他们出租了房间",
    ),
    "HighUse": (
        "1,234.5 kWh a day, 2 kWh in the months before: far more was used.",
        "日均 1,234.5 kWh，前几个月日均 2 kWh：用量明显偏高。",
    ),
    "SumMismatch": (
        "Its days come to 1,234.5 kWh, the register counted 2 kWh.",
        "各日 合计 1,234.5 kWh，而寄存器计得 2 kWh。",
    ),
}


def said(finding: Finding, tag: str) -> str:
    zone, language = ZoneInfo("Asia/Shanghai"), languages()[tag]
    return findings.sentence(evidence._finding(finding), "kWh", zone, language)


def test_programs_get_a_code_the_values_and_a_sentence() -> None:
    document, zone = evidence._finding(HighUse(USE, LESS)), ZoneInfo("Asia/Shanghai")
    for tag, sentence in zip(("en", "zh-CN"), SAID["HighUse"], strict=True):
        found = FoundInUse.of(document, "kWh", zone, languages()[tag])
        assert found.model_dump() == {
            "code": "HighUse",
            "values": {"daily": "1234.5", "average": "2"},
            "text": sentence,
        }


def test_usage_is_answered_with_what_was_found_about_it(billed: House) -> None:
    with billed.database.transaction() as connection:
        for name in connection.scalars(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        row = connection.execute(select(tables.usage).order_by(tables.usage.c.id.desc())).first()
        assert row is not None
        document = {**read_json(row.evidence), "findings": [evidence._finding(LowUse(LESS, USE))]}
        changed = tables.usage.update().values(evidence=json.dumps(document))
        connection.execute(changed)
    for tag, sentence in (("en", "far less was used"), ("zh-CN", "明显偏低")):
        answer = billed.caller("li").get("/v1/usage?limit=1", headers={"Accept-Language": tag})
        (found,) = answer.json()["items"][0]["usage"]["findings"]
        assert (found["code"], found["values"]) == ("LowUse", {"daily": "2", "average": "1234.5"})
        assert sentence in found["text"]


def test_every_kind_is_tried_here() -> None:
    assert {type(each).__name__ for each in EVERY} == set(terms.FINDINGS)


@pytest.mark.parametrize("finding", EVERY, ids=lambda each: type(each).__name__)
def test_a_finding_is_said_in_the_language_of_the_reader(finding: Finding) -> None:
    english, chinese = said(finding, "en"), said(finding, "zh-CN")

    assert re.findall(r"[{}\u4e00-\u9fff]", english.removesuffix("他们出租了房间")) == []
    assert set(re.findall(r"[A-Za-z]{2,}", chinese)) <= {"kWh", "E1", "E2"}


@pytest.mark.parametrize("kind", SAID)
def test_a_finding_is_told_with_its_values(kind: str) -> None:
    (finding,) = (each for each in EVERY if type(each).__name__ == kind)

    assert (said(finding, "en"), said(finding, "zh-CN")) == SAID[kind]
