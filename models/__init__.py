"""Tables only: typed SQLAlchemy mappings of `docs/data.md`. No queries and no rules live here."""

from models.audits import Audit
from models.base import Base
from models.conversation_life import Draft, Follower, Note
from models.conversations import (
    Conversation,
    ConversationAssignment,
    ConversationTag,
    Tag,
    ThreadKey,
    ThreadSuggestion,
)
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
from models.ses_receipts import SesReceipt
from models.sns_notices import SnsNotice

__all__ = [
    "ApiKey",
    "Attachment",
    "Audit",
    "AutoResponseClaim",
    "Base",
    "Contact",
    "ContactIdentity",
    "Conversation",
    "ConversationAssignment",
    "ConversationTag",
    "DeliveryEvent",
    "Domain",
    "Draft",
    "Event",
    "EventCursor",
    "Folder",
    "Follower",
    "Gap",
    "IdempotencyKey",
    "Inbox",
    "InboxMember",
    "Intent",
    "LedgerEntry",
    "LoginAttempt",
    "LoopBreach",
    "LoopBudget",
    "Message",
    "MessageRecipient",
    "MessageReference",
    "Note",
    "OAuthGrant",
    "OAuthStart",
    "PushHour",
    "PushNotice",
    "Quarantine",
    "Reingest",
    "ReingestChange",
    "Restore",
    "SearchDocument",
    "SendStep",
    "SesReceipt",
    "Session",
    "SnsNotice",
    "SuppressedAddress",
    "Tag",
    "Tenant",
    "ThreadKey",
    "ThreadSuggestion",
    "Upload",
    "User",
    "Workspace",
]
