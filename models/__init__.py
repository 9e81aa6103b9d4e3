"""The tables. Importing this package makes them all known to SQLAlchemy and Alembic."""

from models.activity import Activity, ActivityParticipant, ActivityReminder, ActivityState, CalendarFeed
from models.alert import Alert, SourceHour
from models.attachment import Attachment
from models.audit import AuditEntry
from models.base import Base
from models.call import Call, CallResult
from models.call_check import CallCheck
from models.call_order import CallCommand, CallOrder, CommandState
from models.call_transfer import CallTransfer
from models.company import Company
from models.consent import ConsentGiven
from models.contact import Contact
from models.contact_point import ContactPoint, Person, PointKind
from models.deal import Deal, DealContact, DealLine, StageStay
from models.deal_template import DealTemplate
from models.domain_event import DomainEvent, FeedEnd
from models.duplicate import DuplicatePair, DuplicateSweep, PairState
from models.form_print import FormPrint
from models.held_user import HeldUser
from models.import_job import Duplicates, ImportJob, ImportRow, ImportState, RowOutcome
from models.inbound import EventState, InboundEvent
from models.lead import Lead, LeadStatus
from models.lease import Lease
from models.line_subscription import LineSubscription
from models.mailbox import MailboxMessage, MailboxPosition, WatchedMailbox
from models.merge import Merge
from models.message import Direction, Message, MessageState
from models.notification import Notification
from models.offer import Offer, OfferState
from models.pipeline import Pipeline, Stage, StageGroup
from models.product import Product, Section
from models.recording import Recording, RecordingState
from models.report import SavedReport, SourceCost
from models.rule import CronRule, Rotation, RulesetVersion, Run, RunState, StepRow, StepState, Trace
from models.segment import Segment, SegmentMember
from models.sent_count import SentCount
from models.sla import SlaClock, SlaState
from models.source import Channel, Source
from models.storm import Storm
from models.timeline import TimelineEntry
from models.user import ApiToken, Role, Team, TeamMember, User
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from models.workspace import Calendar, NamedList, Template, Territory, WorkspaceRow

__all__ = [
    "Activity",
    "ActivityParticipant",
    "ActivityReminder",
    "ActivityState",
    "Alert",
    "ApiToken",
    "Attachment",
    "AuditEntry",
    "Base",
    "Calendar",
    "CalendarFeed",
    "Call",
    "CallCheck",
    "CallCommand",
    "CallOrder",
    "CallResult",
    "CallTransfer",
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
    "DealTemplate",
    "DeliveryState",
    "Direction",
    "DomainEvent",
    "DuplicatePair",
    "DuplicateSweep",
    "Duplicates",
    "EventState",
    "FeedEnd",
    "FormPrint",
    "HeldUser",
    "ImportJob",
    "ImportRow",
    "ImportState",
    "InboundEvent",
    "Lead",
    "LeadStatus",
    "Lease",
    "LineSubscription",
    "MailboxMessage",
    "MailboxPosition",
    "Merge",
    "Message",
    "MessageState",
    "NamedList",
    "Notification",
    "Offer",
    "OfferState",
    "PairState",
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
    "SavedReport",
    "Section",
    "Segment",
    "SegmentMember",
    "SentCount",
    "SlaClock",
    "SlaState",
    "Source",
    "SourceCost",
    "SourceHour",
    "Stage",
    "StageGroup",
    "StageStay",
    "StepRow",
    "StepState",
    "Storm",
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
