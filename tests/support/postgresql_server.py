"""A real PostgreSQL on loopback, in a directory of its own, and empty databases in it.

It runs with `fsync` off unless asked otherwise: tests want speed, a benchmark wants the truth.
"""

from __future__ import annotations

import itertools
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loopback import HOST, free_port
from server_process import ServerFailedError, ServerProcess
from sqlalchemy import NullPool, create_engine, make_url, text

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "tallygate"
_numbers = itertools.count(1)


def find_postgresql() -> Path | None:
    """Return the folder of the newest server's programs, None where no server is installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if debian:
        return debian[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _version(initdb: Path) -> int:
    digits = re.match(r"\d+", initdb.parent.parent.name)
    return int(digits[0]) if digits else 0


@contextmanager
def postgresql_server(programs: Path, *, fsync: bool = False) -> Iterator[str]:
    """Run a server from `programs` and yield the SQLAlchemy URL of its first database."""
    directory = Path(tempfile.mkdtemp(prefix="tallygate-postgresql-"))
    user = _unprivileged_user()
    if user is not None:
        shutil.chown(directory, user)
    try:
        _initialise(programs, directory / "data", user)
        port = free_port()
        process = ServerProcess(
            [
                str(programs / "postgres"),
                *("-D", str(directory / "data"), "-h", HOST, "-p", str(port)),
                *("-c", "unix_socket_directories="),
                *("-c", f"fsync={'on' if fsync else 'off'}"),
            ],
            port=port,
            log=directory / "log",
            user=user,
            is_up=partial(_is_ready, programs),
        )
        process.start()
        try:
            yield f"postgresql+pg8000://{USER}@{HOST}:{port}/postgres"
        finally:
            process.stop()
    finally:
        shutil.rmtree(directory)


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """Yield the URL of a new empty database on the server at `server_url`; drop it afterwards."""
    with _database(server_url, "") as url:
        yield url


@contextmanager
def copied_database(url: str) -> Iterator[str]:
    """Yield the URL of a copy of the database at `url`, to which nobody is connected."""
    with _database(url, f" TEMPLATE {make_url(url).database}") as copy:
        yield copy


@contextmanager
def _database(server_url: str, made_of: str) -> Iterator[str]:
    name = f"tallygate_test_{os.getpid()}_{next(_numbers)}"
    at = make_url(server_url)
    engine = create_engine(
        at.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}{made_of}"))
    try:
        yield at.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _is_ready(programs: Path, port: int) -> bool:
    """Return whether the server lets anybody in: its port is open before that."""
    asked = [str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    return subprocess.run(asked, check=False).returncode == 0


def _unprivileged_user() -> str | None:
    """Return whom to run the server as: it refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _initialise(programs: Path, data: Path, user: str | None) -> None:
    result = subprocess.run(
        [
            str(programs / "initdb"),
            *("-D", str(data), "-U", USER, "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C.UTF-8"),
        ],
        cwd=data.parent,
        user=user,
        group=user and pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise ServerFailedError(f"initdb failed:\n{result.stdout}{result.stderr}")
