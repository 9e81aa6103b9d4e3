"""The configuration in force, as the document that would make it. Secrets stay sealed with our key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.rule import RulesetVersion
from models.source import Source
from models.user import Team, TeamMember, User
from models.workspace import Calendar, NamedList, Template, Territory, WorkspaceRow
from workspace import crm_export
from workspace.apply import CHANNELS


def export(session: Session) -> dict[str, Any]:
    """All parts, in the order of the schema; applied again, they change nothing."""
    row = session.get(WorkspaceRow, 1)
    if row is None:
        return {}
    document: dict[str, Any] = {"workspace": dict(row.settings)}
    users = session.scalars(select(User).where(User.active).order_by(User.id)).all()
    emails = {u.id: u.email for u in users}
    document["users"] = [_user(u) for u in users if u.from_file]
    document["teams"] = [
        _team(session, team, emails)
        for team in session.scalars(select(Team).where(Team.active).order_by(Team.id))
    ]
    document["territories"] = [t.settings for t in session.scalars(select(Territory).order_by(Territory.key))]
    document["calendars"] = [c.settings for c in session.scalars(select(Calendar).order_by(Calendar.key))]
    document["lists"] = [n.settings for n in session.scalars(select(NamedList).order_by(NamedList.key))]
    for part, channel in CHANNELS.items():
        chosen = select(Source).where(Source.channel == channel, Source.active).order_by(Source.id)
        document[part] = [s.settings for s in session.scalars(chosen)]
    document["templates"] = [t.settings for t in session.scalars(select(Template).order_by(Template.key))]
    document |= crm_export.parts(session, row)
    document["sla"], document["sms"] = row.sla, row.sms
    document["sla"], document["sms"], document["webhooks"] = row.sla, row.sms, row.webhooks
    if row.ruleset_version_id is not None:
        version = session.get_one(RulesetVersion, row.ruleset_version_id)
        document["rules"], document["tests"] = version.rules, version.tests
    return {part: value for part, value in document.items() if value}


def _user(user: User) -> dict[str, Any]:
    entry: dict[str, Any] = {"email": user.email, "name": user.name, "role": user.role.value}
    if user.skills:
        entry["skills"] = user.skills
    if user.weight != 1:
        entry["weight"] = user.weight
    for name in ("capacity", "daily", "calendar", "phone", "extension"):
        if (value := getattr(user, name)) is not None:
            entry[name] = value
    if user.absences:
        entry["absences"] = user.absences
    return entry


def _team(session: Session, team: Team, emails: dict[int, str]) -> dict[str, Any]:
    chosen = select(TeamMember.user_id).where(TeamMember.team_id == team.id).order_by(TeamMember.position)
    members = [emails[m] for m in session.scalars(chosen) if m in emails]
    entry: dict[str, Any] = {"key": team.key, "name": team.name, "members": members}
    if team.lead_id in emails and emails[team.lead_id] != next(iter(members), None):
        entry["lead"] = emails[team.lead_id]
    if team.calendar is not None:
        entry["calendar"] = team.calendar
    return entry
