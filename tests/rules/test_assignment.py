"""Who gets the lead: each strategy, who may have it now, and what becomes of a lead that nobody can take."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Conflict, Invalid
from core.ids import new_id
from crm import leads, workspace
from models.lead import Lead
from models.offer import Offer
from models.rule import Rotation, StepRow
from models.timeline import TimelineEntry
from models.user import User
from rules import engine
from rules.assignment import ladder, strategies
from rules.assignment.wish import Wish
from tests.factories import NOON, configure, configure_in, enquire
from worker import clockwork

TEAM = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL%(catch)s}
users:
  - {email: ana@acme.test, name: Ana, weight: 1, skills: [english]%(ana)s}
  - {email: bruno@acme.test, name: Bruno, weight: 2, skills: [english, german]%(bruno)s}
  - {email: clara@acme.test, name: Clara, weight: 3%(clara)s}
  - {email: dora@acme.test, name: Dora, role: manager}
teams:
  - {key: sales, members: [ana@acme.test, bruno@acme.test, clara@acme.test]%(team)s}
calendars:
  - {key: mornings, hours: {mon-fri: "08:00-11:00"}}
  - {key: office, hours: {mon-fri: "08:00-18:00"}}
territories:
  - {key: states, by: lead.fields.state, table: {SP: ana@acme.test, rj: sales}, default: dora@acme.test}
forms: [{key: contact%(form)s}]
"""
BLANK = {"catch": "", "ana": "", "bruno": "", "clara": "", "team": "", "form": ""}


def team(**changes: str) -> str:
    return TEAM % {**BLANK, **{k: f", {v}" for k, v in changes.items()}}


def rule(wish: str) -> str:
    return f"  - {{name: r, on: lead.created, do: [assign: {{{wish}}}]}}"


def arrive(session: Session, number: int = 0, **more: object) -> Lead:
    with clock.pretended(NOON):
        given = {"emails": (f"c{number}@x.test",), **more}
        return enquire(session, **given).lead


def name(lead: Lead) -> str | None:
    return lead.owner.name if lead.owner else None


def why(session: Session, lead: Lead) -> str:
    chosen = select(StepRow.result).where(StepRow.kind == "assign").order_by(StepRow.id.desc()).limit(1)
    return session.scalars(chosen).one() or ""


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("team: sales", ["Ana", "Bruno", "Clara", "Ana", "Bruno", "Clara"]),
        ("team: sales, by: weighted", ["Clara", "Bruno", "Ana", "Clara", "Bruno", "Clara"]),
        ("team: sales, by: least_loaded", ["Ana", "Bruno", "Clara", "Ana", "Bruno", "Clara"]),
        ("team: sales, skill: german", ["Bruno"] * 6),
        ("team: sales, skill: english", ["Ana", "Bruno"] * 3),
        ("user: dora@acme.test", ["Dora"] * 6),
        ("team: sales, skill: french, otherwise: {user: dora@acme.test}", ["Dora"] * 6),
        ("team: sales, skill: french, otherwise: {team: sales, by: weighted}", ["Clara", "Bruno", "Ana"]),
    ],
)
def test_each_strategy_has_its_turns(session: Session, wish: str, expected: list[str]) -> None:
    configure_in(session, team(), rules=rule(wish))
    assert [name(arrive(session, n)) for n in range(len(expected))] == expected


@pytest.mark.parametrize(
    ("state", "expected"), [("SP", "Ana"), ("sp ", "Ana"), ("RJ", "Ana"), ("BA", "Dora"), (None, "Dora")]
)
def test_a_territory_has_its_owner(session: Session, state: str | None, expected: str) -> None:
    configure_in(session, team(), rules=rule("territory: states"))
    assert name(arrive(session, fields={"state": state} if state else {})) == expected


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (
            {"ana": "absences: [{from: 2026-11-20, to: 2026-11-30, reason: on leave}]"},
            "Ana: on leave until 2026-11-30",
        ),
        ({"ana": "capacity: 0"}, "Ana: at the cap of 0 open leads"),
        ({"ana": "daily: 0"}, "Ana: at the cap of 0 leads of today"),
        ({"ana": "calendar: mornings"}, "Ana: not at work now"),
        ({"ana": "active: true, calendar: mornings", "team": "calendar: office"}, "Ana: not at work now"),
    ],
)
def test_who_cannot_have_it_now_is_passed_over_and_it_is_told_why(
    session: Session, away: dict[str, str], words: str
) -> None:
    configure_in(session, team(**away), rules=rule("team: sales"))
    lead = arrive(session)
    assert name(lead) == "Bruno"
    assert words in why(session, lead)


def test_an_absence_that_is_over_counts_no_more(session: Session) -> None:
    away = "absences: [{from: 2026-11-20, to: 2026-11-22}]"
    configure_in(session, team(ana=away), rules=rule("team: sales"))
    assert name(arrive(session)) == "Ana"


def test_caps_are_kept(session: Session) -> None:
    configure_in(session, team(ana="capacity: 1", bruno="daily: 2"), rules=rule("team: sales"))
    given = [name(arrive(session, n)) for n in range(7)]
    assert given == ["Ana", "Bruno", "Clara", "Bruno", "Clara", "Clara", "Clara"]


def test_planned_activities_are_a_load_too(session: Session) -> None:
    plan = "{schedule: {subject: x, due: 1 hours}}"
    configure_in(
        session,
        team(),
        rules=f"""
  - {{name: busy, on: lead.created, when: lead.fields.busy == 1, do: [assign: {{user: ana@acme.test}}, {plan}, {plan}]}}
  - {{name: r, on: lead.created, when: '!has(lead.fields.busy)', do: [assign: {{team: sales, by: least_loaded, load: activities}}]}}
""",
    )
    arrive(session, 1, fields={"busy": 1})
    assert [name(arrive(session, n)) for n in (2, 3)] == ["Bruno", "Clara"]


def test_a_person_who_is_known_goes_to_who_knows_them(session: Session) -> None:
    configure_in(session, team(), rules=rule("team: sales, sticky: true"))
    first = arrive(session, 1)
    assert name(first) == "Ana"
    leads.change_status(session, first, first.status.__class__.JUNK, actor="user:1")
    again = arrive(session, 1)
    assert again.id != first.id
    assert name(again) == "Ana"
    assert "had an earlier lead" in why(session, again)
    session.scalars(select(User).where(User.name == "Ana")).one().active = False
    leads.change_status(session, again, again.status.__class__.JUNK, actor="user:1")
    third = arrive(session, 1)
    assert name(third) == "Bruno"
    assert "Ana, who had an earlier lead of this person, is not active" in why(session, third)


@pytest.mark.parametrize("by", ["weighted", "round_robin"])
def test_shares_are_exact_when_a_thousand_come_at_once(database: db.Database, by: str) -> None:
    configure(team(), rules=rule("user: dora@acme.test"))
    with database.unit_of_work() as session:
        lead_id = arrive(session).id
    wish = Wish(team="sales", by=by)  # type: ignore[arg-type]
    counted: Counter[str] = Counter()
    lock = threading.Lock()

    def work() -> None:
        for _ in range(125):
            with database.unit_of_work() as session:
                here = workspace.load(session)
                choice = strategies.choose(session, session.get_one(Lead, lead_id), wish, here)
            with lock:
                counted[choice.user.name if choice.user else ""] += 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if by == "weighted":
        assert counted == {"Ana": 167, "Bruno": 333, "Clara": 500}
    else:
        assert counted == {"Ana": 334, "Bruno": 333, "Clara": 333}


def test_a_turn_is_given_back_with_a_transaction_that_fails(database: db.Database) -> None:
    configure(team(), rules=rule("team: sales"))
    with pytest.raises(ZeroDivisionError), database.unit_of_work() as session:
        assert name(arrive(session, 1)) == "Ana"
        raise ZeroDivisionError
    with database.unit_of_work() as session:
        assert name(arrive(session, 1)) == "Ana"


def settle(session: Session, lead: Lead) -> None:
    happened = ladder.catch(session, lead, workspace.load(session))
    engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())


@pytest.mark.parametrize(
    ("catch", "expected"), [("catch_all: dora@acme.test", "Dora"), ("catch_all: sales", "Ana"), ("", None)]
)
def test_what_no_rule_gives_away_goes_to_the_catch_all_or_waits(
    session: Session, catch: str, expected: str | None
) -> None:
    configure_in(
        session, team(**({"catch": catch} if catch else {})), rules=rule("team: sales, skill: french")
    )
    lead = arrive(session)
    settle(session, lead)
    assert name(lead) == expected


def test_what_waits_is_given_oldest_first_when_somebody_can(database: db.Database) -> None:
    everybody = dict.fromkeys(("ana", "bruno", "clara"), "capacity: 0")
    configure(team(**everybody), rules=rule("team: sales"))
    with database.unit_of_work() as session:
        ids = [arrive(session, n).id for n in range(3)]
    with clock.frozen(NOON + timedelta(minutes=1)):
        clockwork.waiting_leads()
        with database.reading() as session:
            assert {lead.owner_id for lead in session.scalars(select(Lead))} == {None}
            told = select(TimelineEntry.summary).where(TimelineEntry.kind == "waiting")
            assert len(session.scalars(told).all()) == 3  # each once
        configure(team(**{**everybody, "ana": "capacity: 2"}), rules=rule("team: sales"))
        clockwork.waiting_leads()
    with database.reading() as session:
        assert [name(session.get_one(Lead, i)) for i in ids] == ["Ana", "Ana", None]


def test_the_alarm_is_raised_once(database: db.Database) -> None:
    configure(
        team(catch="alarm_minutes: 10"),
        rules="  - {name: a, on: lead.unassigned, do: [add_tag: 'alarm {{ event.minutes }}']}",
    )
    with database.unit_of_work() as session:
        arrive(session)
    for minutes in (9, 11, 30):
        with clock.frozen(NOON + timedelta(minutes=minutes)):
            clockwork.waiting_leads()
    with database.reading() as session:
        assert session.scalars(select(Lead.tags)).one() == ["alarm 11"]


def test_many_leads_that_nobody_can_have_do_not_hold_up_a_younger_one(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clockwork, "_MOST", 2)
    monkeypatch.setattr(clockwork, "_looked_at", 0)
    everybody = dict.fromkeys(("ana", "bruno", "clara"), "capacity: 0")
    configure(team(**everybody), rules=rule("team: sales"))
    with database.unit_of_work() as session:
        ids = [arrive(session, n).id for n in range(5)]
        session.get_one(Lead, ids[4]).wish = {"user": "dora@acme.test"}
        session.get_one(Lead, ids[0]).wish = {"nonsense": True}  # broken: the others go on
    with clock.frozen(NOON + timedelta(minutes=1)):
        for _ in range(3):
            clockwork.waiting_leads()
    with database.reading() as session:
        assert [name(session.get_one(Lead, i)) for i in ids] == [None] * 4 + ["Dora"]


def test_who_has_left_is_passed_over_where_the_rule_says_who_else(session: Session) -> None:
    configure_in(session, team(), rules=rule("user: ana@acme.test, otherwise: {user: dora@acme.test}"))
    session.scalars(select(User).where(User.name == "Ana")).one().active = False
    lead = arrive(session)
    assert name(lead) == "Dora"
    assert "ana@acme.test has left" in why(session, lead)


@pytest.mark.parametrize("meanwhile", ["given", "closed"])
def test_an_offer_takes_nothing_from_whoever_has_it_meanwhile(database: db.Database, meanwhile: str) -> None:
    configure(team(), rules=OFFER)
    with database.unit_of_work() as session:
        lead_id = arrive(session).id
    with clock.frozen(NOON + timedelta(minutes=1)):
        with database.unit_of_work() as session:
            lead = session.get_one(Lead, lead_id)
            clara = session.scalars(select(User).where(User.name == "Clara")).one()
            if meanwhile == "given":
                leads.assign(session, lead, clara, actor="user:1", why="by hand")
            else:
                leads.change_status(session, lead, lead.status.__class__.JUNK, actor="user:1")
        with database.unit_of_work() as session, pytest.raises(Conflict):
            ana = session.scalars(select(User).where(User.name == "Ana")).one()
            ladder.accept(session, session.get_one(Lead, lead_id), ana, actor="user:1")
    with clock.frozen(NOON + timedelta(minutes=11)):
        clockwork.waiting_leads()
    with database.reading() as session:
        assert name(session.get_one(Lead, lead_id)) == ("Clara" if meanwhile == "given" else None)
        assert {o.state.value for o in session.scalars(select(Offer))} == {"withdrawn"}


def test_a_day_s_share_counts_when_a_lead_is_given_and_not_when_it_came(database: db.Database) -> None:
    configure(team(ana="daily: 1", bruno="capacity: 0", clara="capacity: 0"), rules=rule("team: sales"))
    with database.unit_of_work() as session:
        ids = [arrive(session, n).id for n in range(3)]  # the first is given, the others wait
    for day, given in ((0, 1), (1, 2), (1, 2), (2, 3)):
        with clock.frozen(NOON + timedelta(days=day, minutes=1)):
            clockwork.waiting_leads()
        with database.reading() as session:
            assert sum(name(session.get_one(Lead, i)) == "Ana" for i in ids) == given


def test_without_weight_there_is_no_turn_and_old_debts_are_soon_paid(session: Session) -> None:
    configure_in(session, team(), rules=rule("team: sales, by: weighted"))
    for n in range(3):
        arrive(session, n)
    people = {u.name: u for u in session.scalars(select(User))}
    people["Ana"].weight, people["Bruno"].weight, people["Clara"].weight = 0, 1, 1
    session.get_one(Rotation, "weighted:sales").credits = {str(people["Clara"].id): -900}
    given = Counter(name(arrive(session, 10 + n)) for n in range(10))
    assert given["Ana"] == 0
    assert given["Clara"] >= 4


def test_an_offer_is_made_where_nobody_before_can_have_it_and_later_where_nobody_can_now(
    database: db.Database,
) -> None:
    wish = "user: ana@acme.test, otherwise: {offer: sales}"
    away = "absences: [{from: 2026-11-23, to: 2026-11-23}]"
    configure(team(ana=away), rules=rule(wish))
    with database.unit_of_work() as session:
        lead = arrive(session)
        assert "Offered to Bruno, Clara for 15 minutes" in why(session, lead)
    everybody = dict.fromkeys(("ana", "bruno", "clara"), away)
    configure(team(**everybody), rules=rule("offer: sales"))
    with database.unit_of_work() as session:
        lead_id = arrive(session, 2).id
    with clock.frozen(NOON + timedelta(days=1)):
        clockwork.waiting_leads()
    with database.reading() as session:
        offered = session.scalars(select(Offer.user_id).where(Offer.lead_id == lead_id)).all()
        assert len(offered) == 3


@pytest.mark.parametrize("away", ["", "capacity: 20"])
def test_two_orders_of_two_teams_neither_lock_each_other_nor_pass_a_cap(
    database: db.Database, away: str
) -> None:
    text = team(**({"ana": away} if away else {})).replace(
        "calendars:", "  - {key: others, members: [ana@acme.test]}\ncalendars:"
    )
    configure(text, rules=rule("user: dora@acme.test"))
    with database.unit_of_work() as session:
        ids = [arrive(session, n).id for n in range(40)]
    wishes = [
        Wish(
            team="others",
            skill="french",
            otherwise=Wish(team="sales", skill="french", otherwise=Wish(team="others")),
        ),
        Wish(
            team="sales",
            skill="french",
            otherwise=Wish(team="others", skill="french", otherwise=Wish(team="others")),
        ),
    ]
    broken: list[Exception] = []

    def work(wish: Wish, mine: list[int]) -> None:
        for lead_id in mine:
            try:
                with database.unit_of_work() as session:
                    lead = session.get_one(Lead, lead_id, with_for_update=True)
                    choice = strategies.choose(session, lead, wish, workspace.load(session))
                    if choice.user is not None:
                        leads.assign(session, lead, choice.user, actor="test", why=choice.why)
            except Exception as error:  # noqa: BLE001  compared below
                broken.append(error)

    threads = [threading.Thread(target=work, args=(wishes[n % 2], ids[n::4])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    with database.reading() as session:
        given = Counter(name(session.get_one(Lead, i)) for i in ids)
    assert given["Ana"] == (20 if away else 40)


OFFER = rule("offer: sales, within: 10 minutes, otherwise: {user: dora@acme.test}")


def test_the_first_to_accept_has_it_and_nobody_else(database: db.Database) -> None:
    configure(team(clara="capacity: 0"), rules=OFFER)
    with database.unit_of_work() as session:
        lead = arrive(session)
        settle(session, lead)
        assert (lead.owner, why(session, lead)) == (None, "Offered to Ana, Bruno for 10 minutes")
        lead_id = lead.id
    outcomes: list[str] = []

    def take(email: str) -> None:
        with clock.pretended(NOON + timedelta(minutes=5)), database.unit_of_work() as session:
            row = session.get_one(Lead, lead_id, with_for_update=True)
            user = session.scalars(select(User).where(User.email == email)).one()
            try:
                ladder.accept(session, row, user, actor=f"user:{user.id}")
                outcomes.append("taken")
            except Conflict as error:
                outcomes.append(str(error))

    threads = [threading.Thread(target=take, args=(f"{who}@acme.test",)) for who in ("ana", "bruno")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    take("clara@acme.test")
    with database.reading() as session:
        owner = name(session.get_one(Lead, lead_id))
    assert owner in ("Ana", "Bruno")
    assert sorted(outcomes) == sorted(
        [
            "taken",
            f"the lead is not offered any more: {owner} has it",
            "the lead was not offered to clara@acme.test",
        ]
    )


def test_an_offer_that_nobody_accepts_falls_back(database: db.Database) -> None:
    configure(team(), rules=OFFER)
    with database.unit_of_work() as session:
        lead_id = arrive(session).id
    for minutes, expected in ((9, None), (10, "Dora")):
        with clock.frozen(NOON + timedelta(minutes=minutes)):
            clockwork.waiting_leads()
        with database.reading() as session:
            assert name(session.get_one(Lead, lead_id)) == expected
    with database.reading() as session:
        assert {offer.state.value for offer in session.scalars(select(Offer))} == {"expired"}


def test_who_was_deleted_or_has_left_is_a_failed_step_and_the_lead_goes_on(session: Session) -> None:
    configure_in(session, team(catch="catch_all: dora@acme.test"), rules=rule("user: ana@acme.test"))
    session.scalars(select(User).where(User.name == "Ana")).one().active = False
    lead = arrive(session)
    assert why(session, lead) == "ana@acme.test has left"
    settle(session, lead)
    assert name(lead) == "Dora"


def test_a_lead_that_is_taken_from_its_owner_is_given_again(database: db.Database) -> None:
    configure(
        team(form="team: sales"),
        rules="  - {name: u, on: tag.added, do: [unassign: too slow]}\n" + rule("user: dora@acme.test"),
    )
    with database.unit_of_work() as session:
        lead = arrive(session)
        happened = leads.add_tag(session, lead, "x", actor="user:1")
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        assert lead.owner is None
    with clock.frozen(NOON):
        clockwork.waiting_leads()
    with database.reading() as session:
        assert name(session.scalars(select(Lead)).one()) == "Ana"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (team(ana="calendar: nights"), "there is no calendar 'nights'"),
        (team(ana="absences: [{from: 2026-12-02, to: 2026-12-01}]"), "ends after it begins"),
        (team(catch="catch_all: nobody"), "there is no user or team 'nobody'"),
        (team().replace("rj: sales", "rj: sails"), "there is no user or team 'sails'; did you mean 'sales'?"),
        (
            team() + "rules:\n" + rule("territory: stats"),
            "there are no territories 'stats'; did you mean 'states'?",
        ),
        (team() + "rules:\n" + rule("team: sales, user: ana@acme.test"), "needs one of user, team"),
        (team() + "rules:\n" + rule("team: sales, by: luck"), "assign.by"),
        (team() + "rules:\n" + rule("user: ana@acme.test, otherwise: {team: sals}"), "did you mean 'sales'?"),
        (team() + "rules:\n" + rule("offer: sales, within: 1 business hours"), "stands for plain time"),
    ],
)
def test_what_makes_no_sense_is_refused(session: Session, text: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        configure_in(session, text)
    assert words in str(refused.value)


def test_the_decision_is_in_the_trace_in_words(session: Session) -> None:
    configure_in(
        session,
        team(ana="absences: [{from: 2026-11-20, to: 2026-11-30, reason: on leave}]", bruno="capacity: 0"),
        rules=rule("team: sales, by: weighted"),
    )
    lead = arrive(session)
    assert why(session, lead) == (
        "Assigned to Clara: weighted in sales: weight 3 of 3 "
        "(skipped Ana: on leave until 2026-11-30, Bruno: at the cap of 0 open leads)"
    )
