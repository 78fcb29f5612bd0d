"""What gateways are told to read: enrolled once, listed, checked, and asked for by its tag."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing import tables
from billing.store import audit
from meters.catalog import FOLDER

if TYPE_CHECKING:
    import httpx
    from conftest import House

POWER = {"type": "eastron-sdm120", "bus": "b1", "unit": 1}
WATER = {"type": "wmbusmeters-water", "topic": "wm/kitchen"}


def done(answer: httpx.Response) -> str:
    assert answer.is_success, answer.text
    tag: str = answer.json()["tag"]
    return tag


def audited(house: House) -> list[tuple[str, str, str, dict[str, Any]]]:
    with house.database.snapshot() as connection:
        audit.verify(connection)
        rows = connection.execute(tables.audit.select().order_by(tables.audit.c.position)).all()
    return [(row.actor, row.action, row.subject, json.loads(row.detail)) for row in rows]


def test_a_gateway_gets_the_tables_of_its_settings_file(listed: House) -> None:
    answer = listed.caller("gw-1").get("/v1/gateway/devices")
    assert answer.json() == {
        "gateway": "gw-1",
        "bus": [
            {
                "name": "b1",
                "host": "10.0.0.7",
                "timeout_s": "1.5",
                "device": [{"meter": "E-1-201", "type": "eastron-sdm120", "unit": 1}],
            }
        ],
        "mqtt": {"meter": [{"meter": "W-1-201", **WATER}]},
        "types": {},
    }
    shown = listed.caller("engineer").get("/v1/gateways/gw-1/devices")
    assert shown.json() == answer.json()


def test_an_unchanged_list_is_not_sent_again(listed: House) -> None:
    gateway = listed.caller("gw-1")
    tag = gateway.get("/v1/gateway/devices").headers["ETag"]
    again = gateway.get("/v1/gateway/devices", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    done(listed.change("DELETE", "/v1/gateways/gw-1/meters/W-1-201"))
    newer = gateway.get("/v1/gateway/devices", headers={"If-None-Match": tag})
    assert newer.status_code == 200
    assert newer.json()["mqtt"] == {"meter": []}
    same = done(listed.change("PUT", "/v1/gateways/gw-1/meters/W-1-201", **WATER))
    assert f'"{same}"' == tag, "the same list has the same tag"


def test_a_gateway_that_waits_hears_of_a_new_list(listed: House) -> None:
    gateway = listed.caller("gw-1")
    tag = gateway.get("/v1/gateway/requests").json()["devices"]
    quiet = gateway.get(f"/v1/gateway/requests?devices={tag}&wait_s=1").json()
    assert quiet == {"devices": tag, "requests": []}
    at_once = gateway.get("/v1/gateway/requests?devices=another&wait_s=25").json()
    assert at_once["devices"] == tag


def test_every_change_is_in_the_audit_log(listed: House) -> None:
    listed.change("DELETE", "/v1/gateways/gw-1/buses/b1")
    found = [each for each in audited(listed) if each[1].startswith("gateway.")]
    assert [each[1] for each in found] == [
        "gateway.add",
        "gateway.bus.put",
        "gateway.meter.put",
        "gateway.meter.put",
        "gateway.bus.drop",
    ]
    assert {each[0] for each in found} == {"engineer"}
    assert found[2][3] == {"meter": "E-1-201", **POWER}


def test_a_bus_goes_with_its_meters(listed: House) -> None:
    done(listed.change("DELETE", "/v1/gateways/gw-1/buses/b1"))
    found = listed.caller("gw-1").get("/v1/gateway/devices").json()
    assert (found["bus"], len(found["mqtt"]["meter"])) == ([], 1)
    assert listed.change("DELETE", "/v1/gateways/gw-1/buses/b1").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("meters/E-2", {**POWER}, "unit 1 is stated twice"),
        ("meters/E-2", {**POWER, "unit": 2, "type": "sdm-120"}, "unknown meter type"),
        ("meters/E-2", {**POWER, "unit": 2, "topic": "t"}, "unknown key"),
        ("meters/E-2", {"type": "eastron-sdm120", "topic": "t"}, "does not report over MQTT"),
        ("meters/W-2", {"type": "wmbusmeters-water", "topic": "a/#"}, "# is not used"),
        ("meters/W-2", WATER, "several meters share 'wm/kitchen'"),
        ("buses/b2", {"host": "10.0.0.8", "prot": 502}, "did you mean 'port'"),
        ("buses/b1", {"host": "10.0.0.8", "port": 70_000}, "65535"),
    ],
)
def test_what_the_gateway_would_refuse_is_refused_here(
    listed: House, path: str, body: dict[str, Any], says: str
) -> None:
    before = listed.caller("gw-1").get("/v1/gateway/devices").json()
    answer = listed.change("PUT", f"/v1/gateways/gw-1/{path}", **body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/definition-refused")
    assert says in answer.json()["detail"]
    assert listed.caller("gw-1").get("/v1/gateway/devices").json() == before


def test_a_meter_is_read_by_one_gateway(listed: House) -> None:
    done(listed.change("POST", "/v1/gateways", gateway="gw-2"))
    done(listed.change("PUT", "/v1/gateways/gw-2/buses/b1", host="10.0.1.7"))
    answer = listed.change("PUT", "/v1/gateways/gw-2/meters/E-1-201", **POWER)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/meter-listed")
    assert "gw-1" in answer.json()["detail"]


def test_what_is_not_there_is_not_found(listed: House) -> None:
    for method, path, body in (
        ("PUT", "/v1/gateways/nobody/buses/b1", {"host": "h"}),
        ("PUT", "/v1/gateways/gw-1/meters/E-2", {**POWER, "bus": "b9"}),
        ("DELETE", "/v1/gateways/gw-1/meters/nobody", {}),
        ("POST", "/v1/gateways/nobody/enrolments", {}),
    ):
        assert listed.change(method, path, **body).status_code == 404, path


def test_a_gateway_is_added_once(listed: House) -> None:
    answer = listed.change("POST", "/v1/gateways", gateway="gw-1")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/gateway-exists")
    assert listed.change("POST", "/v1/gateways", gateway="a b").status_code == 422


# enrolment


def offered(house: House, gateway: str = "gw-1") -> str:
    token: str = house.change("POST", f"/v1/gateways/{gateway}/enrolments").json()["token"]
    return token


def enrolled(house: House, token: str) -> httpx.Response:
    return house.call("POST", "/v1/gateway/enrolment", json={"token": token})


def test_a_token_is_changed_once_for_the_gateways_own_key(listed: House) -> None:
    token = offered(listed)
    answer = enrolled(listed, token)
    assert (answer.status_code, answer.json()["gateway"]) == (201, "gw-1")
    again = enrolled(listed, token)
    assert (again.status_code, again.json()["type"]) == (403, "/problems/enrolment-refused")
    headers = {"Authorization": f"Bearer {answer.json()['key']}"}
    assert listed.call("GET", "/v1/gateway/devices", headers=headers).status_code == 200
    assert listed.call("GET", "/v1/meters", headers=headers).status_code == 403


def test_a_box_that_was_replaced_is_locked_out(listed: House) -> None:
    old = listed.caller("gw-1")
    assert old.get("/v1/gateway/devices").status_code == 200
    assert enrolled(listed, offered(listed)).is_success
    assert old.get("/v1/gateway/devices").status_code == 401


def test_a_token_expires_and_a_newer_one_voids_it(listed: House) -> None:
    first, second = offered(listed), offered(listed)
    assert enrolled(listed, first).status_code == 403
    listed.now += timedelta(hours=24)
    listed.tokens.clear()
    assert enrolled(listed, second).status_code == 403


def test_neither_token_nor_key_is_kept(listed: House) -> None:
    token = offered(listed)
    key = enrolled(listed, token).json()["key"]
    with listed.database.snapshot() as connection:
        for name in ("gateway_enrolment", "api_key", "audit", "idempotency"):
            held = str(connection.exec_driver_sql(f"SELECT * FROM {name}").all())  # noqa: S608  a name of ours
            assert token not in held, name
            assert key not in held, name


# types


def mine(expect: str = "10909.28") -> str:
    text = (FOLDER / "eastron-sdm120.toml").read_text("utf-8")
    return text.replace("eastron-sdm120", "our-sdm120").replace("10909.28", expect)


def test_a_type_that_proves_itself_goes_out_with_the_list(listed: House) -> None:
    answer = listed.change("POST", "/v1/meter-types", document=mine())
    assert (answer.status_code, answer.json()["uploaded"]) == (200, True), answer.text
    listing = {**POWER, "unit": 2, "type": "our-sdm120"}
    tag = done(listed.change("PUT", "/v1/gateways/gw-1/meters/E-2", **listing))
    found = listed.caller("gw-1").get("/v1/gateway/devices").json()
    assert found["types"] == {"our-sdm120": mine()}
    known = {
        each["id"]: each["uploaded"]
        for each in listed.caller("engineer").get("/v1/meter-types").json()["items"]
    }
    assert (known["our-sdm120"], known["eastron-sdm120"]) == (True, False)
    corrected = mine() + "\n# corrected\n"
    assert listed.change("POST", "/v1/meter-types", document=corrected).is_success
    assert listed.caller("gw-1").get("/v1/gateway/requests").json()["devices"] != tag


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (mine("10909.29"), "decodes to another value"),
        ("kind =", "is not TOML"),
        ('kind = "meter-type"', "is missing"),
        ((FOLDER / "eastron-sdm120.toml").read_text("utf-8"), "is here already"),
    ],
)
def test_a_type_that_does_not_prove_itself_is_not_kept(
    house: House, document: str, says: str
) -> None:
    answer = house.change("POST", "/v1/meter-types", document=document)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/definition-refused")
    assert says in answer.json()["detail"]
    items = house.caller("engineer").get("/v1/meter-types").json()["items"]
    assert not any(each["uploaded"] for each in items)


def test_a_correction_that_breaks_a_list_is_refused(listed: House) -> None:
    listed.change("POST", "/v1/meter-types", document=mine())
    listing = {**POWER, "unit": 2, "type": "our-sdm120"}
    done(listed.change("PUT", "/v1/gateways/gw-1/meters/E-2", **listing))
    water = (FOLDER / "wmbusmeters-water.toml").read_text("utf-8")
    broken = water.replace('id = "wmbusmeters-water"', 'id = "our-sdm120"')
    answer = listed.change("POST", "/v1/meter-types", document=broken)
    assert answer.status_code == 422
    assert "does not report over Modbus" in answer.json()["detail"]
    found = listed.caller("gw-1").get("/v1/gateway/devices").json()
    assert found["types"] == {"our-sdm120": mine()}
