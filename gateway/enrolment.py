"""Enrolment: a token that an engineer made is changed, once, for the gateway's own key."""

from __future__ import annotations

import httpx

from gateway.credential import Credential

TIMEOUT_S = 30.0


class EnrolmentError(RuntimeError):
    """The API did not take the token; the message says why and what to do."""


def enrol(url: str, token: str, *, gateway: str) -> Credential:
    """Return the key that the API at `url` gives to `gateway` for `token`.

    The token is used up, also where the key then belongs to another gateway. Raises
    `EnrolmentError`.
    """
    address = f"{url}/v1/gateway/enrolment"
    try:
        response = httpx.post(address, json={"token": token}, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise EnrolmentError(
            f"{address} cannot be reached: {error}; check report.url and the network, and use the "
            "token again"
        ) from error
    if response.status_code in (403, 422):
        raise EnrolmentError(
            "the API does not take the token: it was used, has expired or is mistyped; ask an "
            "engineer for a new one"
        )
    if not response.is_success:
        raise EnrolmentError(f"{address} answered {response.status_code}; check report.url")
    try:
        document = response.json()
        credential, named = Credential(url, str(document["key"])), str(document["gateway"])
    except (ValueError, KeyError, TypeError) as error:
        raise EnrolmentError(
            f"{address} answered something else than a key; check report.url"
        ) from error
    if named != gateway:
        raise EnrolmentError(
            f"the token was made for gateway {named!r}, and the settings are of {gateway!r}; ask "
            "for a token of this gateway, or correct its name (the token is used up)"
        )
    return credential
