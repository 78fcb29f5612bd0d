"""The import contract of our own finds what it is for, and every package is under contract."""

from __future__ import annotations

import tomllib
from typing import Any

import grimp
import pytest
from pure_core import PureCore
from source_tree import CHECKOUT, PACKAGES

SETTINGS = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]


def graph(*imports: tuple[str, str]) -> grimp.ImportGraph:
    built = grimp.ImportGraph()
    for module in ("billing", "billing.money", "billing.rating.steps", "billing.store.runs"):
        built.add_module(module)
    built.add_module("sqlalchemy", is_squashed=True)
    for importer, imported in imports:
        built.add_import(importer=importer, imported=imported, line_number=1, line_contents="")
    return built


def contract() -> PureCore:
    options: dict[str, Any] = {
        "packages": ["billing"],
        "adapters": ["billing.store"],
        "forbidden": ["sqlalchemy", "sqlite3"],
    }
    return PureCore(name="core", session_options={}, contract_options=options)


def broken_by(*imports: tuple[str, str]) -> list[tuple[str, ...]]:
    built = graph(*imports)
    built.add_module("billing.store")
    check = contract().check(built, verbose=False)
    assert check.kept is not bool(check.metadata["chains"])
    return list(check.metadata["chains"])


def test_core_that_imports_a_database_breaks_the_contract() -> None:
    assert broken_by(("billing.money", "sqlalchemy")) == [("billing.money", "sqlalchemy")]


def test_core_that_imports_an_adapter_breaks_the_contract() -> None:
    chain = ("billing.rating.steps", "billing.store.runs", "sqlalchemy")
    assert broken_by(chain[:2], chain[1:]) == [chain]


def test_a_chain_is_reported_once_where_core_ends() -> None:
    breach = ("billing.money", "sqlalchemy")
    assert broken_by(("billing.rating.steps", "billing.money"), breach) == [breach]


def test_adapters_do_io() -> None:
    assert broken_by(("billing.store.runs", "sqlalchemy")) == []


def test_an_adapter_that_is_gone_is_named() -> None:
    with pytest.raises(ValueError, match=r"billing\.store: no such module"):
        contract().check(graph(), verbose=False)


def test_every_package_is_under_the_contracts() -> None:
    assert sorted(SETTINGS["root_packages"]) == sorted(PACKAGES)
