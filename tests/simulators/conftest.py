"""One demo community for every test of the simulators, and an independent master."""

from __future__ import annotations

import shutil

import pytest
from required_parts import missing

from simulators.community import demo_community
from simulators.fleet import Fleet


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    return Fleet(demo_community(7))


@pytest.fixture(scope="session")
def mbpoll() -> str:
    """The path of mbpoll, a Modbus master that shares no code with ours."""
    path = shutil.which("mbpoll")
    if path is None:
        missing.skip("mbpoll", "mbpoll")
    return path
