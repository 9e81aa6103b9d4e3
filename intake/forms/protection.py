"""What keeps spam away from a form, as the workspace file says it."""

from __future__ import annotations

from typing import Literal, Self

from limits import parse_many
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class Captcha(BaseModel):
    """A proof that a person, or at least a patient machine, filled in the form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["altcha", "turnstile", "hcaptcha", "recaptcha"] = Field(description="Whose")
    site_key: str = Field("", description="What the page shows of it; altcha needs none")
    secret: SecretStr | None = Field(None, description="What the answer is checked with; altcha has its own")
    min_score: float = Field(0.5, ge=0, le=1, description="For reCAPTCHA v3: the lowest score of a person")
    difficulty: int = Field(50_000, ge=1_000, le=10_000_000, description="For altcha: most guesses to make")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind != "altcha" and (self.secret is None or not self.site_key):
            raise ValueError(f"{self.kind} needs its site_key and its secret")
        return self


class Protection(BaseModel):
    """Whatever looks like spam is quarantined, where one click makes it a lead; nothing is thrown away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    honeypots: list[str] = Field(
        default_factory=list, max_length=20, description="Further fields that no visitor sees or fills in"
    )
    min_seconds: float = Field(2, ge=0, le=600, description="Less time than a person takes to fill it in")
    own_page_only: bool = Field(
        False, description="Whether posts without the mark of our page or widget are suspect"
    )
    most_links: int = Field(3, ge=0, le=1000, description="More links in all texts are suspect")
    same_text: int = Field(
        0, ge=0, le=1000, description="So many other senders of one text in a day are suspect; 0: any number"
    )
    per_address: str | None = Field(None, description="Most posts of one address, such as '20 per hour'")
    per_form: str | None = Field(None, description="Most posts in all, such as '1000 per hour'")
    captcha: Captcha | None = Field(None, description="A proof to ask for")
    confirm_email: bool = Field(
        False, description="Double opt-in: whether it waits until its sender has confirmed the address"
    )

    @field_validator("per_address", "per_form")
    @classmethod
    def _rate(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_many(value)
            except ValueError:
                raise ValueError(f"'{value}' is no rate; write, for example, '20 per hour'") from None
        return value
