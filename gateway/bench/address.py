"""Where an engineer's meter answers, as it is typed: `tcp://host:port`, `rtu://…`, `/dev/tty…`."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.line import Line, NetworkLine, SerialPort
from meters.serial_line import parse_line

MODBUS_PORT = 502
FORMS = "tcp://host:502, rtu://host:port (the bytes of a serial line over TCP), or /dev/ttyUSB0"


def parse_address(text: str, line: str) -> Line:
    """Return the line of meters at `text`; `line` (`9600 8N1`) is how a serial one is set.

    Raises `ValueError` saying which forms there are.
    """
    if text.startswith("/"):
        return SerialPort(text, parse_line(line))
    parts = urlsplit(text if "://" in text else f"tcp://{text}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("tcp", "rtu") or not parts.hostname or port == 0 or parts.path:
        raise ValueError(f"{text!r} is no address of a line; write {FORMS}")
    if parts.scheme == "rtu":
        if port is None:
            raise ValueError(f"{text!r} needs a port: serial servers have no usual one")
        return NetworkLine(parts.hostname, port, "rtu")
    return NetworkLine(parts.hostname, MODBUS_PORT if port is None else port)
