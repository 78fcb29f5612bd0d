"""An MQTT broker that needs no installation: rumqttd, as the wheel `iotcore` carries it.

It is the demo's and the tests' broker, not production's: it keeps messages in memory only, so
nothing survives a restart, and it knows no access rules.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from iotcore import Broker

from simulators.ports import require_free

if TYPE_CHECKING:
    from types import TracebackType

LOOPBACK = "127.0.0.1"

_STARTS = 5
"""How often a port that was free and then taken by another process is chosen anew."""

_ROUTER = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = {segment_size_bytes}
max_segment_count = {segments}
"""

_LISTENER = """
[{protocol}.1]
name = "{protocol}"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[{protocol}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
"""


class BrokerStartError(RuntimeError):
    """The broker's process ended or did not listen in time."""


class EmbeddedBroker:
    """A broker in a process of its own, for as long as the `with` block lasts.

    It listens on `port` for MQTT 3.1.1 and on `port_v5` for MQTT 5 (rumqttd wants a port for each);
    where one is 0 a free port is chosen, and stands in the attribute once the broker runs; started
    again it keeps its ports. It ends with its parent process, even where that is killed. A segment
    is what rumqttd keeps of a topic filter's messages: at most `segments * segment_size_bytes` of
    memory for each filter.

    Raises `PortTakenError` (of simulators.ports) where a port that was asked for is taken,
    `BrokerStartError` where the broker does not come up within `start_timeout_s`.
    """

    def __init__(
        self,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        port_v5: int = 0,
        segment_size_bytes: int = 1024 * 1024,
        segments: int = 10,
        start_timeout_s: int = 20,
    ) -> None:
        self.host = host
        self.port = port
        self.port_v5 = port_v5
        self._asked = (port, port_v5)
        self._router = _ROUTER.format(segment_size_bytes=segment_size_bytes, segments=segments)
        self._start_timeout_s = start_timeout_s
        self._broker: Broker | None = None

    @property
    def is_running(self) -> bool:
        return self._broker is not None and bool(self._broker.is_running)

    def start(self) -> Self:
        """Start the broker and return once it accepts connections."""
        if self.is_running:
            return self
        for asked, what in zip(self._asked, ("MQTT 3.1.1", "MQTT 5"), strict=True):
            if asked:
                require_free(self.host, asked, f"the MQTT broker ({what})")
        failure: Exception | None = None
        for _ in range(_STARTS):
            ports = self._choose_ports()
            try:
                self._broker = self._launch(ports)
            except (OSError, RuntimeError) as error:
                failure = error
                if all(self._asked):
                    break
                continue
            self.port, self.port_v5 = self._asked = ports
            return self
        raise BrokerStartError(
            f"the MQTT broker did not start on {self.host}: {failure}; "
            "choose other ports, or use a broker that runs already"
        ) from failure

    def stop(self) -> None:
        """Stop the broker and free its ports; do nothing where it does not run."""
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _choose_ports(self) -> tuple[int, int]:
        """Return the ports asked for, a free one where none was."""
        with socket.socket() as first, socket.socket() as second:
            # both are held until both are chosen, so that they differ
            first.bind((self.host, 0))
            second.bind((self.host, 0))
            return (
                self._asked[0] or int(first.getsockname()[1]),
                self._asked[1] or int(second.getsockname()[1]),
            )

    def _launch(self, ports: tuple[int, int]) -> Broker:
        listeners = "".join(
            _LISTENER.format(protocol=protocol, host=self.host, port=port)
            for protocol, port in zip(("v4", "v5"), ports, strict=True)
        )
        with tempfile.TemporaryDirectory(prefix="tallygate-broker-") as folder:
            config = Path(folder) / "rumqttd.toml"
            config.write_text(self._router + listeners, "utf-8")
            broker = Broker(config_path=str(config))
            # the configuration is read before the listeners open, so the file may go afterwards
            broker.start(timeout=self._start_timeout_s)
        return broker
