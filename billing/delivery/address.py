"""Where a person is told something: an address of e-mail, or the number of a phone."""

from __future__ import annotations

import re

from meters.told import told

EMAIL, SMS = "email", "sms"

LONGEST = 254
LONGEST_LOCAL = 64
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})+")
_PHONE = re.compile(r"\+?[0-9]{6,15}")


class AddressError(ValueError):
    """Nothing can be sent there; the message says why."""


def checked(channel: str, address: str) -> str:
    """Return `address` as it is kept; raise `AddressError`.

    A mail address is one of RFC 5321 in ASCII, without quotes and comments; a number is E.164, or
    that of one's own country.
    """
    address = address.strip()
    if channel == EMAIL:
        found = _MAIL.fullmatch(address) if len(address) <= LONGEST else None
        if found is None or len(found["local"]) > LONGEST_LOCAL:
            raise AddressError(told("is no e-mail address such as li@example.com"))
        return address
    number = re.sub(r"[ ()-]", "", address)
    if _PHONE.fullmatch(number) is None:
        raise AddressError(told("is no phone number such as 13800001234 or +49 30 1234567"))
    return number
