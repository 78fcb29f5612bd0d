"""Where an InfluxDB is, which kind it is, and how one enters it: as a URL says it.

    influxdb+http://[user@]host[:8086]/database[/policy]?version=1&password_env=NAME
    influxdb+https://host/bucket?version=2&org=NAME&token_env=NAME
    influxdb+https://host/database?version=3&token_env=NAME

`version` is the server's major version, and has no default: each is written to and entered in its
own way. A 1.8 may be called 2, with `user:password` as its token. Secrets stand in environment
variables, which the URL names. Others: `timeout_s=30`, and `gzip=1` for a thin line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from meters.archive.protocol import ArchiveUrlError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES = ("influxdb+http", "influxdb+https")
DEFAULT_PORT = 8086
TIMEOUT_S = 30
_EXAMPLE = "influxdb+http://host:8086/database?version=1"
_OPTIONS = {
    1: {"version", "password_env", "timeout_s", "gzip"},
    2: {"version", "org", "token_env", "timeout_s", "gzip"},
    3: {"version", "org", "token_env", "timeout_s", "gzip"},
}


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """A database of one InfluxDB server.

    `database` of a 2.x server is its bucket; `policy` is a retention policy, None for the default
    one. `secret_env` names the variable that holds the password or the token.
    """

    base_url: str
    database: str
    version: int
    policy: str | None = None
    org: str = ""
    user: str | None = None
    secret_env: str | None = None
    timeout_s: int = TIMEOUT_S
    gzip: bool = False

    @property
    def bucket(self) -> str:
        """The database as `/api/v2/write` calls it."""
        return self.database if self.policy is None else f"{self.database}/{self.policy}"

    def __str__(self) -> str:
        return f"{self.base_url}/{self.bucket} (InfluxDB {self.version})"

    def secret(self, environment: Mapping[str, str]) -> str | None:
        """Return the password or token; raise `ArchiveUrlError` where the variable is not set."""
        if self.secret_env is None:
            return None
        try:
            return environment[self.secret_env]
        except KeyError as error:
            raise ArchiveUrlError(
                f"the archive {self} wants its secret in the environment variable"
                f" {self.secret_env}, which is not set"
            ) from error


def read_address(url: str) -> InfluxAddress:
    """Return the address that `url` states. Raises `ArchiveUrlError`."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ArchiveUrlError(f"the archive's port cannot be read; write {_EXAMPLE}") from error
    if parts.password is not None:
        raise ArchiveUrlError(
            "the archive's URL holds a password; put it into an environment variable, and its"
            " name into the URL: ?password_env=NAME"
        )
    version = options.get("version")
    if version not in ("1", "2", "3"):
        raise ArchiveUrlError(
            f"the archive's URL says version={version or ''}; write the server's major version,"
            f" 1, 2 or 3: {_EXAMPLE}"
        )
    names = [unquote(name) for name in parts.path.split("/")[1:]]
    if not parts.hostname or len(names) not in (1, 2) or not all(names):
        raise ArchiveUrlError(f"the archive's URL names no host and database; write {_EXAMPLE}")
    number = int(version)
    if unknown := sorted(options.keys() - _OPTIONS[number]):
        raise ArchiveUrlError(
            f"{', '.join(unknown)}: no option of an InfluxDB {number} archive; there are"
            f" {', '.join(sorted(_OPTIONS[number]))}"
        )
    if number == 2 and not options.get("org"):
        raise ArchiveUrlError("an InfluxDB 2 archive needs its organisation: ?version=2&org=NAME")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return InfluxAddress(
        base_url=f"{parts.scheme.removeprefix('influxdb+')}://{host}:{port}",
        database=names[0],
        policy=names[1] if len(names) > 1 else None,
        version=number,
        org=options.get("org", ""),
        user=None if parts.username is None else unquote(parts.username),
        secret_env=options.get("password_env") or options.get("token_env"),
        timeout_s=_whole(options, "timeout_s", TIMEOUT_S),
        gzip=bool(_whole(options, "gzip", 0)),
    )


def _whole(options: Mapping[str, str], name: str, default: int) -> int:
    text = options.get(name, str(default))
    if not text.isdecimal():
        raise ArchiveUrlError(f"{name}={text} in the archive's URL is no whole number")
    return int(text)
