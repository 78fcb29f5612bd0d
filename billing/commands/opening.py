"""How a command opens the billing database, and what it tells a user who can mend what is wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from sqlalchemy.exc import ArgumentError, DBAPIError

from billing.database import Database, DatabaseError, reason
from billing.store import changes, definitions, opening_balance, projects, registry, reviews, runs
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

MENDABLE = (
    DatabaseError,
    DefinitionError,
    changes.ChangeError,
    changes.UnknownUnitError,
    definitions.UnknownPointError,
    definitions.VersionExistsError,
    opening_balance.NobodySaysError,
    opening_balance.OpeningExistsError,
    opening_balance.UnknownAccountError,
    projects.UnknownProjectError,
    registry.CommunityExistsError,
    registry.MeterTakenError,
    reviews.UnknownRegisterError,
    runs.UnknownRunError,
)
"""What a user can mend, and is told in words."""

database_option = click.option(
    "--database",
    "url",
    envvar="TALLYGATE_DATABASE_URL",
    required=True,
    metavar="URL",
    help="The billing database, such as sqlite:///billing.sqlite [TALLYGATE_DATABASE_URL].",
)


@contextmanager
def opened(url: str, *, at_version: bool = True) -> Iterator[Database]:
    """Open the database at `url`, and turn what a user can mend into a message."""
    try:
        with Database(url) as database:
            if at_version:
                database.check_version()
            yield database
    except MENDABLE as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:
        raise click.ClickException(f"the database cannot be used: {reason(error)}") from error
    except OSError as error:
        raise click.ClickException(f"the database cannot be made: {error}") from error
    except (ArgumentError, ModuleNotFoundError) as error:
        raise click.ClickException(
            "the database's URL cannot be used; write sqlite:///path/of/billing.sqlite or "
            "postgresql+pg8000://user:password@host/database"
        ) from error
