"""The settings of a serial line, as data sheets write them: `9600 8N1`."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

BAUD_RATES = (300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 76800, 115200)
_FORM = re.compile(r"([1-9][0-9]{2,6}) ([78])([NEO])([12])")


class SerialLine(NamedTuple):
    """How the two ends of a serial line talk to each other."""

    baud: int
    data_bits: Literal[7, 8]
    parity: Literal["N", "E", "O"]
    stop_bits: Literal[1, 2]

    def __str__(self) -> str:
        return f"{self.baud} {self.data_bits}{self.parity}{self.stop_bits}"

    @property
    def bits_per_byte(self) -> int:
        """How many bits one byte takes on the line, its start bit included."""
        return 1 + self.data_bits + (self.parity != "N") + self.stop_bits


def parse_line(text: str) -> SerialLine:
    """Return the line that `text` describes; raise `ValueError` saying how it is written."""
    found = _FORM.fullmatch(text)
    if found is None or int(found[1]) not in BAUD_RATES:
        raise ValueError(
            f"{text!r:.60} is no serial line; write baud rate, data bits, parity (N, E or O) and "
            'stop bits: "9600 8N1"'
        )
    return SerialLine(
        int(found[1]),
        cast("Literal[7, 8]", int(found[2])),
        cast('Literal["N", "E", "O"]', found[3]),
        cast("Literal[1, 2]", int(found[4])),
    )
