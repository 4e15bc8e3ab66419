"""The Gmail API's methods over a mailbox: a request in, an answer in Google's JSON out. It knows no sockets.

Methods, paths, parameters and scopes come from Google's own discovery document, so a client cannot call what Gmail does not have.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from googleapiclient.discovery_cache import get_static_doc

from tests.servers.gmail_faults import ApiError
from tests.servers.gmail_mailbox import (
    HIDDEN,
    SYSTEM_LABELS,
    GmailMailbox,
    StoredMail,
    Watch,
    encode_raw,
)
from tests.servers.google_oauth import METADATA, Grant

MAX_BODY = 35 * 1024 * 1024
MAX_JSON = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    operation: str
    ids: dict[str, str]
    query: dict[str, list[str]]
    body: dict[str, Any]
    media: bytes | None
    grant: Grant

    def one(self, name: str, default: str | None = None) -> str | None:
        return self.query.get(name, [default])[-1]

    def flag(self, name: str) -> bool:
        return (self.one(name) or "false").lower() in ("true", "1")


@cache
def _methods() -> tuple[tuple[re.Pattern[str], str, str, frozenset[str]], ...]:
    document = json.loads(get_static_doc("gmail", "v1"))
    found: list[tuple[re.Pattern[str], str, str, frozenset[str]]] = []

    def walk(resource: dict[str, Any]) -> None:
        for method in resource.get("methods", {}).values():
            path = method.get("flatPath", method["path"])
            pattern = re.compile("/" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
            name = method["id"].removeprefix("gmail.users.")
            found.append((pattern, method["httpMethod"], name, frozenset(method.get("scopes", ()))))
        for inner in resource.get("resources", {}).values():
            walk(inner)

    walk(document)
    return tuple(found)


def find_operation(method: str, path: str) -> tuple[str, dict[str, str], frozenset[str]]:
    """The method that `path` names, its ids and the scopes of which one is needed. Raises ApiError 404."""
    for pattern, verb, name, scopes in _methods():
        match = pattern.fullmatch(path)
        if match and verb == method:
            return name, {k: unquote(v) for k, v in match.groupdict().items()}, scopes
    raise ApiError(404, "Requested URL was not found on this server.", "notFound")


def answer(mailbox: GmailMailbox, call: Call) -> dict[str, Any] | None:
    """Do what is asked. None is an answer without a body. Raises ApiError."""
    handler = _HANDLERS.get(call.operation)
    if handler is None:
        raise ApiError(501, f"The stand-in does not have {call.operation}.", "notImplemented")
    with mailbox.lock:
        return handler(mailbox, call)


def _not_found() -> ApiError:
    return ApiError(404, "Requested entity was not found.")


def _bad(message: str) -> ApiError:
    return ApiError(400, message)


def _mail(mailbox: GmailMailbox, call: Call) -> StoredMail:
    mail = mailbox.mails.get(call.ids["id"])
    if mail is None:
        raise _not_found()
    return mail


def _headers(mail: StoredMail, wanted: list[str]) -> list[dict[str, str]]:
    head = re.split(rb"\r?\n\r?\n", mail.raw, maxsplit=1)[0].decode("latin-1")
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", head)
    pairs = [line.partition(":") for line in unfolded.splitlines() if ":" in line]
    names = {name.lower() for name in wanted}
    return [{"name": k, "value": v.strip()} for k, _, v in pairs if not names or k.lower() in names]


def _shown(mail: StoredMail, form: str, wanted: list[str] | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": mail.id, "threadId": mail.thread_id}
    if mail.labels:
        shown["labelIds"] = sorted(mail.labels)
    shown |= {
        "snippet": "",
        "sizeEstimate": len(mail.raw),
        "historyId": str(mail.history_id),
        "internalDate": str(int(mail.arrived * 1000)),
    }
    if form == "raw":
        shown["raw"] = encode_raw(mail.raw)
    elif form in ("metadata", "full"):
        shown["payload"] = {"mimeType": "text/plain", "headers": _headers(mail, wanted or [])}
    return shown


def _stub(mail: StoredMail) -> dict[str, Any]:
    return {"id": mail.id, "threadId": mail.thread_id, "labelIds": sorted(mail.labels)}


def _profile(mailbox: GmailMailbox, _: Call) -> dict[str, Any]:
    threads = {mail.thread_id for mail in mailbox.mails.values()}
    return {
        "emailAddress": mailbox.address,
        "messagesTotal": len(mailbox.mails),
        "threadsTotal": len(threads),
        "historyId": str(mailbox.history_id),
    }


def _size(call: Call, most: int = 500) -> int:
    try:
        wanted = int(call.one("maxResults") or 100)
    except ValueError:
        raise _bad("Invalid value for maxResults") from None
    return max(1, min(wanted, most))


def _messages_list(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    query, labels = call.one("q"), set(call.query.get("labelIds", []))
    if query and METADATA in call.grant.scopes and len(call.grant.scopes) == 1:
        raise ApiError(403, "Metadata scope does not support 'q' parameter", "forbidden")
    mails = mailbox.newest_first()
    for term in (query or "").split():
        if term.startswith("rfc822msgid:"):
            found = {mail.id for mail in mailbox.found_by_message_id(term.removeprefix("rfc822msgid:"))}
            mails = [mail for mail in mails if mail.id in found]
        elif term.startswith("in:"):
            mails = [mail for mail in mails if term[3:].upper() in mail.labels]
        else:
            raise _bad(f"The stand-in does not search for {term}")
    shows_hidden = call.flag("includeSpamTrash") or labels & HIDDEN
    mails = [m for m in mails if labels <= m.labels and (shows_hidden or not m.labels & HIDDEN)]
    estimate = len(mails)
    if token := call.one("pageToken"):
        before = _page_place(token)
        mails = [mail for mail in mails if (int(mail.arrived * 1000), mail.serial) < before]
    page, rest = mails[: _size(call)], mails[_size(call) :]
    result: dict[str, Any] = {"resultSizeEstimate": min(estimate, 201)}  # as coarse as the real one
    if page:
        result["messages"] = [{"id": mail.id, "threadId": mail.thread_id} for mail in page]
    if rest:
        place = f"{int(page[-1].arrived * 1000)}.{page[-1].serial}"
        result["nextPageToken"] = base64.urlsafe_b64encode(place.encode()).decode()
    return result


def _page_place(token: str) -> tuple[int, int]:
    try:
        first, second = base64.urlsafe_b64decode(token).decode().split(".")
        return int(first), int(second)
    except (ValueError, binascii.Error):
        raise _bad("Invalid pageToken") from None


def _messages_get(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    form = (call.one("format") or "full").lower()
    if form in ("raw", "full") and call.grant.scopes == (METADATA,):
        raise ApiError(403, "Metadata scope doesn't allow format FULL", "forbidden")
    return _shown(_mail(mailbox, call), form, call.query.get("metadataHeaders"))


def _history_list(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    try:
        start = int(call.one("startHistoryId") or "")
    except ValueError:
        raise _bad("Invalid startHistoryId") from None
    if start < mailbox.history_floor:
        raise _not_found()
    types, label = call.query.get("historyTypes"), call.one("labelId")
    keys = {"messageAdded": "messagesAdded", "messageDeleted": "messagesDeleted", "labelAdded": "labelsAdded",
            "labelRemoved": "labelsRemoved"}  # fmt: skip
    wanted = {keys[t] for t in types} if types else set(keys.values())
    records = [r for r in mailbox.history if int(r["id"]) > start and wanted & r.keys()]
    if label:
        records = [r for r in records if any(label in e["message"].get("labelIds", ()) for k in wanted & r.keys() for e in r[k])]
    skip = _page_place(token)[0] if (token := call.one("pageToken")) else 0
    page = records[skip : skip + _size(call)]
    result: dict[str, Any] = {"historyId": str(mailbox.history_id)}
    if page:
        result["history"] = page
    if skip + len(page) < len(records):
        result["nextPageToken"] = base64.urlsafe_b64encode(f"{skip + len(page)}.0".encode()).decode()
    return result


def _labels_list(mailbox: GmailMailbox, _: Call) -> dict[str, Any]:
    system = [{"id": name, "name": name, "type": "system"} for name in SYSTEM_LABELS]
    return {"labels": system + [{"id": i, "name": n, "type": "user"} for i, n in mailbox.labels.items()]}


def _labels_create(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    name = str(call.body.get("name") or "")
    if not name:
        raise _bad("Invalid label name")
    taken = {label.lower() for label in (*mailbox.labels.values(), *SYSTEM_LABELS)}
    if name.lower() in taken:
        raise ApiError(409, "Label name exists or conflicts", "aborted")
    label = mailbox.add_label(name)
    return {"id": label, "name": name, "messageListVisibility": "show", "labelListVisibility": "labelShow"}


def _modify(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    mail = _mail(mailbox, call)
    add, remove = set(call.body.get("addLabelIds", ())), set(call.body.get("removeLabelIds", ()))
    known = set(SYSTEM_LABELS) | set(mailbox.labels)
    if not add and not remove:
        raise _bad("No label add or removes specified")
    if add & remove:
        raise _bad("Cannot both add and remove the same label")
    if bad := (add | remove) - known | ((add | remove) & {"SENT", "DRAFT"}):
        raise _bad(f"Invalid label: {min(bad)}")
    return _stub(mailbox.modify(mail.id, add, remove))


def _trash(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    return _stub(mailbox.trash(_mail(mailbox, call).id))


def _untrash(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    return _stub(mailbox.modify(_mail(mailbox, call).id, remove=["TRASH"]))


def _delete(mailbox: GmailMailbox, call: Call) -> None:
    mailbox.delete(_mail(mailbox, call).id)


def _threads_get(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    mails = mailbox.thread(call.ids["id"])
    if not mails:
        raise _not_found()
    form = (call.one("format") or "full").lower()
    shown = [_shown(mail, form, call.query.get("metadataHeaders")) for mail in mails]
    return {"id": call.ids["id"], "historyId": str(mailbox.history_id), "messages": shown}


def _raw_of(call: Call, message: dict[str, Any]) -> bytes:
    if call.media is not None:
        raw = call.media
    else:
        text = message.get("raw")
        if not text:
            raise _bad("'raw' RFC822 payload message string or uploading message via /upload/* URL required")
        try:
            raw = base64.urlsafe_b64decode(str(text) + "=" * (-len(str(text)) % 4))
        except (ValueError, binascii.Error):
            raise _bad("Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed") from None
    if len(raw) > MAX_BODY:
        raise ApiError(413, "Request is too large.", "uploadTooLarge")
    return raw


def _thread_asked(mailbox: GmailMailbox, message: dict[str, Any]) -> str | None:
    thread = message.get("threadId")
    if thread and not mailbox.thread(str(thread)):
        raise _not_found()
    return str(thread) if thread else None


def _drafts_create(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    message = call.body.get("message") or {}
    draft = mailbox.create_draft(_raw_of(call, message), _thread_asked(mailbox, message))
    return {"id": draft, "message": _stub(mailbox.mails[mailbox.drafts[draft]])}


def _draft_mail(mailbox: GmailMailbox, draft_id: str) -> StoredMail:
    if draft_id not in mailbox.drafts:
        raise _not_found()
    return mailbox.mails[mailbox.drafts[draft_id]]


def _drafts_get(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    mail = _draft_mail(mailbox, call.ids["id"])
    return {"id": call.ids["id"], "message": _shown(mail, (call.one("format") or "full").lower())}


def _drafts_list(mailbox: GmailMailbox, _: Call) -> dict[str, Any]:
    drafts = [{"id": d, "message": {"id": m, "threadId": mailbox.mails[m].thread_id}} for d, m in mailbox.drafts.items()]
    return {"drafts": drafts, "resultSizeEstimate": len(drafts)} if drafts else {"resultSizeEstimate": 0}


def _drafts_update(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    _draft_mail(mailbox, call.ids["id"])
    mailbox.edit_draft(call.ids["id"], _raw_of(call, call.body.get("message") or {}))
    return {"id": call.ids["id"], "message": _stub(mailbox.mails[mailbox.drafts[call.ids["id"]]])}


def _drafts_send(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    draft_id = str(call.body.get("id") or "")
    mail = _draft_mail(mailbox, draft_id)
    _check_recipients(mail.raw)
    return _stub(mailbox.send_draft(draft_id))


def _drafts_delete(mailbox: GmailMailbox, call: Call) -> None:
    mailbox.delete(_draft_mail(mailbox, call.ids["id"]).id)


def _messages_send(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    raw = _raw_of(call, call.body)
    _check_recipients(raw)
    return _stub(mailbox.send(raw, mailbox.joined_thread(raw, _thread_asked(mailbox, call.body))))


def _check_recipients(raw: bytes) -> None:
    from_headers = re.findall(rb"(?im)^(to|cc|bcc):(.*)$", re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0])
    if not any(value.strip() for _, value in from_headers):
        raise _bad("Recipient address required")
    for name, value in from_headers:
        if b"@" not in value:
            raise _bad(f"Invalid {name.decode().title()} header")


def _watch(mailbox: GmailMailbox, call: Call) -> dict[str, Any]:
    topic = str(call.body.get("topicName") or "")
    if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", topic):
        raise _bad("Invalid topicName does not match projects/sample-project/topics/*")
    expires = mailbox.clock() + mailbox.watch_days * 86400
    mailbox.watch = Watch(topic, tuple(call.body.get("labelIds", ())), expires)
    return {"historyId": str(mailbox.history_id), "expiration": str(int(expires * 1000))}


def _stop(mailbox: GmailMailbox, _: Call) -> None:
    mailbox.watch = None


def _send_as(mailbox: GmailMailbox, _: Call) -> dict[str, Any]:
    shown = []
    for alias in mailbox.send_as:
        entry: dict[str, Any] = {"sendAsEmail": alias.address, "displayName": alias.name, "replyToAddress": alias.reply_to}
        entry |= {"signature": "", "treatAsAlias": alias.alias and not alias.primary}
        if alias.primary:
            entry["isPrimary"] = True
        else:
            entry["verificationStatus"] = "accepted" if alias.verified else "pending"
        if alias.default:
            entry["isDefault"] = True
        shown.append(entry)
    return {"sendAs": shown}


_HANDLERS: dict[str, Callable[[GmailMailbox, Call], dict[str, Any] | None]] = {
    "getProfile": _profile, "messages.list": _messages_list, "messages.get": _messages_get, "messages.modify": _modify,
    "messages.trash": _trash, "messages.untrash": _untrash, "messages.delete": _delete, "messages.send": _messages_send,
    "threads.get": _threads_get, "history.list": _history_list, "labels.list": _labels_list,
    "labels.create": _labels_create, "drafts.create": _drafts_create, "drafts.get": _drafts_get,
    "drafts.list": _drafts_list, "drafts.update": _drafts_update, "drafts.send": _drafts_send,
    "drafts.delete": _drafts_delete, "watch": _watch, "stop": _stop, "settings.sendAs.list": _send_as,
}  # fmt: skip
