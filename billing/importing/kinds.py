"""What a column of a sheet may hold, and how people write what there are few choices of."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a column holds; the value is how people are told."""

    CODE = "code"
    NAME = "name in small letters"
    NAMES = "names, with commas between"
    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    DAY = "date"
    MOMENT = "date and time"
    MEDIUM = "electricity or water"
    ROLE = "unit, shared or master"
    CORRECTIONS = "correction bill or next bill"


CHOICES: dict[Kind, dict[str, tuple[str, ...]]] = {
    Kind.MEDIUM: {"electricity": ("电", "用电", "电力", "电表"), "water": ("水", "用水", "水表")},
    Kind.ROLE: {
        "unit": ("户", "户表", "分户"),
        "shared": ("公摊", "公用", "公共"),
        "master": ("总表", "总"),
    },
    Kind.CORRECTIONS: {
        "correction bill": ("更正账单", "单独账单", "单独出账"),
        "next bill": ("下期账单", "下期", "并入下期"),
    },
}
"""Kinds with few values → each value, with how people write it in Chinese."""
