"""How Alembic runs here: on the connection it is given, in one transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON

from models import Base
from models.base import Exact, Moment

connection = context.config.attributes["connection"]


def render(kind: str, item: Any, autogenerate: Any) -> str | Literal[False]:
    """A migration names no class of ours, so that it stays true when the class changes."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Exact):
        return f'sa.Numeric(20, {item.places}).with_variant(sa.BigInteger(), "sqlite")'
    if kind == "type" and isinstance(item, JSON):
        autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=render,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
