"""How numbers, units, days and instants are written for a reader. Nothing is rounded here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from babel.dates import format_date, format_skeleton, format_timedelta

from api.language import languages, plural
from billing.money import from_fen
from meters.quantity import from_scaled, plain

if TYPE_CHECKING:
    from datetime import date, datetime
    from fractions import Fraction
    from zoneinfo import ZoneInfo

    from api.language import Language
    from meters.interval import Period

CURRENCY_SYMBOLS = {"CNY": "¥"}
UNIT_NAMES = {
    "m3": "m³",
    "m2": "m²",
    "m2·d": "m²·d",
    "m3/h": "m³/h",
    "subscribed_kva": "kVA",
    "degC": "°C",
    "1": "",
}
COUNTED = {
    "month": plural("month", "months"),
    "day": plural("day", "days"),
    "period": plural("period", "periods"),
    "package": plural("package", "packages"),
    "household": plural("household", "households"),
    "persons": plural("person", "persons"),
    "dwellings": plural("dwelling", "dwellings"),
    "car_spaces": plural("car space", "car spaces"),
}
"""What is counted one by one, by its name in tariffs: one of it, and more."""
STORAGE = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
MINUS = "−"
MEDIUM = "medium"
DAYS_KEPT = 4096
ONE = Decimal(1)
FRACTION_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Formats:
    """The ways to write values in one language."""

    language: Language

    def number(self, value: Decimal) -> str:
        """Write `value` exactly, with thousands apart: `1,234.5`."""
        whole, point, decimals = plain(value.copy_abs()).partition(".")
        return (MINUS if value < 0 else "") + f"{int(whole):,}" + point + decimals

    def unit(self, symbol: str, count: Decimal = ONE) -> str:
        """Write the name of a unit as it stands after `count`."""
        if symbol in COUNTED:
            return self.language.plural(*COUNTED[symbol], 1 if count == ONE else 2)
        return UNIT_NAMES.get(symbol, symbol)

    def quantity(self, scaled: int, unit: str = "") -> str:
        """Write an integer of 10⁻⁴ of `unit`: `312.4 kWh`."""
        return self.measure(from_scaled(scaled), unit)

    def measure(self, value: Decimal, unit: str = "") -> str:
        if unit in CURRENCY_SYMBOLS:
            return self.exact_money(value, unit)
        name = self.unit(unit, value)
        return f"{self.number(value)} {name}" if name else self.number(value)

    def money(self, fen: int, currency: str = "CNY") -> str:
        """Write an amount in fen: `¥2,852.00`."""
        sign = MINUS if fen < 0 else ""
        return f"{sign}{CURRENCY_SYMBOLS.get(currency, currency)}{from_fen(abs(fen)):,}"

    def exact_money(self, amount: Decimal, currency: str = "CNY") -> str:
        """Write an amount or price with all its decimals, two at least: `¥0.538`, `¥168.0712`."""
        whole, _point, decimals = plain(amount.copy_abs()).partition(".")
        sign = MINUS if amount < 0 else ""
        symbol = CURRENCY_SYMBOLS.get(currency, currency)
        return f"{sign}{symbol}{int(whole):,}.{decimals.ljust(2, '0')}"

    def fraction(self, value: Fraction, symbol: str = "") -> str:
        """Write an exact fraction to six decimals, with … where it goes on."""
        scale = 10**FRACTION_DECIMALS
        scaled, rest = divmod(abs(value.numerator) * scale, value.denominator)
        text = self.number(Decimal(scaled).scaleb(-FRACTION_DECIMALS))
        sign = MINUS if value < 0 else ""
        return f"{sign}{symbol}{text}{'…' if rest else ''}"

    def percent(self, share: Decimal) -> str:
        """Write a share of one: `10%`."""
        return f"{self.number(share.scaleb(2))}%"

    def month(self, period: Period) -> str:
        return self.month_of(period.first)

    def month_of(self, first: date) -> str:
        return _day("yMMMM", first, self.language.tag)

    def short_month(self, period: Period) -> str:
        return format_skeleton("MMM", period.first, locale=self.language.locale)

    def day(self, day: date) -> str:
        return _day(MEDIUM, day, self.language.tag)

    def short_day(self, day: date) -> str:
        return _day("MMMd", day, self.language.tag)

    def first_day(self, period: Period) -> str:
        return self.short_day(period.first)

    def last_day(self, period: Period) -> str:
        return self.short_day(period.after - timedelta(days=1))

    def instant(self, moment: datetime, zone: ZoneInfo) -> str:
        """Write an instant in the local time of `zone`, to the second."""
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

    def bytes(self, count: int) -> str:
        """Write an amount of storage: `40.9 kB`, `1.2 GB`; cut, not rounded."""
        scale, symbol = next((each for each in STORAGE if count >= each[0]), (1, "B"))
        tenths = count * 10 // scale
        return f"{tenths // 10:,}{f'.{tenths % 10}' if scale > 1 else ''} {symbol}"

    def age(self, length: timedelta) -> str:
        """Write how long ago something was: `3 minutes`."""
        return format_timedelta(length, locale=self.language.locale, threshold=1.5)


@lru_cache(maxsize=DAYS_KEPT)
def _day(form: str, day: date, tag: str) -> str:
    """Write `day` in `form`, `MEDIUM` or a skeleton of CLDR; a page names few days many times."""
    locale = languages()[tag].locale
    if form == MEDIUM:
        return format_date(day, form, locale=locale)
    return format_skeleton(form, day, locale=locale)
