"""Short tokens: what opens, and every way to forge, keep or bend one that does not."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt

from api.tokens import LASTS, Tokens

if TYPE_CHECKING:
    from conftest import House

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of this test's own database
OLD, NEW = "o" * 40, "n" * 40

NOW = datetime(2026, 11, 15, 8, 0, tzinfo=UTC)


def status(house: House, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return house.call("GET", "/v1/bills", headers=headers).status_code


def given(house: House, name: str = "li") -> str:
    answer = house.call("POST", "/v1/tokens", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["token"]
    return token


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    head, body, signature = token.split(".")
    return json.loads(_bytes(head)), json.loads(_bytes(body)), signature


def joined(head: dict[str, Any], body: dict[str, Any], signature: str) -> str:
    return ".".join((_text(head), _text(body), signature))


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _text(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned(token: str, _key: str) -> str:
    head, body, _ = parts(token)
    return joined({**head, "alg": "none"}, body, "")


def unsigned_under_the_old_signature(token: str, _key: str) -> str:
    head, body, signature = parts(token)
    return joined({**head, "alg": "NONE"}, body, signature)


def of_another(token: str, _key: str) -> str:
    head, body, signature = parts(token)
    return joined(head, {**body, "sub": "admin"}, signature)


def of_another_and_signed(token: str, key: str) -> str:
    head, body, _ = parts(token)
    return jwt.encode({**body, "sub": "admin"}, key, "HS256", headers=head)


def signed_by_another_key(token: str, _key: str) -> str:
    head, body, _ = parts(token)
    return jwt.encode(body, "x" * 40, "HS256", headers=head)


def signed_otherwise(token: str, key: str) -> str:
    head, body, _ = parts(token)
    unsigned = joined({**head, "alg": "HS512"}, body, "")[:-1]
    signature = hmac.digest(key.encode(), unsigned.encode(), "sha512")
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def by_an_unknown_key(token: str, key: str) -> str:
    _, body, _ = parts(token)
    return jwt.encode(body, key, "HS256", headers={"kid": "../../etc/passwd"})


def by_a_key_that_it_brings(token: str, _key: str) -> str:
    _, body, _ = parts(token)
    brought = {"kty": "oct", "k": _text({"k": "x" * 40})}
    return jwt.encode(body, "x" * 40, "HS256", headers={"jwk": brought})


def for_another_audience(token: str, key: str) -> str:
    return changed(token, key, aud="payments")


def by_another_issuer(token: str, key: str) -> str:
    return changed(token, key, iss="somebody")


def of_another_session(token: str, key: str) -> str:
    return changed(token, key, sid="tg_session_guessed")


def without_an_end(token: str, key: str) -> str:
    head, body, _ = parts(token)
    del body["exp"]
    return jwt.encode(body, key, "HS256", headers=head)


def with_an_end_that_is_no_number(token: str, key: str) -> str:
    return changed(token, key, exp="never")


def from_the_future(token: str, key: str) -> str:
    _, body, _ = parts(token)
    return changed(token, key, iat=body["exp"], exp=body["exp"] + 600)


def cut(token: str, _key: str) -> str:
    return token[:-4]


def without_a_signature(token: str, _key: str) -> str:
    return token.rpartition(".")[0] + "."


def its_session_alone(token: str, _key: str) -> str:
    return str(parts(token)[1]["sid"])


def of_nothing(_token: str, _key: str) -> str:
    return ".."


def changed(token: str, key: str, **claims: Any) -> str:
    head, body, _ = parts(token)
    return jwt.encode({**body, **claims}, key, "HS256", headers=head)


ATTACKS = (
    *(unsigned, unsigned_under_the_old_signature, of_another, of_another_and_signed),
    *(signed_by_another_key, signed_otherwise, by_an_unknown_key, by_a_key_that_it_brings),
    *(for_another_audience, by_another_issuer, of_another_session, without_an_end),
    *(with_an_end_that_is_no_number, from_the_future, cut, without_a_signature),
    *(its_session_alone, of_nothing),
)


def test_no_attack_opens(house: House) -> None:
    token = given(house)
    (key,) = house.app.state.resources.tokens._keys.values()
    assert status(house, changed(token, key)) == 200  # so that what follows fails for its reason
    found = {attack.__name__: status(house, attack(token, key)) for attack in ATTACKS}
    assert found == {attack.__name__: 401 for attack in ATTACKS}
    assert status(house, token) == 200


def test_a_token_opens_what_its_person_may(house: House) -> None:
    token = given(house)
    answer = house.call("GET", "/v1/bills", headers={"Authorization": f"Bearer {token}"})
    assert {each["unit"] for each in answer.json()["items"]} == {"1-201"}
    assert parts(token)[1]["sub"] == "li"
    refused = house.call("GET", "/v1/runs", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 403


def test_it_is_over_after_ten_minutes(house: House) -> None:
    token = given(house)
    house.now += LASTS - timedelta(seconds=1)
    assert status(house, token) == 200
    house.now += timedelta(seconds=1)
    assert status(house, token) == 401


def test_it_ends_with_its_session(house: House) -> None:
    token, other = given(house), given(house)
    headers = {"Authorization": f"Bearer {token}"}
    assert house.call("DELETE", "/v1/sessions/current", headers=headers).status_code == 204
    assert (status(house, token), status(house, other)) == (401, 200)


def test_it_opens_no_page(house: House) -> None:
    headers = {"Cookie": f"tallygate={given(house)}", "Accept": "text/html"}
    answer = house.call("GET", "/", headers=headers)
    assert answer.status_code == 303


def test_a_wrong_password_gets_none_and_counts(house: House) -> None:
    found = [
        house.call("POST", "/v1/tokens", json={"name": "li", "password": "wrong"}).status_code
        for _ in range(6)
    ]
    assert found == [401] * 5 + [429]


def test_keys_are_changed_without_a_gap() -> None:
    before, between, after = Tokens((OLD,)), Tokens((NEW, OLD)), Tokens((NEW,))
    old, new = (each.sign("li", "session", now=NOW) for each in (before, between))
    assert between.proven(old, now=NOW) == before.proven(old, now=NOW) is not None
    assert after.proven(new, now=NOW) is not None
    assert after.proven(old, now=NOW) is None
