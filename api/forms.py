"""Forms: how they are declared, where they stand, and what to copy into a page."""

from __future__ import annotations

from typing import Any, Self

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from api import auth
from api.auth import require
from api.resource import answer, group, refused
from core import db
from core.settings import settings
from intake import sources
from intake.form_page import snippet
from models.user import Role
from workspace import forms

resource = group("forms", "Forms on websites")


class FormPath(BaseModel):
    """A form's key in an address."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")


class Form(BaseModel):
    """A form as the workspace file would declare it. Secrets are sealed, and may be sent back so."""

    key: str
    address: str = Field(description="Where it is seen, and posted to")
    snippet: str = Field(description="What to copy into a page")
    settings: dict[str, Any]

    @classmethod
    def of(cls, declared: dict[str, Any]) -> Self:
        """A form as it is told."""
        key = declared["key"]
        address = f"{settings().address}/in/forms/{key}"
        return cls(key=key, address=address, snippet=snippet(key), settings=declared)


class Forms(BaseModel):
    """All forms."""

    items: list[Form]


class Declaration(BaseModel):
    """What a form is: the same words as under `forms` in the workspace file."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any]


@resource.get("/forms", responses={200: Forms})
@require(Role.ADMIN, Role.MANAGER)
def list_forms() -> Response:
    """The forms in use."""
    with db.reading() as session:
        return answer(Forms(items=[Form.of(f) for f in forms.forms(session)]))


@resource.get("/forms/<key>", responses={200: Form, **refused(404)})
@require(Role.ADMIN, Role.MANAGER)
def get_form(path: FormPath) -> Response:
    """One form."""
    with db.reading() as session:
        return answer(Form.of(forms.form(session, path.key)))


@resource.put("/forms/<key>", responses={200: Form, 201: Form, **refused(400, 413, 415)})
@require(Role.ADMIN, Role.MANAGER)
def declare_form(path: FormPath, body: Declaration) -> Response:
    """Makes a form, or makes it another one; what was posted to it before stays as it is."""
    with db.unit_of_work() as session:
        new = forms.declare(session, path.key, body.settings, by=auth.caller().actor)
        made = Form.of(forms.form(session, path.key))
    sources.forget()
    return answer(made, 201 if new else 200)


@resource.delete("/forms/<key>", responses={204: None, **refused(404)})
@require(Role.ADMIN, Role.MANAGER)
def withdraw_form(path: FormPath) -> Response:
    """Takes a form out of use; its leads stay."""
    with db.unit_of_work() as session:
        forms.withdraw(session, path.key, by=auth.caller().actor)
    sources.forget()
    return Response(status=204)
