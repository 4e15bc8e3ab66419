"""How each route is called well: the rows that `test_routes.py` and `test_foreign_ids.py` go through.

A new route without a row fails there, and so does a row whose route is gone.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from api.endpoint import Endpoint
from tests.api.world import PASSWORD, World, new_inbox


@dataclass(frozen=True)
class Case:
    """How to call a route well. `ids` fills the path from the world; `status` is the good answer."""

    ids: tuple[tuple[str, str], ...] = ()
    body: Callable[[World], dict[str, Any]] | None = None
    status: int = 200
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    own: bool = False  # a person's own row, which no key has
    skip_call: bool = False  # endless: called in test_stream.py


def at(name: str, row: str) -> tuple[tuple[str, str], ...]:
    return ((name, row),)


CONVERSATION, INBOX = at("conversation_id", "conversation"), at("inbox_id", "inbox")
MESSAGE, QUARANTINE = at("message_id", "message"), at("quarantine_id", "quarantine")
REINGEST = at("reingest_id", "reingest")
DOMAIN = at("domain_id", "domain")
BULK, CONTACT = at("bulk_id", "bulk"), at("contact_id", "contact")
RULE, WEBHOOK = at("rule_id", "rule"), at("webhook_id", "webhook")
NEW_RULE = {"name": "Fire", "condition": {"field": "subject", "op": "contains", "value": "fire"}, "actions": [{"type": "priority", "value": "high"}]}
FORGOTTEN = "forgotten@customer.example.com"
SUPPRESSED = "gone@customer.example.com"
COLLEAGUE, TEAM = at("user_id", "colleague"), at("team_id", "team")
URGENT = {"all": [{"field": "priority", "op": "in", "value": ["urgent"]}]}
HOURS, POLICY = at("hours_id", "hours"), at("policy_id", "policy")
NEW_HOURS = {"name": "Office", "time_zone": "UTC", "week": [[["09:00", "17:00"]]] * 5 + [[], []]}
NEW_WEBHOOK = {"name": "Tickets", "url": "https://tickets.example.com/hooks", "events": ["message.received"]}
NEW_POLICY = {"name": "All", "targets": {"first_response": {"minutes": 60, "time": "business"}}}
CASES: dict[tuple[str, str], Case] = {
    ("POST", "/v1/session"): Case(body=lambda w: {"email": w.emails["agent"], "password": PASSWORD}),
    ("GET", "/v1/session"): Case(),
    ("DELETE", "/v1/session"): Case(status=204),
    ("GET", "/v1/users"): Case(),
    ("POST", "/v1/users"): Case(
        body=lambda w: {
            "email": f"new-{uuid.uuid4().hex}@example.org",
            "name": "New",
            "role": "agent",
            "password": PASSWORD,
        },
        status=201,
    ),
    ("PATCH", "/v1/users/{user_id}"): Case(COLLEAGUE, lambda w: {"capacity": 5}),
    ("DELETE", "/v1/users/{user_id}"): Case(COLLEAGUE),
    ("POST", "/v1/users/{user_id}/invitation"): Case(COLLEAGUE, status=201),
    ("POST", "/v1/invitations"): Case(body=lambda w: {"token": "t" * 43, "password": PASSWORD}, status=409),
    ("PATCH", "/v1/me"): Case(body=lambda w: {"name": "Renamed"}),
    ("PUT", "/v1/me/status"): Case(body=lambda w: {"status": "online"}),
    ("GET", "/v1/teams"): Case(),
    ("POST", "/v1/teams"): Case(body=lambda w: {"name": f"Team {uuid.uuid4().hex}"}, status=201),
    ("PATCH", "/v1/teams/{team_id}"): Case(TEAM, lambda w: {"description": "Whoever knows printers"}),
    ("DELETE", "/v1/teams/{team_id}"): Case(TEAM, status=204),
    ("PUT", "/v1/teams/{team_id}/members"): Case(TEAM, lambda w: {"user_ids": [str(w.people["agent"])]}),
    ("GET", "/v1/inboxes/{inbox_id}/members"): Case(INBOX),
    ("PUT", "/v1/inboxes/{inbox_id}/members"): Case(INBOX, lambda w: {"user_ids": [str(w.people["agent"])], "team_ids": []}),
    ("GET", "/v1/inboxes/{inbox_id}/assignment-policy"): Case(INBOX),
    ("PUT", "/v1/inboxes/{inbox_id}/assignment-policy"): Case(INBOX, lambda w: {"strategy": "round_robin"}),
    ("GET", "/v1/teams/{team_id}/assignment-policy"): Case(TEAM),
    ("PUT", "/v1/teams/{team_id}/assignment-policy"): Case(TEAM, lambda w: {"strategy": "skills"}),
    ("GET", "/v1/presence-policy"): Case(),
    ("PUT", "/v1/presence-policy"): Case(body=lambda w: {"offline_after_minutes": 30}),
    ("GET", "/v1/audit"): Case(),
    ("POST", "/v1/conversations/{conversation_id}/claim"): Case(CONVERSATION),
    ("PUT", "/v1/conversations/{conversation_id}/assignment"): Case(
        CONVERSATION, lambda w: {"user_id": str(w.people["agent"]), "reason": "Knows printers"}
    ),
    ("GET", "/v1/conversations/{conversation_id}/assignments"): Case(CONVERSATION),
    ("GET", "/v1/queue"): Case(),
    ("POST", "/v1/queue/next"): Case(),
    ("GET", "/v1/api-keys"): Case(),
    ("POST", "/v1/api-keys"): Case(body=lambda w: {"name": "Reports", "scopes": ["read"]}, status=201),
    ("DELETE", "/v1/api-keys/{key_id}"): Case(at("key_id", "key"), status=204),
    ("GET", "/v1/conversations"): Case(),
    ("GET", "/v1/conversations/counts"): Case(),
    ("GET", "/v1/views"): Case(),
    ("POST", "/v1/views"): Case(body=lambda w: {"name": "Urgent", "shared": True, "conditions": URGENT}, status=201),
    ("POST", "/v1/views/preview"): Case(body=lambda w: {"conditions": URGENT}),
    ("PATCH", "/v1/views/{view_id}"): Case(at("view_id", "view"), lambda w: {"name": "Very urgent"}, own=True),
    ("DELETE", "/v1/views/{view_id}"): Case(at("view_id", "view"), status=204),
    ("GET", "/v1/conversations/{conversation_id}"): Case(CONVERSATION),
    ("PATCH", "/v1/conversations/{conversation_id}"): Case(CONVERSATION, lambda w: {"priority": "high"}),
    ("POST", "/v1/conversations/{conversation_id}/read"): Case(CONVERSATION),
    ("GET", "/v1/conversations/{conversation_id}/messages"): Case(CONVERSATION),
    ("POST", "/v1/conversations/{conversation_id}/messages"): Case(
        CONVERSATION, lambda w: {"text": "We come at once.", "seen_version": 99}, 201
    ),
    ("GET", "/v1/conversations/{conversation_id}/notes"): Case(CONVERSATION),
    ("POST", "/v1/conversations/{conversation_id}/notes"): Case(CONVERSATION, lambda w: {"content": "Ask Bo."}, 201),
    ("PATCH", "/v1/notes/{note_id}"): Case(at("note_id", "note"), lambda w: {"content": "Ask Bo first."}, own=True),
    ("DELETE", "/v1/notes/{note_id}"): Case(at("note_id", "note"), status=204, own=True),
    ("PUT", "/v1/conversations/{conversation_id}/followers/{user_id}"): Case(CONVERSATION + at("user_id", "agent")),
    ("DELETE", "/v1/conversations/{conversation_id}/followers/{user_id}"): Case(CONVERSATION + at("user_id", "agent"), own=True),
    ("GET", "/v1/conversations/{conversation_id}/draft"): Case(CONVERSATION),
    ("PUT", "/v1/conversations/{conversation_id}/draft"): Case(CONVERSATION, lambda w: {"html": "<div>Dear</div>"}),
    ("DELETE", "/v1/conversations/{conversation_id}/draft"): Case(CONVERSATION, status=204),
    ("PUT", "/v1/conversations/{conversation_id}/presence"): Case(CONVERSATION, lambda w: {"state": "viewing"}),
    ("GET", "/v1/tags"): Case(),
    ("POST", "/v1/tags"): Case(body=lambda w: {"name": uuid.uuid4().hex}, status=201),
    ("PATCH", "/v1/tags/{tag_id}"): Case(at("tag_id", "tag"), lambda w: {"color": "#336699"}),
    ("DELETE", "/v1/tags/{tag_id}"): Case(at("tag_id", "tag"), status=204),
    ("GET", "/v1/webhooks"): Case(),
    ("POST", "/v1/webhooks"): Case(body=lambda w: {**NEW_WEBHOOK, "inbox_ids": [str(w.ids["inbox"])]}, status=201),
    ("GET", "/v1/webhooks/{webhook_id}"): Case(WEBHOOK),
    ("PATCH", "/v1/webhooks/{webhook_id}"): Case(WEBHOOK, lambda w: {"name": "More tickets", "inbox_ids": [str(w.ids["inbox"])]}),
    ("DELETE", "/v1/webhooks/{webhook_id}"): Case(WEBHOOK, status=204),
    ("POST", "/v1/webhooks/{webhook_id}/rotate"): Case(WEBHOOK),
    ("POST", "/v1/webhooks/{webhook_id}/test"): Case(WEBHOOK, status=202),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"): Case(WEBHOOK),
    ("POST", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"): Case(WEBHOOK + at("delivery_id", "delivery"), status=202),
    ("GET", "/v1/rules"): Case(),
    ("POST", "/v1/rules"): Case(body=lambda w: dict(NEW_RULE), status=201),
    ("PUT", "/v1/rules/order"): Case(body=lambda w: {"ids": [str(w.ids["rule"])]}),
    ("GET", "/v1/rules/{rule_id}"): Case(RULE),
    ("PATCH", "/v1/rules/{rule_id}"): Case(RULE, lambda w: {"shadow": True}),
    ("DELETE", "/v1/rules/{rule_id}"): Case(RULE, status=204),
    ("GET", "/v1/rules/{rule_id}/versions"): Case(RULE),
    ("POST", "/v1/rules/dry-run"): Case(body=lambda w: {"rule": dict(NEW_RULE), "days": 90}, status=201),
    ("GET", "/v1/rules/dry-run/{run_id}"): Case(at("run_id", "dry run")),
    ("POST", "/v1/rules/dry-run/{run_id}/continue"): Case(at("run_id", "dry run")),
    ("GET", "/v1/conversations/{conversation_id}/rules"): Case(CONVERSATION),
    ("GET", "/v1/conversations/{conversation_id}/signature"): Case(CONVERSATION),
    ("GET", "/v1/me/signature"): Case(),
    ("GET", "/v1/inboxes/{inbox_id}/signature"): Case(INBOX),
    ("GET", "/v1/templates"): Case(),
    ("POST", "/v1/templates"): Case(body=lambda w: {"name": "Thanks", "text": "Thank you.", "personal": True}, status=201),
    ("GET", "/v1/templates/{template_id}"): Case(at("template_id", "shared template")),
    ("PATCH", "/v1/templates/{template_id}"): Case(at("template_id", "template"), lambda w: {"name": "Thank you"}),
    ("DELETE", "/v1/templates/{template_id}"): Case(at("template_id", "template"), status=204),
    ("POST", "/v1/templates/{template_id}/fill"): Case(
        at("template_id", "shared template"), lambda w: {"conversation_id": str(w.ids["conversation"])}
    ),
    ("POST", "/v1/bulk"): Case(
        body=lambda w: {"ids": [str(w.ids["conversation"])], "change": {"status": "open", "add_tags": ["fire"]}}, status=201
    ),
    ("GET", "/v1/bulk/{bulk_id}"): Case(BULK),
    # It has ended: test_bulk.py cancels one that runs, and takes one back.
    ("POST", "/v1/bulk/{bulk_id}/cancel"): Case(BULK, status=409),
    ("POST", "/v1/bulk/{bulk_id}/undo"): Case(BULK, status=409),
    ("GET", "/v1/contacts"): Case(),
    ("GET", "/v1/contacts/{contact_id}"): Case(CONTACT),
    ("PATCH", "/v1/contacts/{contact_id}"): Case(CONTACT, lambda w: {"vip": True}),
    ("GET", "/v1/contacts/{contact_id}/conversations"): Case(CONTACT),
    ("POST", "/v1/contacts/{contact_id}/merge"): Case(CONTACT, lambda w: {"into": str(w.ids["twin"])}),
    ("POST", "/v1/contacts/{contact_id}/unmerge"): Case(CONTACT),
    ("GET", "/v1/conversations/{conversation_id}/shape"): Case(CONVERSATION),
    ("POST", "/v1/conversations/{conversation_id}/merge"): Case(CONVERSATION, lambda w: {"into": str(w.ids["second"])}),
    # This one is not merged: test_shape.py takes one apart.
    ("POST", "/v1/conversations/{conversation_id}/unmerge"): Case(CONVERSATION, status=409),
    ("POST", "/v1/conversations/{conversation_id}/split"): Case(
        CONVERSATION, lambda w: {"message_ids": [str(w.ids["message"])]}
    ),
    ("DELETE", "/v1/conversations/{conversation_id}/topic"): Case(CONVERSATION),
    ("POST", "/v1/conversations/{conversation_id}/forward"): Case(
        CONVERSATION, lambda w: {"message_id": str(w.ids["message"]), "to": [{"address": "paul@example.net"}]}, 201
    ),
    ("GET", "/v1/messages/{message_id}"): Case(MESSAGE),
    ("GET", "/v1/messages/{message_id}/html"): Case(MESSAGE),
    ("GET", "/v1/messages/{message_id}/frame"): Case(MESSAGE),
    ("GET", "/v1/messages/{message_id}/raw"): Case(MESSAGE),
    ("POST", "/v1/messages/{message_id}/cancel"): Case(at("message_id", "queued")),
    ("POST", "/v1/messages/{message_id}/retry"): Case(at("message_id", "failed")),
    ("POST", "/v1/messages/{message_id}/resolve"): Case(
        at("message_id", "unknown"), lambda w: {"outcome": "sent"}
    ),
    ("POST", "/v1/messages/{message_id}/not-spam"): Case(at("message_id", "spam")),
    ("GET", "/v1/messages/{message_id}/timeline"): Case(MESSAGE),
    ("GET", "/v1/attachments/{attachment_id}/download"): Case(at("attachment_id", "attachment"), status=302),
    ("GET", "/v1/inline/{token}"): Case(at("token", "token")),
    ("POST", "/v1/uploads"): Case(
        body=lambda w: {"filename": "a.txt", "content_type": "text/plain", "size_bytes": 3}, status=201
    ),
    ("PUT", "/v1/uploads/{upload_id}/content"): Case(at("upload_id", "upload"), content=b"abc", status=204),
    ("POST", "/v1/uploads/{upload_id}/complete"): Case(at("upload_id", "upload")),
    ("GET", "/v1/inboxes"): Case(),
    ("POST", "/v1/inboxes"): Case(body=lambda w: dict(new_inbox()), status=201),
    ("POST", "/v1/inboxes/oauth/start"): Case(
        body=lambda w: {"provider": "gmail", "email_address": "team@example.com"}
    ),
    ("GET", "/oauth/callback"): Case(status=303),
    ("GET", "/v1/inboxes/oauth/choices"): Case(),
    ("POST", "/v1/inboxes/oauth/application"): Case(
        body=lambda w: {"email_address": "team@example.com"}, status=422
    ),
    ("GET", "/v1/inboxes/{inbox_id}/access"): Case(INBOX),
    ("GET", "/v1/inboxes/{inbox_id}/setup"): Case(INBOX),
    ("GET", "/v1/inboxes/{inbox_id}"): Case(INBOX),
    ("PATCH", "/v1/inboxes/{inbox_id}"): Case(INBOX, lambda w: {"name": "Renamed"}),
    ("POST", "/v1/inboxes/{inbox_id}/test"): Case(INBOX),
    ("POST", "/v1/inboxes/{inbox_id}/pause"): Case(INBOX),
    ("POST", "/v1/inboxes/{inbox_id}/resume"): Case(INBOX),
    ("GET", "/v1/inboxes/{inbox_id}/status"): Case(INBOX),
    ("POST", "/v1/inboxes/{inbox_id}/resync"): Case(INBOX, lambda w: {"scope": "new"}, 202),
    ("POST", "/v1/inboxes/{inbox_id}/backfill"): Case(INBOX, lambda w: {"action": "start"}, 202),
    ("GET", "/v1/inboxes/{inbox_id}/ledger"): Case(INBOX),
    ("GET", "/v1/balance"): Case(),
    ("GET", "/v1/inboxes/{inbox_id}/audits"): Case(INBOX),
    ("GET", "/v1/inboxes/{inbox_id}/gaps"): Case(INBOX),
    ("POST", "/v1/inboxes/{inbox_id}/audit"): Case(INBOX, status=202),
    ("GET", "/v1/domains"): Case(),
    ("POST", "/v1/domains"): Case(body=lambda w: {"name": f"d{uuid.uuid4().hex}.example.com"}, status=201),
    ("GET", "/v1/domains/{domain_id}"): Case(DOMAIN),
    ("PATCH", "/v1/domains/{domain_id}"): Case(DOMAIN, lambda w: {"from_name": "Example Shop"}),
    ("DELETE", "/v1/domains/{domain_id}"): Case(at("domain_id", "spare domain"), status=204),
    ("POST", "/v1/domains/{domain_id}/verify"): Case(DOMAIN),
    ("PUT", "/v1/domains/{domain_id}/inboxes/{inbox_id}"): Case(DOMAIN + INBOX, lambda w: {"is_catchall": True}),
    ("POST", "/v1/domains/{domain_id}/inboxes"): Case(
        at("domain_id", "ready domain"), lambda w: {"name": "Desk", "local_part": f"desk-{uuid.uuid4().hex}"}, status=201
    ),
    ("DELETE", "/v1/domains/{domain_id}/inboxes/{inbox_id}"): Case(DOMAIN + INBOX, status=204),
    ("GET", "/v1/quarantine"): Case(),
    ("GET", "/v1/quarantine/{quarantine_id}/raw"): Case(QUARANTINE),
    ("GET", "/v1/quarantine/{quarantine_id}/text"): Case(QUARANTINE),
    ("POST", "/v1/quarantine/{quarantine_id}/retry"): Case(QUARANTINE, status=202),
    ("POST", "/v1/quarantine/{quarantine_id}/dismiss"): Case(QUARANTINE),
    ("GET", "/v1/reingests/preview"): Case(),
    ("POST", "/v1/reingests"): Case(body=lambda w: {"inbox": [str(w.ids["inbox"])]}, status=201),
    ("GET", "/v1/reingests"): Case(),
    ("GET", "/v1/reingests/{reingest_id}"): Case(REINGEST),
    ("GET", "/v1/reingests/{reingest_id}/changes"): Case(REINGEST),
    ("GET", "/v1/reingests/{reingest_id}/changes/{ledger_id}"): Case(REINGEST + at("ledger_id", "ledger")),
    ("POST", "/v1/reingests/{reingest_id}/apply"): Case(REINGEST, status=202),
    # This run waits for a person, so it cannot be paused: test_reingest.py pauses one that is under way.
    ("POST", "/v1/reingests/{reingest_id}/pause"): Case(REINGEST, status=409),
    ("POST", "/v1/reingests/{reingest_id}/resume"): Case(REINGEST, status=409),
    ("POST", "/v1/reingests/{reingest_id}/cancel"): Case(REINGEST),
    ("GET", "/v1/business-hours"): Case(),
    ("POST", "/v1/business-hours"): Case(body=lambda w: dict(NEW_HOURS), status=201),
    ("PATCH", "/v1/business-hours/{hours_id}"): Case(HOURS, lambda w: {"name": "Renamed"}),
    ("DELETE", "/v1/business-hours/{hours_id}"): Case(HOURS, status=204),
    ("POST", "/v1/business-hours/{hours_id}/preview"): Case(HOURS, lambda w: {"time_zone": "Europe/Berlin"}),
    ("GET", "/v1/sla-policies"): Case(),
    ("POST", "/v1/sla-policies"): Case(body=lambda w: dict(NEW_POLICY), status=201),
    ("POST", "/v1/sla-policies/preview"): Case(body=lambda w: {**NEW_POLICY, "business_hours_id": str(w.ids["hours"])}),
    ("PATCH", "/v1/sla-policies/{policy_id}"): Case(POLICY, lambda w: {"conditions": {"inbox": [str(w.ids["inbox"])]}}),
    ("DELETE", "/v1/sla-policies/{policy_id}"): Case(POLICY, status=204),
    ("POST", "/v1/sla-policies/{policy_id}/preview"): Case(POLICY, lambda w: {"warn_percent": 50}),
    ("GET", "/v1/conversations/{conversation_id}/sla"): Case(CONVERSATION),
    ("GET", "/v1/analytics/volume"): Case(),
    ("GET", "/v1/analytics/durations"): Case(),
    ("GET", "/v1/analytics/sla"): Case(),
    ("GET", "/v1/analytics/backlog"): Case(),
    ("GET", "/v1/analytics/load"): Case(),
    ("GET", "/v1/events/stream"): Case(skip_call=True),
    ("GET", "/v1/suppressions"): Case(),
    ("POST", "/v1/suppressions/lift"): Case(body=lambda w: {"address": SUPPRESSED}, status=204),
    ("GET", "/v1/retention"): Case(),
    ("PUT", "/v1/retention"): Case(body=lambda w: {"trash_days": 30}),
    ("GET", "/v1/retention/preview"): Case(),
    ("PUT", "/v1/conversations/{conversation_id}/hold"): Case(CONVERSATION, lambda w: {"held": True}),
    ("POST", "/v1/contacts/{contact_id}/erase"): Case(at("contact_id", "forgotten"), lambda w: {"confirm": FORGOTTEN}, 202),
    ("GET", "/v1/erasures"): Case(),
    ("GET", "/v1/erasures/{erasure_id}"): Case(at("erasure_id", "erasure")),
    ("GET", "/v1/notifications"): Case(),
    ("POST", "/v1/notifications/read"): Case(body=lambda w: {"all": True}),
    ("GET", "/v1/me/preferences"): Case(),
    ("PUT", "/v1/me/preferences"): Case(body=lambda w: {"kinds": {"reply": {"live": True, "mail": "digest"}}, "digest": {"time_zone": "Europe/Berlin"}}),
    ("GET", "/v1/notification-settings"): Case(),
    ("PUT", "/v1/notification-settings"): Case(body=lambda w: {"inbox_id": str(w.ids["inbox"])}),
    ("POST", "/api/webhooks/ses"): Case(content=b"{}", status=401),
    ("POST", "/api/webhooks/gmail-push"): Case(content=b"{}", status=401),
    ("POST", "/api/webhooks/graph-push"): Case(content=b"{}", status=401),
    ("GET", "/healthz"): Case(),
    ("GET", "/readyz"): Case(),
    ("GET", "/metrics"): Case(),
    ("GET", "/v1/openapi.json"): Case(),
}


def case_of(endpoint: Endpoint) -> Case:
    return CASES[endpoint.method, endpoint.path]


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"
