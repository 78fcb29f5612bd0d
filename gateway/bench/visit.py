"""A visit to one meter: everything that its type knows is read once, decoded and judged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.modbus import RefusedError
from gateway.plan import Block, halves, identity_block, plan
from meters.cross_check import violated
from meters.decoding import decode_identity, decode_image, observations
from meters.judge import judge_together
from meters.reading import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from gateway.conversation import Connection
    from meters.meter_type import Check, MeterType
    from meters.reading import Reading


@dataclass(frozen=True, slots=True)
class Visit:
    """What a meter of `meter_type` answered at `time`.

    `identity` is the number that it states, None where its type knows none or it was refused.
    `refused` are the registers that the meter does not have, with its words.
    """

    meter_type: MeterType
    time: datetime
    identity: str | None
    readings: tuple[Reading, ...]
    refused: Mapping[str, str]
    violated: tuple[Check, ...]
    requests: int
    is_expected: bool | None
    """Whether it states the number that was expected; None where none was, or it states none."""

    @property
    def is_sound(self) -> bool:
        """Whether it is the meter expected, and all that bills may rest on can be trusted."""
        good = {each.series.register for each in self.readings if each.verdict is Verdict.GOOD}
        return self.is_expected is not False and good >= self.meter_type.billing_registers.keys()


class _Asked:
    """Counts what is asked of one unit."""

    def __init__(self, connection: Connection, unit: int) -> None:
        self._connection = connection
        self._unit = unit
        self.requests = 0

    async def words(self, block: Block) -> tuple[int, ...]:
        self.requests += 1
        return await self._connection.read(self._unit, block.function, block.start, block.words)


async def visit(
    connection: Connection,
    unit: int,
    meter_type: MeterType,
    *,
    now: Callable[[], datetime],
    expected: str | None = None,
) -> Visit:
    """Read every register of the meter at `unit`; raise `ModbusError` where it does not answer.

    `expected` is the number on its plate: what another meter answers is invalid.
    A block that is refused is asked for in parts, until only what the meter lacks is missing. A
    visit has no history: verdicts say whether a value can be read and adds up, not whether it grew
    plausibly.
    """
    asked = _Asked(connection, unit)
    identity = await _identity(asked, meter_type)
    image: dict[int, int] = {}
    refused: dict[str, str] = {}
    time = now()
    blocks = deque(plan(meter_type, meter_type.registers))
    while blocks:
        block = blocks.popleft()
        try:
            words = await asked.words(block)
        except RefusedError as error:
            if not error.is_about_the_request:
                raise
            if len(block.names) == 1:
                refused[block.names[0]] = str(error)
            else:
                blocks.extendleft(reversed(halves(meter_type, block)))
            continue
        time = now()
        image.update(enumerate(words, start=block.start))
    decoded = decode_image(meter_type, image)
    is_expected = None
    if expected is not None and meter_type.states_identity:
        is_expected = identity is not None and identity.casefold() == expected.casefold()
    judged = judge_together(
        observations(f"unit {unit}", time, decoded), meter_type, {}, identity_matches=is_expected
    )
    values = {name: each.value for name, each in decoded.items() if each.value is not None}
    return Visit(
        meter_type,
        time,
        identity,
        tuple(each.reading for each in judged),
        refused,
        violated(meter_type, values),
        asked.requests,
        is_expected,
    )


async def _identity(asked: _Asked, meter_type: MeterType) -> str | None:
    block = identity_block(meter_type)
    if block is None:
        return None
    try:
        return decode_identity(meter_type, await asked.words(block))
    except RefusedError as error:
        if not error.is_about_the_request:
            raise
        return None
