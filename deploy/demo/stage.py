"""The demo itself: simulators, gateway, books and API, brought up in order."""

from __future__ import annotations

import secrets
import socket
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from api.papers.sealing import add_key
from billing.community import load_community
from billing.database import Database
from deploy.demo.books import Office, open_books, with_car_space
from deploy.demo.community import community_document, site_document
from deploy.demo.misreading import Misreading
from deploy.demo.past import replay_past
from deploy.demo.processes import ProcessError, Processes
from deploy.demo.summary import summarise
from gateway.site import load_site
from meters.archive.open import open_archive
from meters.interval import Interval, Period
from meters.reading import Series
from simulators.community import demo_community
from simulators.faults import load_faults
from simulators.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from billing.store.runs import Run
    from deploy.demo.books import Books
    from deploy.demo.folder import Folder
    from deploy.demo.summary import Summary
    from meters.archive.protocol import Archive
    from simulators.meter import SimulatedMeter

FAULTS_PAST = Path(__file__).parent / "faults-past.toml"
FAULTS_LIVE = Path(__file__).parent / "faults-live.toml"
DAY = timedelta(days=1)
BILLED_AFTER = timedelta(days=2)
"""How long after its end the earlier month was billed; the last one is billed now."""
HEARD_AFTER = timedelta(days=5)
"""How long after its bills something was heard that corrects them."""
NOTED_AFTER = timedelta(hours=9)
"""How long after a month's end the office took over what a caretaker had read."""
PUBLISH_EVERY_S = 4
LIVE_TIMEOUT_S = 180
DEFAULT_PORT = 8080
API_V3_KEY = "TALLYGATE_WECHAT_API_V3_KEY"
"""Where the API looks for the secret of its account at WeChat Pay."""
READS = 2
"""How often each meter must have been read over its socket."""


class Tell(Protocol):
    """Hears what the demo does, and how far it is where that is known."""

    def __call__(self, text: str, done: int = 0, total: int = 0) -> None: ...


@dataclass(slots=True)
class Stage:
    """A running demo in `folder`; `tell` hears what happens. Use it as a context manager.

    Its pages are at `port`; without one at 8080, or at a free port if that is taken.
    """

    folder: Folder
    seed: int
    port: int | None
    tell: Tell
    url: str = field(init=False)
    """Where the pages are."""
    books: Books = field(init=False)
    run: Run = field(init=False)
    misreading: Misreading = field(init=False)
    """What the clerk will find wrong in the last month."""
    _exits: ExitStack = field(init=False, default_factory=ExitStack)
    _processes: Processes = field(init=False)
    _database: Database = field(init=False)
    _fleet: Fleet = field(init=False)

    @property
    def _gateway(self) -> str:
        return f"{self._fleet.community.id}-gateway"

    @property
    def meters(self) -> int:
        """How many meters the community has."""
        return len(self._fleet.meters)

    def __enter__(self) -> Self:
        self._fleet = Fleet(demo_community(self.seed))
        self._processes = self._exits.enter_context(Processes(self.folder.logs))
        self._database = self._exits.enter_context(Database(self.folder.database_url))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def prepare(self) -> None:
        """Bring everything up, bill the two months that have ended, and wait for the pages."""
        now = datetime.now(UTC)
        period = Period.last_full_month(now, self._fleet.community.zone)
        self.tell("starting the broker and the meters")
        broker_port = self._start_broker()
        buses = self._start_modbus_meters()
        self.folder.write(self.folder.community, community_document(self._fleet, period.previous))
        units = load_community(self.folder.community).unit
        self.misreading = Misreading.planted(self._fleet, units, period)
        self.books = open_books(
            self._database,
            self.folder,
            gateway=self._gateway,
            misread=self.misreading.unit,
            now=now,
        )
        self.tell("starting the pages")
        self.url = self._start_pages()
        site = site_document(
            self._fleet,
            gateway=self._gateway,
            buses=buses,
            broker_port=broker_port,
            api_url=self.url,
        )
        self.folder.write(self.folder.site, site)
        self._replay(Interval(period.previous.interval.start, now))
        self.tell("starting the gateway")
        self._start_gateway()
        self._start_mqtt_meters(broker_port)
        self._bill(period.previous, period, now)
        self.tell("waiting for the pages")
        self._processes.wait_for_http("api", f"{self.url}/health")

    def wait_for_readings(self) -> int:
        """Return the readings over sockets once every meter was read at least twice that way."""
        started = datetime.now(UTC).replace(microsecond=0)
        deadline = time.monotonic() + LIVE_TIMEOUT_S
        self.tell(f"reading {len(self._fleet.meters)} meters over their sockets")
        with closing(open_archive(self.folder.archive_url)) as archive:
            while True:
                self._processes.check()
                counts = self._read_since(archive, started)
                if min(counts.values()) >= READS:
                    return sum(counts.values())
                if time.monotonic() > deadline:
                    slow = sorted(meter for meter, count in counts.items() if count < READS)
                    raise ProcessError(
                        f"{len(slow)} meters were not read {READS} times within "
                        f"{LIVE_TIMEOUT_S} s, {slow[0]} among them; see {self.folder.logs}"
                    )
                time.sleep(0.5)

    def finish(self, live_readings: int) -> Summary:
        """Stop reading, hold everything against the invariants, and return what it came to."""
        self._processes.stop("mqtt meters")
        status = self._processes.stop("gateway")
        summary = summarise(
            self._database,
            self.run,
            spool=load_site(self.folder.site).spool_path,
            meters=len(self._fleet.meters),
            live_readings=live_readings,
        )
        if status != 0:
            text = f"the gateway stopped with status {status}"
            summary = replace(summary, failures=(*summary.failures, text))
        return summary

    def watch(self) -> None:
        """Stay up until interrupted; raise `ProcessError` if a part ends by itself."""
        while True:
            self._processes.check()
            time.sleep(1)

    def _start_broker(self) -> int:
        broker = self._processes.start_simulator(
            "broker", *("broker", "--port", "0", "--port-v5", "0")
        )
        return int(broker["port"])

    def _start_wechat_pay(self) -> dict[str, Any]:
        """Start the simulated WeChat Pay and return where it is, and what its merchant gets."""
        return self._processes.start_simulator(
            "wechat pay",
            *("wechat-pay", "--seed", str(self.seed), "--port", "0"),
            *("--papers", str(self.folder.wechat_papers)),
        )

    def _start_modbus_meters(self) -> dict[str, int]:
        modbus = self._processes.start_simulator(
            "modbus meters", *("modbus", "--seed", str(self.seed), "--port", "0")
        )
        return {name: int(bus["port"]) for name, bus in modbus["buses"].items()}

    def _start_mqtt_meters(self, broker_port: int) -> None:
        self._processes.start_simulator(
            "mqtt meters",
            *("mqtt", "--seed", str(self.seed), "--port", str(broker_port)),
            *("--every", str(PUBLISH_EVERY_S), "--faults", str(FAULTS_LIVE)),
        )

    def _start_gateway(self) -> None:
        key = {"TALLYGATE_GATEWAY_KEY": self.books.gateway_key}
        self._processes.start("gateway", "gateway", "run", str(self.folder.site), environment=key)

    def _bill(self, earlier: Period, period: Period, now: datetime) -> None:
        """Bill two months; what is heard of the earlier one in between is corrected."""
        then = earlier.interval.end + BILLED_AFTER
        units = load_community(self.folder.community).unit
        with closing(open_archive(self.folder.archive_url)) as archive:
            office = Office(self._database, archive, self.books, self._fleet.community.id)
            self.tell(f"billing {earlier.key}")
            office.bill(earlier, now=then)
            self.tell(f"correcting {earlier.key}")
            office.correct(earlier, with_car_space(units), now=then + HEARD_AFTER)
            self.tell(f"billing {period.key}")
            office.note(self.misreading, now=min(now, period.interval.end + NOTED_AFTER))
            self.run = office.bill(period, now=now)

    def _replay(self, interval: Interval) -> None:
        site = load_site(self.folder.site)
        days = interval.length // DAY + 1

        def tell(day: datetime) -> None:
            self.tell(f"replaying {day:%Y-%m-%d}", (day - interval.start) // DAY, days)

        faults = self._fleet.plan((*load_faults(FAULTS_PAST), self.misreading.silence))
        replay_past(self._fleet, site, interval, faults=faults, progress=tell)

    def _start_pages(self) -> str:
        """Start the API and return where it listens."""
        wechat = self._start_wechat_pay()
        environment = {
            "TALLYGATE_DATABASE_URL": self.folder.database_url,
            "TALLYGATE_ARCHIVE_URL": self.folder.archive_url,
            "TALLYGATE_SECURE_COOKIES": "false",
            "TALLYGATE_SECRET_KEYS": secrets.token_urlsafe(),  # second factors may be tried
            "TALLYGATE_WEBHOOKS_TO_THIS_MACHINE": "true",  # and webhooks; nothing leaves it
            "TALLYGATE_WECHAT_SETTINGS": str(self.folder.wechat),
            "TALLYGATE_WECHAT_SCAN_PAGE": f"{wechat['base_url']}/scan",
            "TALLYGATE_SEAL_KEYS": str(self.folder.seal_keys),
            API_V3_KEY: Path(wechat["papers"]["api_v3_key_file"]).read_text(encoding="ascii"),
        }
        if not self.folder.seal_keys.exists():
            add_key(self.folder.seal_keys)
        ports = (DEFAULT_PORT, free_port()) if self.port is None else (self.port,)
        for port in ports:
            self.folder.write(self.folder.wechat, merchant_document(wechat, port))
            here = {
                "TALLYGATE_PORT": str(port),
                "TALLYGATE_PUBLIC_ADDRESS": f"http://127.0.0.1:{port}",
            }
            said = self._processes.start_server(
                "api", "api", "run", environment={**environment, **here}
            )
            if said is not None:
                return said.rpartition(" ")[2]
        raise ProcessError(self._processes.why("api"))

    def _read_since(self, archive: Archive, started: datetime) -> dict[str, int]:
        """Return how often each meter's first billing register was read since `started`."""
        until = Interval(started, datetime.now(UTC) + DAY)
        return {
            meter.id: len(archive.readings(Series(meter.id, first_register(meter)), until))
            for meter in self._fleet.meters.values()
        }


def merchant_document(wechat: Mapping[str, Any], port: int) -> dict[str, str]:
    """Return the settings of the account at the simulated `wechat`, for an API at `port`."""
    return {
        **{name: wechat[name] for name in ("merchant", "app", "key_serial", "base_url")},
        "key_file": wechat["papers"]["key_file"],
        "api_v3_key_env": API_V3_KEY,
        "notify_url": f"http://127.0.0.1:{port}/v1/callbacks/wechat",
    }


def free_port() -> int:
    """Return a port that nobody listens on: the provider is told of it before the API starts."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port


def first_register(meter: SimulatedMeter) -> str:
    """Return the billing register that the meter's type names first."""
    return next(iter(meter.meter_type.billing_registers))
