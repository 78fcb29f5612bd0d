"""Guides whose commands are run as they are written: what a reader sees is what the program says.

A guide is Markdown. In a `console` block each line from "$ " on is run in a folder of its own, and
what it prints follows; `tallygate simulate meter` puts meters on a line whose clock stands still.
A `toml` block that is named after a file (```toml own.toml) is written to that file first.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import tempfile
import threading
from contextlib import ExitStack, chdir, contextmanager
from decimal import Decimal
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

from click.testing import CliRunner

from gateway.bench.commands import meters
from meters.catalog.choice import chosen_type
from simulators.bench.commands import meter
from simulators.bench.meters import Bench, on_lines
from simulators.line import Line
from simulators.load import ANCHOR
from simulators.modbus import ModbusBus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GUIDES = Path(__file__).with_name("guides")
PROMPT = "$ "
_BLOCK = re.compile(r"^```(console|toml) ?([\w.-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DURATION = re.compile(r"\b\d+ ms$", re.MULTILINE)
"""The one thing that is another each time."""
MOST_S = 60


class GuideError(RuntimeError):
    """A command of a guide cannot be run."""


def guide(name: str) -> str:
    """Return the guide `name` (`add-a-meter-type.md`) with what its commands print."""
    template = (GUIDES / name).read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder, chdir(folder), ExitStack() as lines:
        desk = _Desk(lines)
        return _BLOCK.sub(desk.block, template)


class _Desk:
    """Where a guide is followed: a folder, and the meters that it puts on lines."""

    def __init__(self, lines: ExitStack) -> None:
        self._lines = lines
        self._ports: dict[str, str] = {}
        """Port in the guide → the free one in its place."""

    def block(self, found: re.Match[str]) -> str:
        kind, name, text = found.groups()
        if kind == "toml":
            if name:
                Path(name).write_text(text, "utf-8")
            return f"```toml\n{text}```"
        shown = "".join(
            f"{PROMPT}{command}\n{self._output(command)}" for command in commands_in(text)
        )
        return f"```console\n{shown}```"

    def _output(self, command: str) -> str:
        match shlex.split(command.replace("\\\n", "")):
            case ["tallygate", "simulate", "meter", *arguments]:
                text = self._simulate(arguments)
            case ["tallygate", "meters", *arguments]:
                text = self._ask(arguments)
            case ["cat" | "sed" as program, *arguments]:
                text = _run(program, arguments)
            case _:
                raise GuideError(f"a guide runs no {command!r}")
        text = _DURATION.sub("… ms", text.rstrip())
        return f"{text}\n" if text else ""

    def _simulate(self, arguments: Sequence[str]) -> str:
        told = meter.make_context("meter", list(arguments)).params
        bench = Bench(
            meter_type=chosen_type(told["type_"], told["types"]),
            first=Decimal(told["first"]),
            number=told["number"],
        )
        (units,) = on_lines(bench.meters(), told["unit"])
        port = self._lines.enter_context(_listening(Line("line", units)))
        self._ports[str(told["port"])] = str(port)
        return f"Modbus TCP on {told['host']}:{told['port']}, unit {told['unit']}"

    def _ask(self, arguments: Sequence[str]) -> str:
        real = [self._exchanged(each, self._ports) for each in arguments]
        result = CliRunner().invoke(meters, real)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise GuideError(f"{arguments}: {result.exception!r}") from result.exception
        output = result.output if result.exit_code else result.stdout  # no progress of a scan
        return self._exchanged(output, {real: said for said, real in self._ports.items()})

    @staticmethod
    def _exchanged(text: str, ports: dict[str, str]) -> str:
        for port, other in ports.items():
            text = text.replace(f":{port}", f":{other}")
        return text


def commands_in(block: str) -> list[str]:
    """Return the commands of a `console` block, each as one line."""
    joined = block.replace("\\\n", "\\\0")
    return [
        line.removeprefix(PROMPT).replace("\\\0", "\\\n")
        for line in joined.splitlines()
        if line.startswith(PROMPT)
    ]


def _run(program: str, arguments: Sequence[str]) -> str:
    done = subprocess.run(  # noqa: S603 - what the repository's own guides say, without a shell
        [program, *arguments], capture_output=True, text=True, check=True, timeout=MOST_S
    )
    return done.stdout


@contextmanager
def _listening(line: Line) -> Iterator[int]:
    """Yield the port at which the meters on `line` answer, at `ANCHOR` for ever."""
    started: Queue[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def _serve() -> None:
        stop = asyncio.Event()
        async with ModbusBus(line, clock=lambda: ANCHOR) as bus:
            started.put((bus.port, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(_serve(),), daemon=True)
    thread.start()
    port, loop, stop = started.get(timeout=MOST_S)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
