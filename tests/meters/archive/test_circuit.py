"""A server that is away costs a call now and then, and no more."""

from __future__ import annotations

from meters.archive.circuit import SECOND_NS, Circuit


def test_a_circuit_is_closed_until_something_fails() -> None:
    assert Circuit().wait_ns(0) == 0


def test_it_opens_for_longer_and_longer_up_to_a_limit() -> None:
    circuit, at, waits = Circuit(), 0, []
    for _ in range(40):
        circuit.failed(at, "refused")
        waits.append(circuit.wait_ns(at) // SECOND_NS)
        at += circuit.wait_ns(at)
        assert circuit.wait_ns(at) == 0, "then one may try again"
    assert waits[:6] == [1, 2, 4, 8, 16, 30]
    assert waits[-1] == 30


def test_one_answer_closes_it() -> None:
    circuit = Circuit()
    circuit.failed(0, "refused")
    circuit.failed(0, "refused")
    circuit.succeeded()
    assert circuit.wait_ns(0) == 0
    circuit.failed(0, "refused")
    assert circuit.wait_ns(0) == SECOND_NS
