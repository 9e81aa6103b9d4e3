"""The request that makes any telephone system place a call, as a line declares it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from intake.json_path import JsonPath

#: What may stand in the request that places a call.
PLACES = ("agent_number", "agent_extension", "agent_email", "client_number", "line_number", "order")
_PLACE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")


class DialRequest(BaseModel):
    """A request that makes a telephone system ring the agent's telephone first, and then the client's.

    In `url`, `headers` and `body`, `{{ name }}` stands for what is known of the call; see `PLACES`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(max_length=1500, description="Where it is posted")
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")], SecretStr] = Field(
        default_factory=dict, max_length=20, description="What it is signed in with"
    )
    body: dict[str, Any] = Field(
        default_factory=lambda: {name: f"{{{{ {name} }}}}" for name in PLACES},
        description="The JSON that is posted",
    )
    call_id: JsonPath | None = Field(None, description="Where the answer names the call, as a JSONPath")

    @model_validator(mode="after")
    def _names_known(self) -> Self:
        written = [self.url, json.dumps(self.body), *(v.get_secret_value() for v in self.headers.values())]
        for name in (n for text in written for n in _PLACE.findall(text)):
            if name not in PLACES:
                raise ValueError(f"'{name}' is not known; known are {', '.join(PLACES)}")
        if not re.fullmatch(r"https?://[^\s/{}]+(/[^\s{}]*)?", _PLACE.sub("x", self.url)):
            raise ValueError(f"'{self.url}' is no address that begins with https:// or http://")
        return self

    def filled(self, value: Any, known: Mapping[str, str], *, quoted: bool = False) -> Any:
        """A text, or the texts in a document, with what is known of the call in place of its name."""
        if isinstance(value, str):
            return _PLACE.sub(lambda m: quote(known[m[1]], safe="") if quoted else known[m[1]], value)
        if isinstance(value, dict):
            return {name: self.filled(part, known) for name, part in value.items()}
        return [self.filled(part, known) for part in value] if isinstance(value, list) else value
