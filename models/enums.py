"""Every status word of the schema, in one list. A column that holds one has a CHECK made from it."""

from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"
    VIEWER = "viewer"


class Presence(StrEnum):
    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    SLACK = "slack"
    DISCORD = "discord"
    TELEGRAM = "telegram"
    TEAMS = "teams"
    VOICE = "voice"


class Provider(StrEnum):
    IMAP = "imap"
    GMAIL = "gmail"
    GRAPH = "graph"
    SES = "ses"


class Health(StrEnum):
    CONNECTING = "connecting"
    OK = "ok"
    DEGRADED = "degraded"
    AUTH_FAILED = "auth_failed"
    PAUSED = "paused"


class FolderRole(StrEnum):
    INBOX = "inbox"
    SENT = "sent"
    ARCHIVE = "archive"
    JUNK = "junk"
    TRASH = "trash"
    DRAFTS = "drafts"
    ALL = "all"
    OTHER = "other"


class FolderState(StrEnum):
    """`parked`: gone or refusing; probed again later, its messages stay. `resetting`: UIDVALIDITY changed, re-matching."""

    ACTIVE = "active"
    PARKED = "parked"
    RESETTING = "resetting"


class BackfillState(StrEnum):
    NONE = "none"
    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class LedgerState(StrEnum):
    """Where one provider identity stands. Every identity ever seen has exactly one row and one state (integrity I-4)."""

    SEEN = "seen"
    STORED = "stored"
    INGESTED = "ingested"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    VANISHED = "vanished"


class Classification(StrEnum):
    MESSAGE = "message"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    SPAM = "spam"


class GapCause(StrEnum):
    UIDVALIDITY = "uidvalidity"
    MISSED = "missed"
    REAUTH = "reauth"
    LOST_STATE = "lost_state"
    AUDIT = "audit"
    HISTORY_404 = "history_404"
    DELTA_410 = "delta_410"


class IntentKind(StrEnum):
    """What is written back to the provider: that a mail was read, where it lies, one label."""

    READ = "read"
    PLACE = "place"
    LABEL = "label"


class IntentState(StrEnum):
    """`superseded`: marked unread at the provider since. `conflict`: somebody has moved the mail elsewhere since. `gone`: it lies
    nowhere any more. `withdrawn`: writing back was switched off, or people here chose otherwise before it was written.
    """

    OPEN = "open"
    DONE = "done"
    SUPERSEDED = "superseded"
    CONFLICT = "conflict"
    GONE = "gone"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class NoticeState(StrEnum):
    """What became of a message of SNS. `unmatched`: about no mail of ours. `ignored`: it asks for nothing. `failed`: five
    attempts to apply it failed.
    """

    WAITING = "waiting"
    APPLIED = "applied"
    UNMATCHED = "unmatched"
    IGNORED = "ignored"
    FAILED = "failed"


class ReceiptState(StrEnum):
    """Where a mail in SES's bucket stands. `unclaimed`: a domain of the house has no inbox for it."""

    WAITING = "waiting"
    ROUTED = "routed"
    UNCLAIMED = "unclaimed"


class AuditReason(StrEnum):
    """Why a balance sheet was drawn up: its night had come, a person asked, or a gap was filled and had to be proven so."""

    NIGHTLY = "nightly"
    ASKED = "asked"
    REFILLED = "refilled"


class ConversationStatus(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    CLOSED = "closed"
    ARCHIVED = "archived"
    SPAM = "spam"
    TRASH = "trash"


class ListOrder(StrEnum):
    """How a list is sorted. `waiting`: the longest wait for our answer first; `sla_due`: the next due first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    WAITING = "waiting"
    SLA_DUE = "sla_due"


class Priority(StrEnum):
    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class AssignedBy(StrEnum):
    MANUAL = "manual"
    AUTO = "auto"
    ROUND_ROBIN = "round_robin"
    LEAST_BUSY = "least_busy"
    SKILLS = "skills"
    PRIORITY = "priority"
    RULE = "rule"


class FollowReason(StrEnum):
    """Why somebody follows a conversation: they asked to, a colleague added them, a note named them, it was theirs."""

    SELF = "self"
    ADDED = "added"
    MENTIONED = "mentioned"
    ASSIGNED = "assigned"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class MailFlow(StrEnum):
    """Mails as figures count them: customers' and others', people's answers, automatic ones."""

    RECEIVED = "received"
    SENT = "sent"
    AUTO = "auto"


class MessageKind(StrEnum):
    MESSAGE = "message"
    AUTO_RESPONSE = "auto_response"
    NOTIFICATION = "notification"


class SenderType(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


class ContentType(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    FILE = "file"
    AUDIO = "audio"
    VIDEO = "video"
    CALL = "call"


class SendStatus(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SendStage(StrEnum):
    """How far a submission got. `dot` is committed before the final dot leaves (integrity S-2)."""

    CONNECT = "connect"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    BODY = "body"
    DOT = "dot"


class RecipientType(StrEnum):
    TO = "to"
    CC = "cc"
    BCC = "bcc"


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FAILED = "failed"
    DEFERRED = "deferred"
    OPENED = "opened"
    CLICKED = "clicked"


class BounceClass(StrEnum):
    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


class Disposition(StrEnum):
    ATTACHMENT = "attachment"
    INLINE = "inline"


class ThreadKeyKind(StrEnum):
    """`message_id`: an id a mail bears or has borne (aliases). `reference`: an id that a member refers to."""

    MESSAGE_ID = "message_id"
    REFERENCE = "reference"
    PROVIDER_THREAD = "provider_thread"


class SuppressionReason(StrEnum):
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"


class LoopBudgetKind(StrEnum):
    """What was used up: automatic mails to one correspondent of an inbox, to that person from all inboxes, of an inbox, of
    the tenant; or mails that came in from one sender, or into an inbox.
    """

    CORRESPONDENT = "correspondent"
    EVERYWHERE = "everywhere"
    INBOX = "inbox"
    TENANT = "tenant"
    INCOMING_SENDER = "incoming-sender"
    INCOMING_INBOX = "incoming-inbox"


class IdempotencyState(StrEnum):
    STARTED = "started"
    DONE = "done"


class ReingestState(StrEnum):
    """`planning` reads and compares, `planned` waits for a person, `applying` writes. The other two are ends."""

    PLANNING = "planning"
    PLANNED = "planned"
    APPLYING = "applying"
    APPLIED = "applied"
    CANCELLED = "cancelled"


class ReingestChangeState(StrEnum):
    """`stale`: the message has changed since it was compared. `refused`: it cannot be as the plan says. `unread`: the
    parser has no answer for it, so nothing is planned.
    """

    PLANNED = "planned"
    APPLIED = "applied"
    STALE = "stale"
    REFUSED = "refused"
    UNREAD = "unread"


class GrantPermission(StrEnum):
    """How a mailbox behind a web API is opened: by a person's sign-in, or by the application itself."""

    DELEGATED = "delegated"
    APPLICATION = "application"


class RuleTrigger(StrEnum):
    """When a routing rule is looked at: as a mail comes in, or as somebody changes a conversation."""

    MESSAGE = "message"
    CHANGE = "change"


class DryRunState(StrEnum):
    RUNNING = "running"
    DONE = "done"


class AssignmentStrategy(StrEnum):
    """How a waiting conversation finds somebody."""

    MANUAL = "manual"
    ROUND_ROBIN = "round_robin"
    LEAST_BUSY = "least_busy"
    SKILLS = "skills"
    PRIORITY = "priority"


class HandBack(StrEnum):
    """What becomes of the conversations of somebody who goes offline."""

    NEVER = "never"
    AFTER = "after"
    AT_ONCE = "at_once"







class SlaTarget(StrEnum):
    """What is promised: the first answer, each further one, and the end of the matter."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


class SlaRecountState(StrEnum):
    RUNNING = "running"
    DONE = "done"
