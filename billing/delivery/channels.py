"""What an installation can send over, as its settings say: senders, and the groups that hear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.delivery.letter import GROUP
from billing.delivery.mail import MailSender
from billing.delivery.settings import gateway_of, load_delivery, secret
from billing.delivery.short import Group, GroupSender, Post, ShortSender
from billing.delivery.webhook import WebhookSender
from billing.store.delivery_outbox import Hearer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from billing.delivery.attachment import BillPapers
    from billing.delivery.destination import Reach
    from billing.delivery.dispatching import Sender
    from billing.delivery.settings import DeliverySettings, GatewaySettings
    from billing.sealing import Seal


@dataclass(frozen=True, slots=True)
class Channels:
    """What can be sent over. `people`: the channels that a person may choose among."""

    senders: tuple[Sender, ...]
    groups: tuple[Hearer, ...] = ()

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(each.channel for each in self.senders if each.channel in {"email", "sms"})


def open_channels(
    path: Path | None,
    reach: Reach,
    environment: Mapping[str, str],
    papers: BillPapers | None = None,
    *,
    seal: Seal,
) -> Channels:
    """Return the channels of the settings in the file `path`: webhooks alone without.

    `seal` opens the secrets that sign webhooks.
    `papers`: the way to a bill as a file, which mails about it carry.
    Raises `DefinitionError` for what is wrong in it, or a variable that holds no secret.
    """
    senders: list[Sender] = [WebhookSender(reach, seal)]
    if path is None:
        return Channels(tuple(senders))
    settings, source = load_delivery(path), str(path)
    if settings.smtp is not None:
        named = settings.smtp.password_env if settings.smtp.user is not None else None
        password = secret(named, environment, source=f"{source}: smtp.password_env")
        senders.append(MailSender(settings.smtp, password, settings.links, papers))
    if settings.sms is not None:
        post = _post(settings.sms, environment, f"{source}: sms")
        senders.append(ShortSender(post, settings.links))
    if settings.group:
        senders.append(GroupSender(_groups(settings, environment, source), settings.links))
    hearers = [
        Hearer("wecom", f"{GROUP}{each.name}", frozenset(each.events), project=each.project)
        for each in settings.group
    ]
    return Channels(tuple(senders), tuple(hearers))


def _groups(
    settings: DeliverySettings, environment: Mapping[str, str], source: str
) -> dict[str, Group]:
    return {
        each.name: Group(_post(each, environment, f"{source}: group {each.name}"), each.language)
        for each in settings.group
    }


def _post(settings: GatewaySettings, environment: Mapping[str, str], source: str) -> Post:
    gateway = gateway_of(settings, source=source)
    return Post(gateway, settings.url, secret(settings.secret_env, environment, source=source))
