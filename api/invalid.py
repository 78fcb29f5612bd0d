"""What is wrong with a value that a call sent, in the reader's language, with the field named.

By the kinds of error that pydantic knows (https://docs.pydantic.dev/latest/errors/validation_errors);
one that is not here is told in English, as pydantic or the rule itself says it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.language import mark as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.language import Language

NUMBER = _("{field} is no number")
WHOLE = _("{field} is no whole number")
DAY = _("{field} is no date; write it as 2026-11-30")
MOMENT = _("{field} is no time with its zone; write it as 2026-11-30T08:00:00Z")
ONE_OF = _("{field} is none of {expected}")
TEXT = _("{field} is no text")

SAID: Mapping[str, str] = {
    "missing": _("{field} is missing"),
    "extra_forbidden": _("{field} is not known here; leave it out or correct its name"),
    "string_type": TEXT,
    "string_too_long": _("{field} is too long; it may have {max_length} letters"),
    "string_too_short": _("{field} is too short; it needs {min_length} letters"),
    "string_pattern_mismatch": _("{field} is not written as it has to be: {pattern}"),
    "too_long": _("{field} holds too many; it may hold {max_length}"),
    "too_short": _("{field} holds too few; it needs {min_length}"),
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "decimal_type": NUMBER,
    "decimal_parsing": NUMBER,
    "bool_type": _("{field} is neither true nor false"),
    "bool_parsing": _("{field} is neither true nor false"),
    "greater_than": _("{field} has to be more than {gt}"),
    "greater_than_equal": _("{field} has to be at least {ge}"),
    "less_than": _("{field} has to be less than {lt}"),
    "less_than_equal": _("{field} has to be at most {le}"),
    "enum": ONE_OF,
    "literal_error": ONE_OF,
    "date_type": DAY,
    "date_parsing": DAY,
    "date_from_datetime_parsing": DAY,
    "datetime_type": MOMENT,
    "datetime_parsing": MOMENT,
    "datetime_from_date_parsing": MOMENT,
    "timezone_aware": MOMENT,
    "list_type": _("{field} is no list"),
    "model_attributes_type": _("{field} is no object"),
    "json_invalid": _("The body is no JSON: {error}"),
}


def told(error: Mapping[str, Any], language: Language) -> str:
    """Return what `error`, as pydantic has it, says about its field."""
    template, values = SAID.get(error["type"]), error.get("ctx", {})
    if template is None:
        return str(error["msg"])
    field = next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")
    if isinstance(values.get("expected"), str):
        values = {**values, "expected": values["expected"].replace(" or ", ", ")}
    return language(template).format(**{"field": field, **values})
