"""Graph's JSON as our values: one mail, one moment. Anything of another form is `ProtocolBroken`."""

from datetime import UTC, datetime
from typing import Any

from providers.errors import ProtocolBroken
from providers.mail_api import RemoteMail

# All of a mail that a listing needs; with them a page of 200 mails is about 100 KB.
MAIL_FIELDS = "id,conversationId,receivedDateTime,isRead,isDraft,flag,categories"


def text_of(item: dict[str, Any], name: str) -> str:
    """A property that must be there. Raises ProtocolBroken."""
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolBroken("answer_incomplete")
    return value


def moment(text: object) -> datetime:
    """An aware time, from `2026-01-02T03:04:05Z` with any number of decimals. Raises ProtocolBroken."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise ProtocolBroken("answer_incomplete") from None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def remote_mail(item: dict[str, Any]) -> RemoteMail:
    """A mail of a listing. A delta page may leave out what did not change: then it is None here."""
    categories = item.get("categories")
    received = item.get("receivedDateTime")
    return RemoteMail(
        id=text_of(item, "id"),
        thread_id=item.get("conversationId") or None,
        flags=_flags(item),
        labels=frozenset(str(one) for one in categories) if isinstance(categories, list) else None,
        received_at=moment(received) if received else None,
    )


def _flags(item: dict[str, Any]) -> frozenset[str] | None:
    flag = item.get("flag")
    if (
        not isinstance(item.get("isRead"), bool)
        or not isinstance(item.get("isDraft"), bool)
        or not isinstance(flag, dict)
    ):
        return None
    words = {
        "\\Seen": item["isRead"],
        "\\Draft": item["isDraft"],
        "\\Flagged": flag.get("flagStatus") == "flagged",
    }
    return frozenset(word for word, is_set in words.items() if is_set)
