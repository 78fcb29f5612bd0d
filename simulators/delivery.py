"""What becomes of messages between a meter and its broker: twice, later, in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulators.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.faults import Condition
    from simulators.meter import Message


class Delivery:
    """Holds back what a meter cannot or does not deliver yet."""

    def __init__(self) -> None:
        self._unsent: dict[str, list[Message]] = {}
        self._overtaken: dict[str, list[Message]] = {}

    def of(
        self, meter: str, messages: Iterable[Message], condition: Condition
    ) -> tuple[Message, ...]:
        """Return what reaches the broker once `meter` had `messages` for it, in that order."""
        match condition.kind:
            case FaultKind.NETWORK_LOSS:
                self._unsent.setdefault(meter, []).extend(messages)
                return ()
            case FaultKind.REORDERED:
                self._overtaken.setdefault(meter, []).extend(messages)
                return ()
            case FaultKind.DUPLICATE:
                now = [message for message in messages for _ in range(2)]
            case _:
                now = list(messages)
        return (*self._unsent.pop(meter, ()), *now, *self._overtaken.pop(meter, ()))
