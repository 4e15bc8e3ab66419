"""Sending by Graph as `MailApiSender`: a draft with an immutable id, sent by that id, and found in Sent under it.

The id does not change on the way, and one draft is one object: submitting it again cannot make two mails of it. That follows
from how Exchange keeps mail and from the documentation of immutable ids; it is proven against our stand-in only.
"""

import base64
from typing import Any
from urllib.parse import quote

from providers.errors import NotThere, ProtocolBroken, ProviderError, Refused
from providers.executors import graph_lane
from providers.graph.account import GraphAccount, Request
from providers.graph.draft_json import DraftFile, sender_of, taken_apart
from providers.graph.endpoint import quoted
from providers.graph.faults import ChangedMeanwhile
from providers.graph.profile import profile_of
from providers.graph.values import text_of
from providers.mail_api import CursorExpired, SentMail, Trace

# A request may have 4 MB, and base64 makes four octets of three.
MIME_LIMIT = 3_000_000
# Smaller files go up in one request, larger ones in a session of parts.
SESSION_FROM = 3_000_000
# Parts are multiples of 320 KiB and stay under 4 MB.
PART = 10 * 320 * 1024
# Seconds between looks for the copy in Sent right after it was taken; later looks are the caller's.
LOOKS = (0.0, 1.0, 2.0)
_FIELDS = "id,conversationId,internetMessageId,isDraft"
# PidTagMessageFlags; mfSubmitted (MS-OXCMSG 2.2.1.6): handed over, but not yet moved to Sent.
_SUBMITTED = 0x4
_MESSAGE_FLAGS = quote("singleValueExtendedProperties($filter=id eq 'Integer 0x0E07')", safe="($)'=")


class GraphSender:
    """A `MailApiSender` for one mailbox."""

    def __init__(self, account: GraphAccount, *, mime_limit: int = MIME_LIMIT) -> None:
        self._account = account
        self._mime_limit = mime_limit
        self._names: frozenset[str] | None = None

    async def prepare(self, raw: bytes, *, thread_id: str | None = None) -> str:
        """Keep `raw` as a draft. As MIME, octet for octet, where From is the mailbox itself; as JSON where From must be kept
        or the mail is too large for one request, which MIME would lose or refuse. Twice makes two drafts, of which none goes out
        by itself. Recipients are those of To, Cc and Bcc. `thread_id` is not needed: Exchange goes by References.

        Raises ProviderError; a draft that was begun is then thrown away, or stays unsent.
        """
        del thread_id
        if self._names is None:
            self._names = (await profile_of(self._account)).names
        if sender_of(raw) in self._names and len(raw) <= self._mime_limit:
            headers = {"Content-Type": "text/plain"}
            request = Request("POST", "messages", content=base64.b64encode(raw), headers=headers)
            return text_of((await self._account.write(request)).json(), "id")
        parts = await graph_lane().run(taken_apart, raw)
        created = await self._account.write(Request("POST", "messages", json=parts.message))
        draft_id = text_of(created.json(), "id")
        try:
            for file in parts.files:
                await self._attach(draft_id, file)
        except ProviderError:
            await self._throw_away(draft_id)
            raise
        return draft_id

    async def submit(self, draft_id: str) -> SentMail:
        """Send the draft, in one request that is never repeated, except after 401 and 429: they prove that nothing was done.

        Raises Throttled, AuthFailed, Refused, TooLarge: not accepted. Unreachable, ProtocolBroken: ask `trace`. `draft_gone` is
        a draft that is not there, because an earlier call sent it or a person threw it away: ask `trace` too.
        """
        try:
            await self._account.write(Request("POST", f"messages/{quoted(draft_id)}/send", content=b""))
        except (NotThere, ChangedMeanwhile, CursorExpired):
            raise ProtocolBroken(
                "draft_gone", "The draft is no longer there; it is looked for among sent mail."
            ) from None
        return await self._read_back(draft_id)

    async def trace(self, draft_id: str, message_id_header: str) -> Trace:
        """By the id, then by our Message-ID. A draft that Exchange has taken over but not yet filed is `nowhere` until it is."""
        try:
            found = await self._look(draft_id, expand=True)
        except NotThere:
            return await self._searched(message_id_header)
        if not found.get("isDraft", True):
            return Trace("sent", _sent(found))
        return Trace("nowhere") if _flags(found) & _SUBMITTED else Trace("draft")

    async def discard(self, draft_id: str) -> None:
        """Only while it is a draft: under the same id lies the copy in Sent once it went out, and that is no draft.

        Raises Refused (`not_a_draft`, `changed_meanwhile`) then.
        """
        try:
            found = await self._look(draft_id, expand=True)
            if not found.get("isDraft", False) or _flags(found) & _SUBMITTED:
                raise Refused("not_a_draft", "This mail was sent already; it is no draft any more.")
            headers = {"If-Match": text_of(found, "@odata.etag")}
            await self._account.write(Request("DELETE", f"messages/{quoted(draft_id)}", headers=headers))
        except NotThere:
            return

    async def close(self) -> None:
        await self._account.close()

    async def _throw_away(self, draft_id: str) -> None:
        """A half-made draft. Failing leaves it lying in Drafts, where it harms nobody; the caller has an error to tell."""
        try:
            await self._account.write(Request("DELETE", f"messages/{quoted(draft_id)}"))
        except ProviderError:
            return

    async def _attach(self, draft_id: str, file: DraftFile) -> None:
        path = f"messages/{quoted(draft_id)}/attachments"
        if len(file.content) < SESSION_FROM:
            about = {"@odata.type": "#microsoft.graph.fileAttachment", **file.about()}
            content = base64.b64encode(file.content).decode("ascii")
            await self._account.write(Request("POST", path, json={**about, "contentBytes": content}))
            return
        item = {"attachmentType": "file", "size": len(file.content), **file.about()}
        opened = await self._account.write(
            Request("POST", f"{path}/createUploadSession", json={"AttachmentItem": item})
        )
        url = text_of(opened.json(), "uploadUrl")
        total = len(file.content)
        for start in range(0, total, PART):
            part = file.content[start : start + PART]
            await self._account.upload(url, part, f"bytes {start}-{start + len(part) - 1}/{total}")

    async def _read_back(self, draft_id: str) -> SentMail:
        """What was really sent may bear another Message-ID, and Sent may lag. The mail is out: not finding it is no error."""
        for pause in LOOKS:
            if pause:
                await self._account.sleep(pause)
            try:
                found = await self._look(draft_id)
            except NotThere:
                continue
            except ProviderError:
                break
            if not found.get("isDraft", True):
                return _sent(found)
        return SentMail(draft_id, None, None)

    async def _look(self, mail_id: str, *, expand: bool = False) -> dict[str, Any]:
        more = f"&$expand={_MESSAGE_FLAGS}" if expand else ""
        return (
            await self._account.read(Request("GET", f"messages/{quoted(mail_id)}?$select={_FIELDS}{more}"))
        ).json()

    async def _searched(self, message_id_header: str) -> Trace:
        """A mail with our Message-ID that is no draft is proof, wherever it lies. No order is asked for with the filter:
        Exchange refuses some such pairs (`InefficientFilter`).
        """
        wanted = message_id_header.replace("'", "''")
        where = quote(f"internetMessageId eq '{wanted}'", safe="")
        page = (
            await self._account.read(Request("GET", f"messages?$filter={where}&$select={_FIELDS}"))
        ).json()
        found = page.get("value")
        if not isinstance(found, list):
            raise ProtocolBroken("answer_incomplete")
        sent = [one for one in found if isinstance(one, dict) and one.get("isDraft") is False]
        return Trace("sent", _sent(sent[0])) if sent else Trace("nowhere")


def _sent(item: dict[str, Any]) -> SentMail:
    return SentMail(
        text_of(item, "id"), item.get("conversationId") or None, item.get("internetMessageId") or None
    )


def _flags(item: dict[str, Any]) -> int:
    """PidTagMessageFlags where it was told, else 0."""
    for one in item.get("singleValueExtendedProperties") or ():
        if str(one.get("id", "")).lower().endswith(("0xe07", "0x0e07")):
            try:
                return int(one["value"])
            except (KeyError, TypeError, ValueError):
                raise ProtocolBroken("answer_incomplete") from None
    return 0
