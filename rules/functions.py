"""What conditions can do beyond CEL itself: our own functions, one declared table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from rules import workings


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the types it takes, of which the last ones may be left out, and the type it gives.

    `written` tells of which of its arguments must be literals what they name: a list, calendar, zone, event,
    period or field, so that they are checked beforehand. `choices` are the only words it gives.
    """

    name: str
    takes: tuple[str, ...]
    gives: str
    example: str
    work: Callable[..., Any]
    may_omit: int = 0
    written: Mapping[int, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it says, for people."""
        return " ".join((self.work.__doc__ or "").split()).rstrip(".")


_ZONED = {1: "zone"}
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        f.name: f
        for f in (
            Function(
                "fold",
                ("text",),
                "text",
                'fold(lead.company) == "conceicao ltda"',
                workings.fold,
            ),
            Function(
                "same",
                ("text", "text"),
                "flag",
                'same(lead.company, "Conceição Ltda")',
                workings.same,
            ),
            Function(
                "mentions",
                ("text", "text"),
                "flag",
                'mentions(lead.message, "orçamento")',
                workings.mentions,
            ),
            Function(
                "number",
                ("any",),
                "number",
                "number(lead.fields.employees) >= 200",
                workings.number,
            ),
            Function(
                "domain",
                ("text",),
                "text",
                'domain(lead.email).endsWith(".edu")',
                workings.domain,
            ),
            Function(
                "is_free_mail",
                ("text",),
                "flag",
                "!is_free_mail(lead.email)",
                workings.is_free_mail,
            ),
            Function(
                "phone_country",
                ("text",),
                "text",
                'phone_country(lead.phone) == "BR"',
                workings.phone_country,
            ),
            Function(
                "in_list",
                ("any", "text"),
                "flag",
                'in_list(lead.email, "competitors")',
                workings.in_list,
                written={1: "list"},
            ),
            Function(
                "in_segment",
                ("text",),
                "flag",
                'in_segment("large-firms")',
                workings.in_segment,
            ),
            Function(
                "is_open",
                ("text", "moment"),
                "flag",
                '!is_open("office")',
                workings.is_open,
                may_omit=1,
                written={0: "calendar"},
            ),
            Function(
                "business_hours_since",
                ("moment", "text"),
                "number",
                'business_hours_since(lead.created_at, "office") > 4.0',
                workings.business_hours_since,
                written={1: "calendar"},
            ),
            Function("now", (), "moment", "hour(now()) < 9", workings.now),
            Function(
                "hour",
                ("moment", "text"),
                "number",
                'hour(lead.created_at, "America/Sao_Paulo") >= 18',
                workings.hour,
                may_omit=1,
                written=_ZONED,
            ),
            Function(
                "weekday",
                ("moment", "text"),
                "text",
                'weekday(now()) in ["sat", "sun"]',
                workings.weekday,
                may_omit=1,
                written=_ZONED,
                choices=workings.DAYS,
            ),
            Function(
                "date",
                ("moment", "text"),
                "text",
                'date(now()) >= "2026-12-20"',
                workings.date,
                may_omit=1,
                written=_ZONED,
            ),
            Function(
                "days_since",
                ("moment",),
                "number",
                "days_since(lead.created_at) >= 3",
                workings.days_since,
            ),
            Function(
                "hours_since",
                ("moment",),
                "number",
                "hours_since(lead.created_at) > 1.5",
                workings.hours_since,
            ),
            Function(
                "count",
                ("text", "text"),
                "number",
                'count("form.submitted", "30 days") >= 3',
                workings.count,
                written={0: "event", 1: "period"},
            ),
            Function(
                "changed", ("text",), "flag", 'changed("status")', workings.changed, written={0: "field"}
            ),
            Function("was", ("text",), "any", 'was("status") == "new"', workings.was, written={0: "field"}),
        )
    }
)
