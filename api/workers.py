"""A server of several processes: some answer calls at one socket, one does what is done once.

They share what counts calls and figures, in a folder that ends with them.
"""

from __future__ import annotations

import signal
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from api.app import create_app
from api.credentials import new_token
from api.metrics import share
from api.processes import keep_running
from api.rate import Limiter
from api.resources import open_resources
from api.serving import Patience, server
from api.turns import Turns
from api.upkeep import upkeep

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from api.settings import ApiSettings

CALLS, CONNECTIONS = "calls", "connections"
"""The files of the shared folder in which calls and open connections are counted."""


def serve_by_several(settings: ApiSettings, listener: socket.socket) -> None:
    """Serve at `listener` by as many processes as `settings` say, until SIGTERM or SIGINT."""
    if not settings.token_keys:  # else each process would believe its own short tokens only
        settings = settings.model_copy(update={"token_keys": (new_token("tokens"),)})
    with tempfile.TemporaryDirectory(prefix="tallygate-") as name:
        folder = Path(name)
        share(folder)
        tasks: dict[str, Callable[[], None]] = {
            f"worker {place + 1}": partial(_answer, settings, listener, folder, place)
            for place in range(settings.workers)
        }
        tasks["upkeep"] = partial(_keep_up, settings)
        keep_running(tasks)


def _answer(settings: ApiSettings, listener: socket.socket, folder: Path, place: int) -> None:
    app = create_app(settings, limiter=Limiter(shared=folder / CALLS), alone=False)
    turns = Turns(folder / CONNECTIONS, place=place, processes=settings.workers)
    server(app, Patience.of(settings), turns).run(sockets=[listener])


def _keep_up(settings: ApiSettings) -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    resources = open_resources(settings)
    with upkeep(resources):
        stopping.wait()
    resources.close()
