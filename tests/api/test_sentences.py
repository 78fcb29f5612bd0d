"""Every kind of charge is said in one sentence that agrees with what it was rated with."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from api import wording
from api.language import languages
from billing.canonical import read_json
from billing.rating.evidence import input_texts, line_texts
from billing.rating.rate import rate
from billing.rating.walking import Walk
from billing.store.views.bills import BillHead, BillView, LineView
from billing.store.views.usages import UsageView
from billing.tariff import Tariff, load_tariff
from deploy.tariff_page import TARIFFS, charge_kinds
from meters.interval import Period

if TYPE_CHECKING:
    from billing.rating.subjects import Subjects

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1), ZoneInfo("Asia/Shanghai"))
HEAD = BillHead(
    id=1,
    run_id=1,
    run_state="issued",
    number="OC-2026-11-0001",
    correction=False,
    period=NOVEMBER,
    total=0,
    currency="CNY",
    issued_on=None,
    due_on=None,
    unit="1-101",
    building={"en": "Building 1"},
    community={"en": "Osmanthus Court"},
    account_id=1,
    account="A-1",
    holder="Li",
)


def used(medium: str, subjects: Subjects) -> UsageView:
    """Return the use that an example says, by register or by band."""
    bands = (int(each.quantity.sum()) for each in subjects.bands.values())
    return UsageView(
        point="1-101",
        medium=medium,
        register="import_energy",
        start=NOVEMBER.interval.start,
        end=NOVEMBER.interval.end,
        quantity=sum(int(each[0]) for each in subjects.use.values()) or sum(bands),
        unit="m3" if medium == "water" else "kWh",
        evidence={},
    )


def billed(tariff: Tariff, number: int = 0) -> BillView:
    """Return the bill of the first row of a tariff's example."""
    example = tariff.examples[number]
    row = example.rows[0]
    subjects = Walk(tariff, example).subjects(row)
    given = input_texts(subjects)
    usage = None if tariff.medium is None else used(tariff.medium, subjects)
    lines = tuple(
        LineView(
            position=position,
            charge=line.charge,
            quantity=int(line.quantity[0]),
            unit=line.unit,
            amount=int(line.amount[0]),
            tariff=tariff,
            usage=usage,
            share=None,
            correction=None,
            evidence=read_json(line_texts(given, line)[0]),
        )
        for position, line in enumerate(rate(tariff, subjects), start=1)
    )
    return BillView(HEAD, lines)


def said(bill: BillView, language: str) -> list[str]:
    return [wording.sentence(bill, line, languages()[language]) for line in bill.lines]


EXPECTED = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))


@pytest.mark.parametrize("kind", charge_kinds())
def test_every_kind_of_charge_has_its_sentence(kind: str) -> None:
    bill = billed(load_tariff(TARIFFS / f"{kind}.toml"))

    assert {language: said(bill, language) for language in languages()} == EXPECTED[kind]


def test_part_of_a_month_says_its_days() -> None:
    bill = billed(load_tariff(TARIFFS / "fixed.toml"), number=1)

    assert said(bill, "en") == ["¥15.00 a month, for 1 Nov to 12 Nov."]
    assert said(bill, "zh-CN") == ["每月 ¥15.00，11月1日至11月12日。"]


@pytest.mark.parametrize(
    ("kind", "per", "expect", "sentences"),
    [
        (
            "fixed",
            "day",
            "450.00",
            ["¥15.00 a day, for 1 Nov to 30 Nov.", "每天 ¥15.00，11月1日至11月30日。"],
        ),
        (
            "fixed",
            "period",
            "15.00",
            ["¥15.00, once for November 2026.", "¥15.00，2026年11月收取一次。"],
        ),
        (
            "per-area",
            "day",
            "6239.25",
            [
                "88.5 m² at ¥2.35 per m² and day, for 1 Nov to 30 Nov.",
                "88.5 m²，每m²每天 ¥2.35，11月1日至11月30日。",
            ],
        ),
        (
            "per-area",
            "period",
            "207.98",
            [
                "88.5 m² at ¥2.35 per m², once for November 2026.",
                "88.5 m²，每m² ¥2.35，2026年11月收取一次。",
            ],
        ),
    ],
)
def test_what_is_owed_a_day_or_once_says_so(
    tmp_path: Path, kind: str, per: str, expect: str, sentences: list[str]
) -> None:
    monthly, _, _ = (TARIFFS / f"{kind}.toml").read_text("utf-8").partition("[[example]]")
    has = 'area = "88.5"' if kind == "per-area" else ""
    tariff = tmp_path / f"{kind}.toml"
    tariff.write_text(f'{monthly}per = "{per}"\n[[example]]\n{has}\nexpect = "{expect}"\n', "utf-8")
    bill = billed(load_tariff(tariff))

    assert said(bill, "en") + said(bill, "zh-CN") == sentences
