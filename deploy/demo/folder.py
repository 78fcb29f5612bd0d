"""The folder that a demo lives in, and the files in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomli_w

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARK = ".tallygate-demo"


class FolderInUseError(ValueError):
    """A folder holds something that is no demo."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a demo keeps its databases, settings and logs."""

    path: Path

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.path / 'billing.sqlite'}"

    @property
    def archive_url(self) -> str:
        return f"sqlite:///{self.path / 'archive.sqlite'}"

    @property
    def site(self) -> Path:
        """The gateway's settings file."""
        return self.path / "site.toml"

    @property
    def community(self) -> Path:
        """The community's definition."""
        return self.path / "community.toml"

    @property
    def wechat(self) -> Path:
        """The settings of the merchant account at the simulated WeChat Pay."""
        return self.path / "wechat.toml"

    @property
    def wechat_papers(self) -> Path:
        """What a merchant gets from WeChat Pay: keys and certificate."""
        return self.path / "wechat"

    @property
    def seal_keys(self) -> Path:
        """What the demo's papers are sealed with."""
        return self.path / "seal-keys"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def write(self, path: Path, document: Mapping[str, Any]) -> None:
        """Write `document` as TOML."""
        path.write_text(tomli_w.dumps(document), encoding="utf-8")


def make_folder(path: Path) -> Folder:
    """Return an empty demo folder at `path`; what an earlier demo left there is removed.

    Raises `FolderInUseError` if there is anything else.
    """
    if path.exists():
        if not path.is_dir():
            raise FolderInUseError(f"{path} is no folder; name another with --dir")
        if not (path / MARK).exists() and any(path.iterdir()):
            raise FolderInUseError(
                f"{path} holds files that are not a demo's; name an empty folder with --dir"
            )
        shutil.rmtree(path)
    folder = Folder(path.resolve())
    folder.logs.mkdir(parents=True)
    (folder.path / MARK).write_text("A demo of Tallygate: this folder may be deleted.\n")
    return folder
