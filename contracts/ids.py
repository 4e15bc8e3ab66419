"""Deterministic workflow ids: starting twice is starting once. They hold opaque ids only, because ids are never encrypted."""

SWEEP = "sweep"
RETENTION = "retention"


def inbox_sync(inbox_id: str) -> str:
    return f"inbox-sync/{inbox_id}"


def backfill(inbox_id: str, folder_id: str) -> str:
    return f"backfill/{inbox_id}/{folder_id}"


def connect_inbox(inbox_id: str) -> str:
    return f"connect/{inbox_id}"


def check_inbox(inbox_id: str) -> str:
    return f"check/{inbox_id}"


def send_message(message_id: str) -> str:
    return f"send/{message_id}"


def auto_response(conversation_id: str) -> str:
    return f"auto-response/{conversation_id}"


def snooze(conversation_id: str) -> str:
    return f"snooze/{conversation_id}"


def check_domain(domain_id: str) -> str:
    return f"check-domain/{domain_id}"


def watch_renewal(inbox_id: str) -> str:
    return f"watch-renewal/{inbox_id}"


def desk(tenant_id: str) -> str:
    return f"desk/{tenant_id}"


def bulk(bulk_id: str) -> str:
    return f"bulk/{bulk_id}"


def reingest(reingest_id: str) -> str:
    return f"reingest/{reingest_id}"


def sla_timer(tenant_id: str) -> str:
    return f"sla/{tenant_id}"


def erase(erasure_id: str) -> str:
    return f"erase/{erasure_id}"


def digest(user_id: str) -> str:
    return f"digest/{user_id}"


def webhook(endpoint_id: str) -> str:
    return f"webhook/{endpoint_id}"
