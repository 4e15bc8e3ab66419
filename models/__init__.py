"""Tables only: typed SQLAlchemy mappings of `docs/data.md`. No queries and no rules live here."""

from models.audits import Audit
from models.base import Base
from models.conversation_life import Draft, Follower, Note
from models.conversation_shape import Bulk, BulkChange, ConversationsApart, SplitSuggestion
from models.conversations import (
    Conversation,
    ConversationAssignment,
    ConversationTag,
    Tag,
    ThreadKey,
    ThreadSuggestion,
)
from models.desk import DeskCursor, DeskFailure
from models.domains import Domain
from models.events import Event, EventCursor, IdempotencyKey, LoopBreach, LoopBudget
from models.inboxes import Folder, Gap, Inbox, LedgerEntry, Quarantine
from models.intents import Intent
from models.messages import (
    Attachment,
    AutoResponseClaim,
    DeliveryEvent,
    Message,
    MessageRecipient,
    MessageReference,
    SearchDocument,
    SendStep,
    SuppressedAddress,
    Upload,
)
from models.notices import Digest, Notice, NoticeSettings
from models.oauth_grants import OAuthGrant, OAuthStart
from models.people import (
    ApiKey,
    Contact,
    ContactIdentity,
    InboxMember,
    LoginAttempt,
    Session,
    Tenant,
    User,
    Workspace,
)
from models.push_notices import PushHour, PushNotice
from models.reingests import Reingest, ReingestChange
from models.restores import Restore
from models.retention import DroppedObject, Erasure, RetentionPolicy, RetentionRun, Tombstone
from models.rollups import BacklogHour, ConversationFigures, DurationHour, MailHour
from models.routing import (
    ReplyTemplate,
    RoutingRule,
    RoutingRuleVersion,
    RuleAnswer,
    RuleDryRun,
    RuleHit,
    RuleLook,
)
from models.ses_receipts import SesReceipt
from models.sla import BusinessHoursRow, ConversationStatusChange, SlaClock, SlaPolicy, SlaRecount
from models.sns_notices import SnsNotice
from models.teams import AssignmentPolicy, AssignmentTurn, InboxTeam, Invitation, Team, TeamMember
from models.views import BoxCount, BoxDelta, TouchedConversations, View, ViewMember
from models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "AssignmentPolicy",
    "AssignmentTurn",
    "Attachment",
    "Audit",
    "AutoResponseClaim",
    "BacklogHour",
    "Base",
    "BoxCount",
    "BoxDelta",
    "Bulk",
    "BulkChange",
    "BusinessHoursRow",
    "Contact",
    "ContactIdentity",
    "Conversation",
    "ConversationAssignment",
    "ConversationFigures",
    "ConversationStatusChange",
    "ConversationTag",
    "ConversationsApart",
    "DeliveryEvent",
    "DeskCursor",
    "DeskFailure",
    "Digest",
    "Domain",
    "Draft",
    "DroppedObject",
    "DurationHour",
    "Erasure",
    "Event",
    "EventCursor",
    "Folder",
    "Follower",
    "Gap",
    "IdempotencyKey",
    "Inbox",
    "InboxMember",
    "InboxTeam",
    "Intent",
    "Invitation",
    "LedgerEntry",
    "LoginAttempt",
    "LoopBreach",
    "LoopBudget",
    "MailHour",
    "Message",
    "MessageRecipient",
    "MessageReference",
    "Note",
    "Notice",
    "NoticeSettings",
    "OAuthGrant",
    "OAuthStart",
    "PushHour",
    "PushNotice",
    "Quarantine",
    "Reingest",
    "ReingestChange",
    "ReplyTemplate",
    "Restore",
    "RetentionPolicy",
    "RetentionRun",
    "RoutingRule",
    "RoutingRuleVersion",
    "RuleAnswer",
    "RuleDryRun",
    "RuleHit",
    "RuleLook",
    "SearchDocument",
    "SendStep",
    "SesReceipt",
    "Session",
    "SlaClock",
    "SlaPolicy",
    "SlaRecount",
    "SnsNotice",
    "SplitSuggestion",
    "SuppressedAddress",
    "Tag",
    "Team",
    "TeamMember",
    "Tenant",
    "ThreadKey",
    "ThreadSuggestion",
    "Tombstone",
    "TouchedConversations",
    "Upload",
    "User",
    "View",
    "ViewMember",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Workspace",
]
