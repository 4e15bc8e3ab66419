"""Drafts, attachments, upload sessions and `send` of the Graph stand-in.

`send` answers 202 and keeps what it took in `mailbox.accepted`, once for each mail: the same draft cannot be taken twice. The
copy in Sent Items may lag, be nowhere for a while, or never come, as the mailbox's quirks say.
"""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.servers import graph_items as items
from tests.servers.graph_faults import GraphError, not_found
from tests.servers.graph_mailbox import Accepted, GraphMailbox, Item

MAX_REQUEST = 4 * 1024 * 1024
INLINE_LIMIT = 3_000_000
EXPIRES = "2099-01-01T00:00:00Z"


@dataclass(slots=True)
class Upload:
    mailbox: GraphMailbox
    item: Item
    about: dict[str, Any]
    received: bytes = b""


class Sending:
    """Open upload sessions, and where accepted mail goes: `mailboxes` by address."""

    def __init__(self, mailboxes: dict[str, GraphMailbox], url: Callable[[], str]) -> None:
        self._mailboxes, self._url = mailboxes, url
        self.uploads: dict[str, Upload] = {}

    def create(self, box: GraphMailbox, content_type: str, body: bytes, folder: str = "drafts") -> Item:
        if len(body) > MAX_REQUEST:
            raise GraphError(413, "RequestEntityTooLarge", "The request exceeds 4 MB.")
        if content_type.startswith("text/plain"):
            try:
                raw = base64.b64decode(body, validate=True)
            except (binascii.Error, ValueError):
                raise GraphError(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.") from None
            raw = items.from_mime(raw, box)
            return box.deliver(raw, folder, draft=True, read=True)
        given = json.loads(body)
        inline = given.pop("attachments", [])
        with box.lock:
            item = box.deliver(items.from_json(given, inline, box), folder, draft=True, read=True)
            item.properties, item.attachments = given, list(inline)
            return item

    def attach(self, box: GraphMailbox, item: Item, about: dict[str, Any]) -> dict[str, Any]:
        if not item.is_draft:
            raise GraphError(400, "ErrorInvalidOperation", "Attachments can be added to drafts only.")
        item.attachments.append(about)
        item.raw = items.from_json(item.properties, item.attachments, box)
        return items.attached(item)[-1]

    def open_session(self, box: GraphMailbox, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        # The documentation writes AttachmentItem, other clients attachmentItem, and both are taken.
        about = next((value for name, value in body.items() if name.lower() == "attachmentitem"), None)
        if not isinstance(about, dict):
            raise GraphError(400, "BadRequest", "The parameter 'AttachmentItem' is missing.")
        if int(about["size"]) < INLINE_LIMIT:
            raise GraphError(400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", "Attachment size must be greater than the minimum size.")
        name = secrets.token_urlsafe(24)
        self.uploads[name] = Upload(box, item, about)
        # Another path, no token: the address itself is the permission.
        return {"uploadUrl": f"{self._url()}/upload/{name}", "expirationDateTime": EXPIRES, "nextExpectedRanges": ["0-"]}

    def receive(self, name: str, content_range: str, chunk: bytes, authorization: str | None) -> tuple[int, dict[str, Any] | None, dict[str, str]]:
        """Status, body and headers: after the last range a `Location` and no body."""
        upload = self.uploads.get(name)
        if authorization:
            raise GraphError(401, "InvalidAudience", "An upload takes no Authorization header.")
        if upload is None:
            raise not_found()
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range)
        if found is None or len(chunk) != int(found[2]) - int(found[1]) + 1 or len(chunk) > MAX_REQUEST:
            raise GraphError(400, "InvalidContentRange", "Invalid Content-Range.")
        if int(found[1]) != len(upload.received) or int(found[3]) != int(upload.about["size"]):
            raise GraphError(416, "InvalidRange", "The range does not follow what was received.")
        upload.received += chunk
        if len(upload.received) < int(found[3]):
            return 200, {"expirationDateTime": EXPIRES, "nextExpectedRanges": [f"{len(upload.received)}-"]}, {}
        del self.uploads[name]
        made = self.attach(upload.mailbox, upload.item, {**upload.about, "contentBytes": base64.b64encode(upload.received).decode()})
        place = f"{self._url()}/v1.0/users/{upload.mailbox.user_id}/messages/{upload.item.immutable_id}/attachments/{made['id']}"
        return 201, None, {"Location": place}

    def send(self, box: GraphMailbox, item: Item) -> None:
        with box.lock:
            if not item.is_draft or item.submitted:
                raise not_found()
            sender = (items.addresses(item.raw, "From") or [{"emailAddress": {"address": box.address}}])[0]["emailAddress"]["address"]
            box.may_send_as(sender)
            to = items.recipients(item.raw)
            if not to:
                raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
            item.submitted, item.hidden_looks = True, box.quirks.sent_looks
            if box.quirks.rewrite_message_id:
                item.raw = items.with_header(item.raw, "Message-ID", f"<{secrets.token_hex(12)}@eurprd01.prod.example.com>")
            raw = re.sub(rb"(?im)^bcc:[^\n]*(\n[ \t][^\n]*)*\n", b"", item.raw)
            box.accepted.append(Accepted(item.immutable_id, raw, sender, to))
            if box.quirks.sent_vanishes:
                box.delete(item.immutable_id)
            elif not box.quirks.sent_looks:
                box.file_sent(item)
        for address in to:
            other = self._mailboxes.get(address.lower())
            if other is not None:
                other.deliver(raw)
