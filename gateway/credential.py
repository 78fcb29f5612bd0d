"""The gateway's own API key beside its spool, where nobody else can read it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meters.definition import DefinitionError, Problem

if TYPE_CHECKING:
    from pathlib import Path

OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Credential:
    """The key that the API at `url` gave to this gateway."""

    url: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CredentialFile:
    """The credential beside the spool at `spool_path`."""

    spool_path: Path

    @property
    def path(self) -> Path:
        return self.spool_path.with_name(self.spool_path.name + ".credential")

    def assert_writable(self) -> None:
        """Raise `OSError` where no credential can be stored here."""
        beside = self.path.with_suffix(".new")
        beside.touch(mode=OWNER_ONLY)
        beside.unlink()

    def write(self, credential: Credential) -> None:
        """Store `credential`, durably and readable by its owner alone."""
        beside = self.path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            _give(descriptor, self.path.parent)
            json.dump({"url": credential.url, "key": credential.key}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def read(self) -> Credential | None:
        """Return the credential, None where the gateway was never enrolled.

        Raises `DefinitionError` for one that is damaged or that others can read.
        """
        try:
            with self.path.open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise self._broken(f"can be read by others; chmod 600 {self.path}")
                held = json.load(file)
                return Credential(str(held["url"]), str(held["key"]))
        except FileNotFoundError:
            return None
        except DefinitionError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._broken(f"cannot be read ({error}); enrol the gateway again") from error

    def _broken(self, what: str) -> DefinitionError:
        return DefinitionError([Problem(str(self.path), "", what)])


def _give(descriptor: int, folder: Path) -> None:
    """Give a file to whoever owns `folder`, so that a service can read what root has stored."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
