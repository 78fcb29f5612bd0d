"""Tariffs, their drafts and what a draft would change, as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Answer, Money, Title, money, titles
from billing.canonical import canonical, read_json
from billing.store.tariff_drafts import DraftState

if TYPE_CHECKING:
    from billing.store.tariff_drafts import Draft
    from billing.tariff import Tariff
    from billing.what_if.tried import Trial

LONGEST = 200_000
"""Letters of a tariff's file."""


class TariffVersion(Answer):
    """A version of a tariff, which holds from a local day on."""

    id: str
    version: int
    title: Title
    medium: str | None
    currency: str
    valid_from: date
    in_force: bool = Field(description="Whether it is the version that holds today.")
    digest: str = Field(description="SHA-256 of the canonical text.")

    @classmethod
    def of(cls, tariff: Tariff, in_force: Tariff | None) -> TariffVersion:
        return cls(
            id=tariff.id,
            version=tariff.version,
            title=titles(tariff.title),
            medium=tariff.medium,
            currency=tariff.currency,
            valid_from=tariff.valid_from,
            in_force=tariff is in_force,
            digest=tariff.digest,
        )


class TariffShown(TariffVersion):
    """A version with all that its file says."""

    document: dict[str, Any] = Field(description="The definition, as its TOML file has it.")

    @classmethod
    def whole(cls, tariff: Tariff, in_force: Tariff | None) -> TariffShown:
        return cls(
            **TariffVersion.of(tariff, in_force).model_dump(),
            document=read_json(canonical(tariff)),
        )


class NewDraft(BaseModel):
    """A tariff to try and to publish: its file as TOML, with the examples that prove it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"document": 'kind = "tariff"\nid = "water"\n…'}]},
    )

    document: Annotated[str, Field(min_length=1, max_length=LONGEST)]


class TariffDraft(Answer):
    """A tariff that somebody has drafted; when somebody else publishes it, it is a version."""

    id: int
    tariff: str
    version: int
    state: DraftState
    drafted_by: str
    drafted_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    document: str = Field(description="Its TOML file, as it was given.")

    @classmethod
    def of(cls, draft: Draft) -> TariffDraft:
        return cls(
            id=draft.id,
            tariff=draft.code,
            version=draft.version,
            state=draft.state,
            drafted_by=draft.drafted_by,
            drafted_at=draft.drafted_at,
            decided_by=draft.decided_by,
            decided_at=draft.decided_at,
            document=draft.document,
        )


class TriedUnit(Answer):
    """What an account was billed for a unit, and would have been."""

    unit: str
    account: str
    before: Money
    now: Money
    change: Money


class UntriedUnit(Answer):
    """An account that the draft cannot rate, and why."""

    unit: str
    account: str
    why: str


class DraftTrial(Answer):
    """What a draft would have billed in an issued month, on what is frozen behind it."""

    before: Money
    now: Money
    change: Money
    units: list[TriedUnit]
    not_tried: list[UntriedUnit] = Field(description="They are in no sum.")

    @classmethod
    def of(cls, trial: Trial) -> DraftTrial:
        return cls(
            before=money(trial.before),
            now=money(trial.now),
            change=money(trial.now - trial.before),
            units=[
                TriedUnit(
                    **each.holder._asdict(),
                    before=money(each.before),
                    now=money(each.now),
                    change=money(each.amount),
                )
                for each in trial.changes
            ],
            not_tried=[
                UntriedUnit(**each.holder._asdict(), why=each.why) for each in trial.not_tried
            ],
        )
