"""One demo community for every test of the simulators."""

from __future__ import annotations

import pytest

from simulators.community import demo_community
from simulators.fleet import Fleet


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    return Fleet(demo_community(7))
