"""Bytes come and go through the buffers as they are, however the network cuts them."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from gateway.endpoint import Endpoint


def test_what_came_is_given_in_pieces_without_asking_the_network() -> None:
    ours, theirs = socket.socketpair()
    with closing(theirs):
        ours.settimeout(0)
        endpoint = Endpoint(ours)
        with pytest.raises(BlockingIOError):
            endpoint.recv(1)
        theirs.sendall(b"abcdef")
        assert endpoint.pending() == 0
        assert [endpoint.recv(n) for n in (1, 2)] == [b"a", b"bc"]
        assert endpoint.pending() == 3
        assert endpoint.recv(100) == b"def"
        assert endpoint.pending() == 0
        theirs.shutdown(socket.SHUT_WR)
        assert endpoint.recv(1) == b""
        endpoint.close()


def test_what_is_sent_waits_for_the_flush_and_acknowledgements_stand_between_packets() -> None:
    ours, theirs = socket.socketpair()
    with closing(theirs):
        endpoint = Endpoint(ours)
        assert endpoint.send(b"\xc0\x00") == 2
        endpoint.acknowledge([1, 0x1234])
        assert endpoint.has_unsent
        assert endpoint.flush()
        assert theirs.recv(100) == b"\xc0\x00\x40\x02\x00\x01\x40\x02\x12\x34"
        endpoint.send(b"\xe0\x00")
        endpoint.close()
        assert theirs.recv(100) == b"\xe0\x00", "closing sends what waits"
        assert theirs.recv(100) == b""


def test_what_the_network_does_not_take_goes_later_and_whole() -> None:
    ours, theirs = socket.socketpair()
    with closing(theirs):
        ours.settimeout(0)
        endpoint = Endpoint(ours)
        message = bytes(range(256)) * 8000
        endpoint.send(message)
        came = bytearray()
        while not endpoint.flush():
            assert endpoint.has_unsent
            came += theirs.recv(100_000)
        while len(came) < len(message):
            came += theirs.recv(100_000)
        assert came == message
        endpoint.close()
