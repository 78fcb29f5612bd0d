"""Short messages: an SMS to a person, a message to a group, over HTTP to a gateway.

At most once, unless the gateway drops repeats: where nobody knows whether a message was taken, it
is left for a person, as a second one costs money and rings a phone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.delivery.calling import NotSentError, UnansweredError, call
from billing.delivery.destination import DestinationError, Reach, destination
from billing.delivery.letter import GROUP, letter_of, written
from billing.delivery.schedule import Result, Said
from billing.delivery.wording import TemplateRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.delivery.gateway import Gateway
    from billing.store.delivery_queue import Leased


class ShortSender:
    """Sends SMS to people, through one gateway."""

    channel = "sms"

    def __init__(self, post: Post, links: str) -> None:
        self._post = post
        self._links = links
        self.repeatable = post.gateway.document.drops_repeats

    def prepare(self, connection: Connection, leased: Leased) -> Callable[[datetime], Result]:
        """Write the message; what is returned sends it."""
        try:
            found = letter_of(connection, leased, self._links)
        except TemplateRefusedError as error:
            return _settled(str(error))
        if found is None:
            return _settled("nobody is told there any more")
        text, to = found.message.short, found.address
        return lambda _: self._post.send(text, to, leased.message_id)


class GroupSender:
    """Sends to groups of staff, each through a gateway and in a language of its own."""

    channel = "wecom"

    def __init__(self, groups: Mapping[str, Group], links: str) -> None:
        self._groups = dict(groups)
        self._links = links
        drops = [each.post.gateway.document.drops_repeats for each in self._groups.values()]
        self.repeatable = bool(drops) and all(drops)

    def prepare(self, connection: Connection, leased: Leased) -> Callable[[datetime], Result]:
        """Write the message; what is returned sends it."""
        group = self._groups.get(leased.target.removeprefix(GROUP))
        if group is None:
            return _settled("the settings name this group no more")
        try:
            message, _ = written(connection, leased, group.language, self._links)
        except TemplateRefusedError as error:
            return _settled(str(error))
        return lambda _: group.post.send(message.short, "", leased.message_id)


@dataclass(frozen=True, slots=True)
class Post:
    """A gateway at its address."""

    gateway: Gateway
    url: str
    secret: str | None

    def send(self, text: str, to: str, message: str) -> Result:
        """Send a message and return what came of it."""
        longest = self.gateway.document.longest
        if len(text) > longest:
            return Result(Said.REFUSED, detail=f"{len(text)} letters; it takes {longest}")
        values = {"text": text, "to": to, "id": message, "secret": self.secret or ""}
        url = self.gateway.url(self.url, values)
        reach = Reach.PUBLIC if url.startswith("https://") else Reach.THIS_MACHINE
        try:
            answer = call(
                destination(url, reach),
                self.gateway.headers(values),
                self.gateway.body(values),
                reach,
                method=self.gateway.document.method,
            )
        except DestinationError as error:
            return Result(Said.REFUSED, detail=f"the gateway's address {error}")
        except NotSentError as error:
            return Result(Said.FAILED, detail=str(error))
        except UnansweredError as error:
            again = self.gateway.document.drops_repeats
            return Result(Said.FAILED if again else Said.UNSURE, detail=str(error))
        return self.gateway.said(answer.status, answer.content)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of staff: how it is reached, and in which language."""

    post: Post
    language: str


def _settled(why: str) -> Callable[[datetime], Result]:
    refused = Result(Said.REFUSED, detail=why)
    return lambda _: refused
