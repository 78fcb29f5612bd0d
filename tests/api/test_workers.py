"""A server of several processes is one server to whoever calls it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from click.testing import CliRunner

from api.commands import api
from api.rate import Limiter
from api.serving import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.settings import ApiSettings

START_S = 120
CALLS, ALLOWED = 40, 15


def environment(settings: ApiSettings, port: int, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "TALLYGATE_DATABASE_URL": settings.database_url,
        "TALLYGATE_ARCHIVE_URL": settings.archive_url,
        "TALLYGATE_SECURE_COOKIES": "false",
        "TALLYGATE_PORT": str(port),
        "TALLYGATE_WORKERS": "2",
        **more,
    }


@contextmanager
def started(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", "from api.commands import api; api()", "run"]
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            yield server
        finally:
            server.kill()


def children(server: int) -> set[int]:
    """Return the processes that a server has started."""
    return set(map(int, Path(f"/proc/{server}/task/{server}/children").read_text("ascii").split()))


def until(holds: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < ends_s
        time.sleep(0.05)


def answered(port: int, path: str) -> httpx.Response:
    """Call over a connection of its own, so that any process may answer."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_S) as client:
        return client.get(path)


def counted(figures: str, route: str) -> int:
    found = re.search(
        rf'tallygate_http_requests_total{{method="GET",route="{route}",status="200"}} (\S+)',
        figures,
    )
    return int(float(found[1])) if found else 0


def test_two_processes_count_calls_together_and_one_that_is_killed_is_replaced(
    settings: ApiSettings, free_port: Callable[[], int]
) -> None:
    port = free_port()
    limit = {"TALLYGATE_ADDRESS_CALLS_PER_MINUTE": str(ALLOWED)}
    with started(environment(settings, port, **limit)) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == f"listening on http://127.0.0.1:{port}\n"
        until(lambda: len(children(server.pid)) == 3)
        listening_s = time.monotonic()
        found = Counter(answered(port, "/login").status_code for _ in range(CALLS))
        refilled = int((time.monotonic() - listening_s) * ALLOWED / 60) + 1
        assert set(found) == {200, 429}
        assert ALLOWED <= found[200] <= ALLOWED + refilled

        before = children(server.pid)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(children(server.pid) - {victim}) == 3)
        assert len(children(server.pid) & before) == 2
        assert answered(port, "/health").json()["status"] == "ok"

        server.send_signal(signal.SIGTERM)
        everybody = children(server.pid)
        output, _ = server.communicate(timeout=START_S)
    assert server.returncode == 0, output
    assert "Traceback" not in output
    assert output.count("is started anew") == 1
    assert not [pid for pid in everybody if Path(f"/proc/{pid}").exists()]


def test_what_no_process_could_start_with_is_said_once(
    settings: ApiSettings, free_port: Callable[[], int], tmp_path: Path
) -> None:
    (tmp_path / "wrong.toml").write_text('kind = "meter-type"\n', "utf-8")
    wrong = environment(settings, free_port(), TALLYGATE_METER_TYPES=str(tmp_path))
    answer = CliRunner().invoke(api, ["run"], env=wrong)
    assert answer.exit_code == 1
    assert "wrong.toml" in answer.output


def test_processes_take_calls_out_of_one_bucket(tmp_path: Path) -> None:
    one, other = (Limiter(lambda: 1000.0, shared=tmp_path / "calls") for _ in range(2))
    with closing(one), closing(other):
        taken = [limiter.take("li", 6) for limiter in (one, other) * 4]
        assert other.take("chen", 6).left == 5
    assert [each.admitted for each in taken] == [True] * 6 + [False] * 2
    assert [each.left for each in taken] == [5, 4, 3, 2, 1, 0, 0, 0]


def test_processes_share_the_connections_that_the_settings_allow(settings: ApiSettings) -> None:
    stated = {"max_connections": 1000, "workers": 3}
    assert Patience.of(settings.model_copy(update=stated)).connections == 333


def test_whichever_process_is_asked_tells_the_figures_of_all(tmp_path: Path) -> None:
    counting = (
        "from api.metrics import Metrics, share; from pathlib import Path;"
        f"share(Path({str(tmp_path)!r})); m = Metrics();"
        "m.answered(method='GET', route='/login', status=200, duration_s=0.1);"
        "from datetime import datetime, UTC;"
        "print(m.exposition((), 0, now=datetime.now(UTC)).decode())"
    )
    told = [subprocess.check_output([sys.executable, "-c", counting], text=True) for _ in range(2)]
    assert [counted(figures, "/login") for figures in told] == [1, 2]
