"""What all tables share: names of constraints, moments in UTC, states by their value, JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    Integer,
    MetaData,
    Numeric,
    String,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

#: A primary key that counts up. SQLite only counts up by itself in a plain INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")
#: JSON, or nothing at all for None; on PostgreSQL in its binary form.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Moment(TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite, which knows no zones, stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """An exact number with so many decimal places; SQLite, which knows none, stores its smallest parts."""

    impl = Numeric
    cache_ok = True

    def __init__(self, places: int = 4) -> None:
        self.places = places
        super().__init__(20, places)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = BigInteger() if dialect.name == "sqlite" else Numeric(20, self.places)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return int(value.scaleb(self.places).to_integral_value(ROUND_HALF_UP))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
        return exact.scaleb(-self.places) if dialect.name == "sqlite" else exact


def states(kind: type[StrEnum]) -> Enum:
    """A column type that stores the values of this enumeration as plain text."""
    return Enum(
        kind,
        native_enum=False,
        length=20,
        values_callable=lambda k: [m.value for m in k],
        validate_strings=True,
    )


class Base(DeclarativeBase):
    """The mapped classes' base."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  read by SQLAlchemy, never changed
        datetime: Moment(),
        Decimal: Exact(),
        str: Text(),
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
    }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'id', None)}>"


#: A short word or key.
Word = String(100)
#: A UUID as text in Python, as the database's own type beneath.
UuidText = Uuid(as_uuid=False)
