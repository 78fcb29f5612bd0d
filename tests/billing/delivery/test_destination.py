"""A webhook leads to the public internet and nowhere into our own network."""

from __future__ import annotations

import pytest

from billing.delivery.destination import (
    DestinationError,
    Reach,
    assert_allowed,
    destination,
)


def test_a_public_address_is_taken_apart() -> None:
    found = destination("https://hooks.example.com:8443/a/b?c=d", Reach.PUBLIC)

    assert (found.host, found.port, found.target) == ("hooks.example.com", 8443, "/a/b?c=d")
    assert found.authority == "hooks.example.com:8443"
    assert destination("https://example.com", Reach.PUBLIC).authority == "example.com"
    assert destination("https://[2606:4700::1111]/", Reach.PUBLIC).authority == "[2606:4700::1111]"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https:///nobody",
        "https://user:password@example.com/",
        "https://example.com/#fragment",
        "https://example.com:port/",
        "https://example.com:99999/",
        "https://ex ample.com/",
        "https://example.com\\@127.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://例子.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://example.com/" + "a" * 1000,
        "not an address",
    ],
)
def test_what_leads_elsewhere_is_refused_when_it_is_stated(url: str) -> None:
    with pytest.raises(DestinationError):
        destination(url, Reach.PUBLIC)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "::1", "0.0.0.1", "::"),
        *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12::1"),
        *("169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0", "fec0::1"),
        *("100.64.0.1", "100.100.100.200", "fd00:ec2::254", "192.0.0.192"),
        *("224.0.0.1", "239.255.255.250", "ff02::1", "255.255.255.255", "240.0.0.1"),
        *("::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1"),
        *("64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:0a00:0001::1", "2001:0:a00:1::1"),
        *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "2001:db8::1"),
    ],
)
def test_no_address_inside_is_called(address: str) -> None:
    with pytest.raises(DestinationError, match="no address of the public internet"):
        assert_allowed([address], Reach.PUBLIC)


def test_one_address_inside_spoils_a_name() -> None:
    assert_allowed(["8.8.8.8", "2606:4700:4700::1111"], Reach.PUBLIC)
    with pytest.raises(DestinationError):
        assert_allowed(["8.8.8.8", "10.0.0.1"], Reach.PUBLIC)


def test_a_demo_reaches_this_machine_and_nothing_else() -> None:
    assert destination("http://127.0.0.1:8000/hook", Reach.THIS_MACHINE).port == 8000
    assert_allowed(["127.0.0.1", "::1", "::ffff:127.0.0.1"], Reach.THIS_MACHINE)
    for address in ("8.8.8.8", "10.0.0.1", "169.254.169.254"):
        with pytest.raises(DestinationError, match="not this machine"):
            assert_allowed([address], Reach.THIS_MACHINE)
