"""What an InfluxDB can answer, and what is made of it; what several writers see of each other."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from scripted_server import Asked, ScriptedServer

from meters.archive import influx, influx_server
from meters.archive.circuit import SECOND_NS, Circuit
from meters.archive.influx_server import QuestionRefusedError
from meters.archive.open import open_archive
from meters.archive.protocol import Appended, ArchiveUnavailableError, Conflict
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from influxdb_server import InfluxdbServer

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
ENERGY = Series("sdm120-1", "import_energy")
DAY = Interval(NOON, NOON + timedelta(days=1))
NOTHING = json.dumps({"results": [{"statement_id": 0}]})


def reading(number: int = 0, series: Series = ENERGY, value: str | None = None) -> Reading:
    shown = Decimal(value) if value else Decimal(number)
    return Reading(series, NOON + timedelta(seconds=number), shown, "462a 7521", Verdict.GOOD)


class Script:
    """A server that stores nothing, and refuses what it is told to."""

    def __init__(self) -> None:
        self.refuses: Callable[[list[str]], tuple[int, str] | None] = lambda _: None
        self.answers = 200, NOTHING
        self.written: list[list[str]] = []

    def __call__(self, asked: Asked) -> tuple[int, str]:
        if asked.path == "/query":
            return self.answers
        content = asked.content
        if asked.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        lines = content.decode().split("\n")
        refusal = self.refuses(lines)
        if refusal is None:
            self.written.append(lines)
        return refusal or (204, "")


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def server(script: Script) -> Iterator[ScriptedServer]:
    with ScriptedServer(script) as opened:
        yield opened


@pytest.fixture(params=["version=1", "version=2&org=o", "version=3"])
def url(request: pytest.FixtureRequest, server: ScriptedServer) -> str:
    return f"influxdb+http://{server.host}:{server.port}/meters?{request.param}"


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Circuits that close at once: not every test is about waiting."""
    monkeypatch.setattr(influx_server, "Circuit", partial(Circuit, first_ns=0))


def refusing(status: int, bad: str) -> Callable[[list[str]], tuple[int, str] | None]:
    """A server that refuses a request with `status` for a line that holds `bad`."""

    def _refuses(lines: list[str]) -> tuple[int, str] | None:
        return (status, f"bad line {bad}") if any(bad in line for line in lines) else None

    return _refuses


def test_each_version_is_written_to_where_it_listens_and_with_its_words(
    url: str, server: ScriptedServer
) -> None:
    with closing(open_archive(url)) as archive:
        assert archive.append([reading()]).stored == 1
    question, write = server.asked
    assert (question.path, question.parameters["db"]) == ("/query", "meters")
    if "version=1" in url:
        assert (write.path, write.parameters) == ("/write", {"db": "meters", "precision": "s"})
    else:
        assert write.path == "/api/v2/write"
        assert (write.parameters["bucket"], write.parameters["precision"]) == ("meters", "s")
    assert write.content.decode() == (
        'reading,meter=sdm120-1,register=import_energy value=0i,verdict=0i,raw="462a 7521"'
        " 1790856000"
    )


@pytest.mark.parametrize("status", [400, 422])
def test_a_line_that_the_server_refuses_alone_is_refused_and_the_others_are_stored(
    url: str, script: Script, status: int
) -> None:
    script.refuses = refusing(status, "value=130000i")
    readings = [reading(number) for number in range(50)]
    with closing(open_archive(url)) as archive:
        done = archive.append(readings)
    assert (done.stored, done.duplicates, done.conflicts) == (49, 0, ())
    (refused,) = done.refused
    assert refused.reading == readings[13]
    assert f"{status}" in refused.why
    assert "bad line" in refused.why
    stored = {line for lines in script.written for line in lines}
    assert len(stored) == 49


def test_the_parts_of_a_large_batch_are_stored_in_their_order_and_counted_together(
    influxdb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx, "LINES_MAX", 100)
    readings = [reading(number) for number in range(450)]
    other, odd = reading(7, value="999"), reading(451, value="0.00001")
    with closing(open_archive(influxdb_url)) as archive:
        done = archive.append([*readings, readings[3], other, odd])
        assert (done.stored, done.duplicates, len(done.refused)) == (450, 1, 1)
        assert done.conflicts == (Conflict(other, readings[7]),)
        assert archive.readings(ENERGY, DAY) == readings


def test_after_a_part_that_fails_none_is_sent(
    url: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx, "LINES_MAX", 10)
    script.refuses = lambda lines: (503, "away") if "value=150000i" in "".join(lines) else None
    with closing(open_archive(url)) as archive, pytest.raises(ArchiveUnavailableError):
        archive.append([reading(number) for number in range(50)])
    assert [len(lines) for lines in script.written] == [10]


def test_a_batch_that_is_too_large_is_sent_in_halves(url: str, script: Script) -> None:
    script.refuses = lambda lines: (413, "too large") if len(lines) > 10 else None
    with closing(open_archive(url)) as archive:
        done = archive.append([reading(number) for number in range(50)])
    assert done == Appended(stored=50, duplicates=0)


@pytest.mark.usefixtures("no_wait")
def test_where_every_line_is_refused_it_is_an_outage_and_nobodys_fault(
    url: str, script: Script
) -> None:
    with closing(open_archive(url)) as archive:
        script.refuses = lambda _: (400, "field type conflict")
        for batch in ([reading()], [reading(number) for number in range(20)]):
            with pytest.raises(ArchiveUnavailableError, match=r"no line at all.*type conflict"):
                archive.append(batch)
        script.refuses = lambda _: None
        assert archive.append([reading(number) for number in range(20)]).stored == 20
        script.refuses = lambda _: (400, "write buffer full")
        with pytest.raises(ArchiveUnavailableError, match="write buffer full"):
            archive.append([reading(100)])


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_is_no_objection_to_a_line_is_an_outage_and_is_never_tried_twice(
    url: str, script: Script, server: ScriptedServer, status: int
) -> None:
    script.refuses = lambda _: (status, "not now")
    with closing(open_archive(url)) as archive:
        with pytest.raises(ArchiveUnavailableError, match=f"{status}: not now"):
            archive.append([reading()])
        assert [asked.path for asked in server.asked].count("/query") == 1
        assert len(server.asked) == 2, "the spool sends again, not the client library"
        script.refuses = lambda _: None
        assert archive.append([reading()]).stored == 1


@pytest.mark.usefixtures("no_wait")
def test_a_question_that_fails_is_an_outage_or_a_mistake(url: str, script: Script) -> None:
    with closing(open_archive(url)) as archive:
        for answer in (
            (503, "starting"),
            (200, json.dumps({"results": [{"error": "database not found: meters"}]})),
        ):
            script.answers = answer
            with pytest.raises(ArchiveUnavailableError, match=r"starting|database not found"):
                archive.readings(ENERGY, DAY)
        script.answers = 400, '{"error": "error parsing query"}'
        with pytest.raises(QuestionRefusedError, match="error parsing query"):
            archive.readings(ENERGY, DAY)


def test_a_server_that_is_away_is_left_alone_for_a_while(
    url: str, script: Script, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    monkeypatch.setattr("meters.archive.influx_server.time.monotonic_ns", lambda: now[0])
    script.refuses = lambda _: (503, "not now")
    with closing(open_archive(url)) as archive:
        with pytest.raises(ArchiveUnavailableError, match="503"):
            archive.append([reading()])
        asked = len(server.asked)
        for ask in (archive.latest, lambda: archive.append([reading()])):
            with pytest.raises(ArchiveUnavailableError, match="left alone for 1 s more"):
                ask()
        assert len(server.asked) == asked, "nobody asked it"
        now[0] += SECOND_NS
        script.refuses = lambda _: None
        assert archive.append([reading()]).stored == 1


def test_nobody_listens_and_that_is_said_without_the_secret(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYGATE_TEST_TOKEN", "top-secret")
    for rest in ("version=1&password_env=", "version=2&org=o&token_env=", "version=3&token_env="):
        url = f"influxdb+http://someone@127.0.0.1:{free_port()}/m?{rest}TALLYGATE_TEST_TOKEN"
        with closing(open_archive(url)) as archive:
            with pytest.raises(ArchiveUnavailableError, match="refused") as caught:
                archive.latest()
            assert "top-secret" not in str(caught.value)


def test_secrets_go_where_each_version_wants_them(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYGATE_TEST_TOKEN", "top-secret")
    where = f"influxdb+http://someone@{server.host}:{server.port}/m"
    for rest, sent in (
        ("version=1&password_env=", "Basic c29tZW9uZTp0b3Atc2VjcmV0"),
        ("version=2&org=o&token_env=", "Token top-secret"),
        ("version=3&token_env=", "Token top-secret"),
    ):
        server.asked.clear()
        with closing(open_archive(f"{where}?{rest}TALLYGATE_TEST_TOKEN")) as archive:
            archive.append([reading()])
        assert [asked.headers["authorization"] for asked in server.asked] == [sent, sent]


def test_a_span_that_is_too_wide_for_the_server_is_asked_for_in_parts(
    server: ScriptedServer, url: str
) -> None:
    spans = []

    def _answer(asked: Asked) -> tuple[int, str]:
        first, last = (
            datetime.fromisoformat(part.split("'")[1])
            for part in asked.parameters["q"].split("time ")[1:]
        )
        if last - first > timedelta(days=3):
            return 500, "Query would exceed file limit of 432 parquet files."
        spans.append((first, last))
        return 200, NOTHING

    server.answer = _answer
    with closing(open_archive(url)) as archive:
        assert archive.readings(ENERGY, Interval(NOON, NOON + timedelta(days=30))) == []
    spans.sort()
    assert (spans[0][0], spans[-1][1]) == (NOON, NOON + timedelta(days=30, seconds=-1))
    for one, following in pairwise(spans):
        assert following[0] - one[1] == timedelta(seconds=1)


def test_lines_can_be_sent_compressed(url: str, script: Script, server: ScriptedServer) -> None:
    with closing(open_archive(f"{url}&gzip=1")) as archive:
        archive.append([reading()])
    assert server.asked[-1].headers["content-encoding"] == "gzip"
    assert len(script.written) == 1


# a real server


def test_another_process_is_noticed_wherever_a_batch_is_asked_for(influxdb_url: str) -> None:
    with closing(open_archive(influxdb_url)) as one, closing(open_archive(influxdb_url)) as other:
        one.append([reading(), reading(1)])
        done = other.append([reading(), reading(1, value="99"), reading(2)])
        assert done == Appended(1, 1, (Conflict(reading(1, value="99"), reading(1)),))
        assert one.append([reading(2)]).duplicates == 1


def test_thousands_of_meters_are_asked_about_once_and_told_apart_all_the_same(
    influxdb_url: str, influxd: InfluxdbServer
) -> None:
    meters = [Series(f"m {number},=", "volume") for number in range(1500)]
    with closing(open_archive(influxdb_url)) as archive:
        batches = [[reading(900 * quarter, one) for one in meters] for quarter in range(3)]
        for batch in batches:
            assert archive.append(batch).stored == len(batch)
        late = [reading(450, one) for one in meters[:700]]
        assert archive.append([*late, *batches[1]]) == Appended(700, 1500)
        changed = [reading(450, one, value="7") for one in meters[:300]]
        done = archive.append([*changed, reading(2700, meters[0])])
        assert (done.stored, done.duplicates, len(done.conflicts)) == (1, 0, 300)
        assert archive.append(batches[2]).duplicates == 1500
        twice = [reading(3600, one) for one in meters[:300]] * 2
        assert archive.append(twice) == Appended(300, 300)
        far = [reading(5 * 86_400, one) for one in meters[:300]] * 2
        assert archive.append([*far, *twice]) == Appended(300, 900)
        found = archive.boundaries(meters, NOON + timedelta(minutes=20))
        assert {len(found), *(one.before.time.minute for one in found.values() if one.before)} == {
            1500,
            15,
        }


def test_a_line_that_the_real_server_refuses_is_found_among_good_ones(influxdb_url: str) -> None:
    longest = 65_536  # of a series' key
    bad = Reading(Series("m" * longest, "volume"), NOON, Decimal(1), "", Verdict.GOOD)
    with closing(open_archive(influxdb_url)) as archive:
        done = archive.append([reading(), bad, reading(1)])
        assert done.stored == 2
        assert [refused.reading for refused in done.refused] == [bad]
        assert "max key length exceeded" in done.refused[0].why
        assert archive.readings(ENERGY, DAY) == [reading(), reading(1)]


def test_a_database_that_is_not_there_is_said(influxd: InfluxdbServer) -> None:
    url = f"influxdb+http://{influxd.host}:{influxd.port}/nowhere?version=1"
    with (
        closing(open_archive(url)) as archive,
        pytest.raises(ArchiveUnavailableError, match="database not found"),
    ):
        archive.append([reading()])
