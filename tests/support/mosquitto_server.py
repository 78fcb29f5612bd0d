"""A real Mosquitto on loopback, with a configuration and a store of its own."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from loopback import HOST, free_port
from server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

CONFIGURATION = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {store}/
autosave_on_changes true
autosave_interval {autosave_changes}
max_queued_messages 1000000
log_dest stdout
"""


def find_mosquitto() -> str | None:
    """Return the broker's path, None where it is not installed. Debian keeps it in /usr/sbin."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class MosquittoServer:
    """A broker at `host`:`port` that survives `kill()` and `start()` with its port and store.

    `autosave_changes` is how many changes it may lose at a kill: 1 saves each, and is slow.
    """

    host = HOST

    def __init__(self, executable: str, directory: Path, *, autosave_changes: int = 100) -> None:
        self.port = free_port()
        store = directory / "store"
        store.mkdir()
        configuration = directory / "mosquitto.conf"
        text = CONFIGURATION.format(
            host=HOST, port=self.port, store=store, autosave_changes=autosave_changes
        )
        if os.geteuid() == 0:
            text += "user root\n"  # or it becomes a user who may not write into the store
        configuration.write_text(text, "utf-8")
        self._process = ServerProcess(
            [executable, "-c", str(configuration)], port=self.port, log=directory / "log"
        )

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        """End the broker in an orderly way: it writes its store."""
        self._process.stop()

    def kill(self) -> None:
        """End the broker as a power cut would."""
        self._process.kill()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the broker say and do nothing inside the block, with its connections open."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
