"""Topics of a broker → the meters that report under them.

A meter's topic may hold `+` for levels that vary, and stand for a whole branch where its type has
registers with topics of their own. Meters that share a topic are told apart by their number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gateway.site import MqttMeter
    from meters.meter_type import MeterType

Value = TypeVar("Value")

REMEMBERED = 20_000
"""For how many topics the place that was found is kept."""


@dataclass(slots=True)
class _Level(Generic[Value]):
    below: dict[str, _Level[Value]] = field(default_factory=dict)
    value: Value | None = None


class TopicTree(Generic[Value]):
    """Values by topic filter, as MQTT 3.1.1 §4.7 matches them with topics."""

    def __init__(self) -> None:
        self._top: _Level[Value] = _Level()

    def at(self, topic_filter: str, default: Value) -> Value:
        """Return the value of `topic_filter`; one that is new gets `default`."""
        level = self._top
        for name in topic_filter.split("/"):
            level = level.below.setdefault(name, _Level())
        if level.value is None:
            level.value = default
        return level.value

    def matches(self, topic: str) -> Iterator[Value]:
        """Yield the value of each filter that matches `topic`, the closest first.

        A filter in the place of a topic is matched by those that cover it.
        """
        yield from _matches(self._top, topic.split("/"), 0)


def _matches(level: _Level[Value], names: Sequence[str], depth: int) -> Iterator[Value]:
    if depth == len(names):
        if level.value is not None:
            yield level.value
    else:
        name = names[depth]
        candidates = (name, "+") if name not in {"+", "#"} else (name,)
        for each in candidates:
            if each == "+" and depth == 0 and name.startswith("$"):
                continue  # what the broker tells of itself is never meant by a wildcard
            if each in level.below:
                yield from _matches(level.below[each], names, depth + 1)
    rest = level.below.get("#")
    if rest is not None and rest.value is not None and not (depth == 0 and names[0][:1] == "$"):
        yield rest.value


@dataclass(frozen=True, slots=True)
class Place:
    """A topic filter, and who reports there: meters of one type, by their number."""

    topic_filter: str
    subtopic: str
    meter_type: MeterType
    _meters: dict[str | None, MqttMeter] = field(default_factory=dict)

    def add(self, meter: MqttMeter) -> None:
        identity = meter.identity if self.meter_type.states_identity else None
        self._meters[None if identity is None else identity.casefold()] = meter

    def sender(self, identity: str | None) -> MqttMeter | None:
        """Return the meter whose payload states `identity`, None where that is nobody's."""
        if identity is not None:
            found = self._meters.get(identity.casefold())
            if found is not None:
                return found
        elif len(self._meters) == 1:
            return next(iter(self._meters.values()))  # its topic says who it is
        return self._meters.get(None)

    @property
    def is_shared(self) -> bool:
        """Whether meters that nobody stated may be expected here."""
        return len(self._meters) > 1 or "+" in self.topic_filter

    @property
    def stated(self) -> list[str]:
        """The numbers of the meters."""
        return [str(meter.identity) for meter in self._meters.values()]


class Places:
    """Where `meters` report."""

    def __init__(self, meters: Iterable[MqttMeter]) -> None:
        self._tree: TopicTree[Place] = TopicTree()
        self._found: dict[str, Place | None] = {}
        for meter in meters:
            for topic_filter, subtopic in ways(meter):
                new = Place(topic_filter, subtopic, meter.type)
                self._tree.at(topic_filter, new).add(meter)

    def find(self, topic: str) -> Place | None:
        """Return the place of a message under `topic`, None where nobody is stated."""
        try:
            return self._found[topic]
        except KeyError:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            found = self._found[topic] = next(self._tree.matches(topic), None)
            return found


def ways(meter: MqttMeter) -> Iterator[tuple[str, str]]:
    """Yield the filters under which `meter` reports, each with what stands below its own topic."""
    for subtopic in sorted(meter.type.topics):
        yield (f"{meter.topic}/{subtopic}" if subtopic else meter.topic), subtopic


def filters(meters: Iterable[MqttMeter], listen: Iterable[str]) -> list[str]:
    """Return what to subscribe to for `meters` and `listen`: no filter that another one covers.

    A broker may deliver a message once for each of a client's filters that it matches.
    """
    wanted = {topic for meter in meters for topic, _ in ways(meter)} | set(listen)
    wide: TopicTree[str] = TopicTree()
    for each in wanted:
        if "+" in each or "#" in each:
            wide.at(each, each)
    return sorted(each for each in wanted if not any(cover != each for cover in wide.matches(each)))
