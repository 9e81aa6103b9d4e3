"""The tables. Importing this package makes them all known to SQLAlchemy and Alembic."""

from models.activity import Activity, ActivityState
from models.alert import Alert, SourceHour
from models.attachment import Attachment
from models.base import Base
from models.call import Call, CallResult
from models.call_check import CallCheck
from models.call_order import CallCommand, CallOrder, CommandState
from models.company import Company
from models.consent import ConsentGiven
from models.contact import Contact
from models.contact_point import ContactPoint, Person, PointKind
from models.deal import Deal, DealContact, DealLine, StageStay
from models.domain_event import DomainEvent, FeedEnd
from models.form_print import FormPrint
from models.import_job import Duplicates, ImportJob, ImportRow, ImportState, RowOutcome
from models.inbound import EventState, InboundEvent
from models.lead import Lead, LeadStatus
from models.lease import Lease
from models.mailbox import MailboxMessage, MailboxPosition, WatchedMailbox
from models.message import Direction, Message, MessageState
from models.offer import Offer, OfferState
from models.pipeline import Pipeline, Stage, StageGroup
from models.product import Product
from models.recording import Recording, RecordingState
from models.rule import CronRule, Rotation, RulesetVersion, Run, RunState, StepRow, StepState, Trace
from models.sla import SlaClock, SlaState
from models.source import Channel, Source
from models.timeline import TimelineEntry
from models.user import ApiToken, Role, Team, TeamMember, User
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import Calendar, NamedList, Template, Territory, WorkspaceRow

__all__ = [
    "Activity",
    "ActivityState",
    "Alert",
    "ApiToken",
    "Attachment",
    "Base",
    "Calendar",
    "Call",
    "CallCheck",
    "CallCommand",
    "CallOrder",
    "CallResult",
    "Channel",
    "CommandState",
    "Company",
    "ConsentGiven",
    "Contact",
    "ContactPoint",
    "CronRule",
    "Deal",
    "DealContact",
    "DealLine",
    "DeliveryState",
    "Direction",
    "DomainEvent",
    "Duplicates",
    "EventState",
    "FeedEnd",
    "FormPrint",
    "ImportJob",
    "ImportRow",
    "ImportState",
    "InboundEvent",
    "Lead",
    "LeadStatus",
    "Lease",
    "MailboxMessage",
    "MailboxPosition",
    "Message",
    "MessageState",
    "NamedList",
    "Offer",
    "OfferState",
    "Person",
    "Pipeline",
    "PointKind",
    "Product",
    "Recording",
    "RecordingState",
    "Role",
    "Rotation",
    "RowOutcome",
    "RulesetVersion",
    "Run",
    "RunState",
    "SlaClock",
    "SlaState",
    "Source",
    "SourceHour",
    "Stage",
    "StageGroup",
    "StageStay",
    "StepRow",
    "StepState",
    "Team",
    "TeamMember",
    "Template",
    "Territory",
    "TimelineEntry",
    "Trace",
    "User",
    "WatchedMailbox",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WorkspaceRow",
]
