"""The one typed reading of the environment. Fails at start, naming the variable, not at use."""

from __future__ import annotations

import os
import secrets
import stat
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

import limits
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import Invalid

MIB = 1024 * 1024
#: Whoever guesses the secret key signs in as anybody.
SHORTEST_KEY = 16


class Settings(BaseSettings):
    """What the operator sets. The table in docs/configuration.md is made from these fields."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", populate_by_name=True)

    port: int = Field(8000, validation_alias="PORT", ge=1, le=65535, description="Port of the web process")
    host: str = Field(
        "127.0.0.1", validation_alias="PORTARIA_HOST", description="Address the web process listens on"
    )
    database_url: str = Field(
        "",
        validation_alias="DATABASE_URL",
        description="PostgreSQL or SQLite; default: SQLite in the data directory",
    )
    broker_url: str = Field(
        "",
        validation_alias=AliasChoices("BROKER_URL", "REDIS_URL"),
        description="redis://, rediss://, unix:// or amqp://; default: an embedded broker",
    )
    data_dir: Path = Field(
        Path("var"), validation_alias="PORTARIA_DATA_DIR", description="Database, files, broker"
    )
    secret_key: SecretStr | None = Field(
        None,
        validation_alias="PORTARIA_SECRET_KEY",
        description="Signs sessions and seals secrets; generated in embedded mode, required otherwise",
    )
    previous_secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        validation_alias="PORTARIA_PREVIOUS_SECRET_KEYS",
        description="Keys before this one, the last first: what they sealed and signed still counts",
    )
    public_url: str = Field(
        "",
        validation_alias="PORTARIA_PUBLIC_URL",
        description="The address the world uses; signatures of webhooks cover it. Default: http://HOST:PORT",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="PORTARIA_TRUSTED_PROXIES",
        description="Addresses whose X-Forwarded-For is believed",
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        validation_alias="SMTP_URL",
        description="smtp://user:password@host:587, smtps://host:465; default: files in DATA_DIR/outbox",
    )
    mail_from: str = Field(
        "", validation_alias="PORTARIA_MAIL_FROM", description="Sender of automatic e-mail"
    )
    web_workers: int = Field(
        1, validation_alias="PORTARIA_WEB_WORKERS", ge=1, le=64, description="Web processes"
    )
    web_threads: int = Field(
        64, validation_alias="PORTARIA_WEB_THREADS", ge=1, le=512, description="Threads in each"
    )
    worker_threads: int = Field(
        8,
        validation_alias="PORTARIA_WORKER_THREADS",
        ge=1,
        le=64,
        description="Threads of a worker; half as many again work off backlogs",
    )
    max_form_bytes: int = Field(
        MIB, validation_alias="PORTARIA_MAX_FORM_BYTES", ge=1024, description="Form without files"
    )
    max_upload_bytes: int = Field(
        25 * MIB, validation_alias="PORTARIA_MAX_UPLOAD_BYTES", ge=1024, description="Form with files"
    )
    max_mail_bytes: int = Field(
        25 * MIB,
        validation_alias="PORTARIA_MAX_MAIL_BYTES",
        ge=1024,
        description="One e-mail; of a larger one the text is taken, and its attachments stay in the mailbox",
    )
    storage_url: str = Field(
        "",
        validation_alias="PORTARIA_STORAGE_URL",
        description="Where files are kept: file:///path or s3://bucket/prefix; default: DATA_DIR/files",
    )
    country_database: Path | None = Field(
        None,
        validation_alias="PORTARIA_COUNTRY_DATABASE",
        description="MaxMind DB file that tells a visitor's country",
    )
    api_rate: str = Field(
        "30000 per minute",
        validation_alias="PORTARIA_API_RATE",
        description="How much one token may ask of the API, such as 100 per minute",
    )
    trace_days: int = Field(
        365, validation_alias="PORTARIA_TRACE_DAYS", ge=1, description="Days for which is kept why"
    )
    private_destinations: bool = Field(
        False,
        validation_alias="PORTARIA_PRIVATE_DESTINATIONS",
        description="Let outgoing webhooks reach private and loopback addresses",
    )
    log_format: Literal["text", "json"] = Field(
        "text", validation_alias="PORTARIA_LOG_FORMAT", description="Log lines"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="PORTARIA_LOG_LEVEL", description="Least level that is logged"
    )

    @field_validator("trusted_proxies", "previous_secret_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("api_rate")
    @classmethod
    def _rate(cls, value: str) -> str:
        try:
            limits.parse(value)
        except ValueError:
            raise ValueError(f"'{value}' is no rate, such as 100 per minute") from None
        return value

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://", "amqp://", "amqps://")):
            raise ValueError("must begin with redis://, rediss://, unix://, amqp:// or amqps://")
        return value

    @field_validator("storage_url")
    @classmethod
    def _known_storage(cls, value: str) -> str:
        if value and not value.startswith(("file:///", "s3://", "memory://")):
            raise ValueError("must begin with file:/// or s3://")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        # Hosting platforms still hand out the old scheme, and none names the driver.
        for old in ("postgres://", "postgresql://"):
            if value.startswith(old):
                return "postgresql+psycopg://" + value.removeprefix(old)
        if value and not value.startswith(("postgresql+psycopg://", "sqlite:///")):
            raise ValueError("must begin with postgresql:// or sqlite:///")
        return value

    @field_validator("secret_key")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().strip()) < SHORTEST_KEY:
            raise ValueError(
                f"is shorter than {SHORTEST_KEY} characters; "
                "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        return value

    @field_validator("smtp_url")
    @classmethod
    def _known_smtp(cls, value: SecretStr) -> SecretStr:
        if (raw := value.get_secret_value()) and not raw.startswith(("smtp://", "smtps://")):
            raise ValueError("must begin with smtp:// or smtps://")
        return value

    @property
    def embedded_broker(self) -> bool:
        """Whether the service brings its own broker."""
        return not self.broker_url

    @property
    def database(self) -> str:
        """The SQLAlchemy address of the database."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'portaria.db'}"

    @property
    def address(self) -> str:
        """The public address, without a slash at its end."""
        return (self.public_url or self.own_address).rstrip("/")

    @property
    def own_address(self) -> str:
        """The address at which this machine itself reaches the web process."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  not bound to
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def storage(self) -> str:
        """Where files are kept."""
        return self.storage_url or f"file://{(self.data_dir / 'files').absolute()}"

    @property
    def embedded(self) -> bool:
        """Whether everything lives on this machine: then a secret key may be made up and kept here."""
        return self.embedded_broker and not self.database_url.startswith("postgresql")

    def key(self) -> bytes:
        """The secret key's bytes.

        Raises Invalid when none is set and the service is not embedded.
        """
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        if not self.embedded:
            raise Invalid("PORTARIA_SECRET_KEY must be set when DATABASE_URL or BROKER_URL is")
        return self.kept_key

    @cached_property
    def kept_key(self) -> bytes:
        """The key that was made at the first start, read once: every form asks for it."""
        return _kept_key(self.data_dir / "secret_key")


def _kept_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        draft.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            # A link fails where the file exists: of two processes that start at once, one wins.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes().strip()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process.

    Raises Invalid with one line for each variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{'/'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise Invalid("the environment is not valid: " + "; ".join(lines)) from None
