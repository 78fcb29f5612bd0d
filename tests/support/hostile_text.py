"""Texts that break what takes them for something else than text."""

from __future__ import annotations

MARKUP = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")
"""What a page must never hold as it is."""

HOSTILE = (
    "' OR '1'='1' --",
    '"; DROP TABLE bill; --',
    "1); UPDATE bill_line SET amount = 0; --",
    "%27%20UNION%20SELECT%20password_hash%20FROM%20login",
    *MARKUP,
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}x{% endfor %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "%s%s%s%n{0}{name.__class__}",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "file:///etc/passwd",
    "$(id)`id`;id|id&id",
    '=HYPERLINK("http://example.com","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "name\r\nSet-Cookie: tallygate=forged",
    "nul\x00byte",
    "\x1b[2J\x07\x7f\x85",
    "\u202eright to left\u2066",
    "\ufeff\u200b\u2028\u2029",
    "a\u0301" * 200,
    "𠮷野家 𪚥 🏠",
    "１２３４",
    "9" * 400,
    "-1",
    "1e400",
    "NaN",
    "Infinity",
    "0x7fffffffffffffff",
    str(2**63),
    "2026-13-45",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    " ",
    "",
    "x" * 20_000,
    '{"$ne": null}',
    "*)(uid=*))(|(uid=*",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
)
"""Written for SQL, HTML, templates, formats, paths, shells, spreadsheets, headers, terminals,
numbers, dates, LDAP, XML and document stores; and letters that are rare, combined, invisible or too
many.
"""
