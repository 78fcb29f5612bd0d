"""Where a bus is reached: over a network, or at a serial port of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from meters.serial_line import SerialLine

Framing = Literal["tcp", "rtu"]

FASTEST_COUNTED_BAUD = 19200
SHORTEST_SILENCE_S = 0.00175
"""Between two frames above 19200 baud."""


@dataclass(frozen=True, slots=True)
class NetworkLine:
    """A Modbus device or a gateway at `host`:`port`.

    `framing` is how frames look there: "tcp" is Modbus TCP; "rtu" are the bytes of the serial line
    as they are, which serial servers and radio modems pass on.
    """

    host: str
    port: int
    framing: Framing = "tcp"

    @property
    def silence_s(self) -> float:
        """How long the line must be quiet before a request: the other side sees to that."""
        return 0.0

    def transfer_s(self, _size: int) -> float:
        """How many seconds `size` bytes take on the line; not known here."""
        return 0.0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SerialPort:
    """The RS-485 line at the serial port `path` (`/dev/ttyUSB0`), framed as Modbus RTU.

    Source of the times: "MODBUS over Serial Line Specification and Implementation Guide" V1.02,
    section 2.5.1.1.
    """

    path: str
    line: SerialLine

    @property
    def silence_s(self) -> float:
        """How long the line must be quiet before a request: 3.5 characters."""
        if self.line.baud > FASTEST_COUNTED_BAUD:
            return SHORTEST_SILENCE_S
        return 3.5 * self.transfer_s(1)

    def transfer_s(self, size: int) -> float:
        """How many seconds `size` bytes take on the line."""
        return size * self.line.bits_per_byte / self.line.baud

    @property
    def framing(self) -> Framing:
        return "rtu"

    def __str__(self) -> str:
        return self.path


Line = NetworkLine | SerialPort
