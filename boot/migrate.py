"""For developers: writes a migration from the difference between the models and an upgraded database."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from boot import schema
from core.db import Database


def main(message: str) -> None:
    """Upgrades an empty SQLite database, compares it with the models, and writes what is missing."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.db'}")
        schema.upgrade(database)
        with database.engine.begin() as connection:
            count = len(list((Path(__file__).parent.parent / "migrations" / "versions").glob("*.py")))
            command.revision(
                schema.configuration(connection), message=message, autogenerate=True, rev_id=f"{count + 1:04}"
            )
        database.close()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
