"""What a body says of an activity, as the CRM knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from api.activity_view import Participant as ParticipantBody
from api.activity_view import Said
from api.elements import user
from api.parameters import email_of
from core.errors import Invalid
from crm import catalogue, recurrence
from crm.activity_parts import Details, Participant
from models.contact import Contact

_NAMES = {"duration_minutes": "minutes", "invite": "invites"}


def given(session: Session, body: Said) -> dict[str, Any]:
    """The columns that a body sets, with owner and participants as they are stored. Raises Invalid."""
    values = body.model_dump(exclude_unset=True, exclude={"participants", "owner"})
    wrong: dict[str, str] = {}
    for name in ("type", "subject", "due_at", "invite", "participants", "reminders", "place", "note"):
        if name in body.model_fields_set and getattr(body, name) is None:
            wrong[f"/{name}"] = "cannot be null"
    if "type" in values and values["type"] is not None:
        kinds = catalogue.load(session).activity_kinds
        if values["type"] not in kinds:
            wrong["/type"] = f"is none of {', '.join(kinds)}"
    if values.get("recurrence") is not None:
        try:
            recurrence.read(values["recurrence"])
        except Invalid as error:
            wrong["/recurrence"] = str(error)
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    if "owner" in body.model_fields_set:
        owner = user(session, body.owner)
        values["owner_id"] = owner.id if owner else None
    if body.participants is not None:
        values["participants"] = _participants(session, body.participants)
    return {_NAMES.get(name, name): value for name, value in values.items()}


def details(values: Mapping[str, Any]) -> Details:
    """What is said of a new activity beyond what it is and when."""
    return Details(
        note=values.get("note") or "",
        place=values.get("place") or "",
        minutes=values.get("minutes"),
        reminders=tuple(values.get("reminders") or ()),
        participants=tuple(values.get("participants") or ()),
        recurrence=values.get("recurrence"),
        invites=bool(values.get("invites")),
    )


def check_outcome(session: Session, kind: str, outcome: str) -> None:
    """Raises Invalid for an outcome that is none of its type's, where the type has some."""
    known = next((k.outcomes for k in catalogue.load(session).activity_types if k.key == kind), [])
    if outcome and known and outcome not in known:
        raise Invalid("some values are not acceptable", {"/outcome": f"is none of {', '.join(known)}"})


def _participants(session: Session, wanted: Sequence[ParticipantBody]) -> list[Participant]:
    found = []
    for place, one in enumerate(wanted):
        at = f"/participants/{place}"
        if one.user is not None:
            row = user(session, one.user, field=f"{at}/user")
            found.append(Participant(user_id=row.id if row else None))
        elif one.contact_id is not None:
            contact = session.get(Contact, one.contact_id)
            if contact is None:
                raise Invalid("some values are not acceptable", {f"{at}/contact_id": "is not there"})
            found.append(Participant(contact_id=contact.id))
        else:
            (email,) = email_of([one.email or ""], field=f"{at}/email")
            found.append(Participant(email=email, name=one.name or ""))
    return found
