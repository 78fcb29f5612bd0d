"""Many rows at once: all of them arrive, in their order, however many fit one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, Integer, MetaData, Table, Text, select

from billing.store.bulk import AT_ONCE, insert_columns, select_rows

if TYPE_CHECKING:
    from billing.database import Database

ROW = Table("bulk_row", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text))


def test_rows_are_inserted_in_their_order(database: Database) -> None:
    with database.transaction() as connection:
        ROW.create(connection)
        for count in (0, 1, AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE + 1):
            texts = [None if row % 7 == 3 else f"VALUES (?, ?)\t{row}" for row in range(count)]
            insert_columns(connection, ROW, {"id": range(1, count + 1), "text": texts})
            found = select_rows(connection, select(ROW.c.id, ROW.c.text).order_by(ROW.c.id))
            assert list(found) == list(enumerate(texts, start=1))
            connection.execute(ROW.delete())
