"""Sending by Gmail as `MailApiSender`: the frozen octets become a draft, the draft is sent, and its trace can be found.

The id of a prepared draft is three of Google's ids in one word, `draft~message~thread`: the thread stays what it is when the
draft is sent, and reading it does not depend on the search index, which lags.
"""

import base64
import io
import re
from collections.abc import Iterable
from typing import Any

from googleapiclient.http import MediaIoBaseUpload

from providers.errors import NotThere, ProtocolBroken, ProviderError, Refused, TooLarge
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailApi
from providers.gmail.faults import REQUEST_REFUSED
from providers.gmail.labels import DRAFT, SENT
from providers.gmail.transport import CheckedHttp
from providers.mail_api import SentMail, Trace

# Above this the mail goes to the upload address; as base64 in JSON it would be refused, or the thread id be lost.
UPLOAD_FROM = 3 * 1024 * 1024
MAX_OCTETS = 35 * 1024 * 1024  # mediaUpload.maxSize of the discovery document
_ID_HEADERS = ("Message-ID", "X-Google-Original-Message-ID")
# What goes into a search: no quotes, no spaces, nothing that could end the term (integrity X-30).
_SEARCHABLE = re.compile(r"<[!-~]{1,250}>")
_UNSEARCHABLE = re.compile(r'["\\(){}]')


class GmailSender:
    def __init__(self, account: GmailAccount, *, upload_from: int = UPLOAD_FROM) -> None:
        self._account = account
        self._upload_from = upload_from

    async def prepare(self, raw: bytes, *, thread_id: str | None = None) -> str:
        """Keep `raw` as a draft. Twice makes two drafts, of which none goes out by itself.

        A `thread_id` that is gone (its mails were deleted) is left out: the mail then begins a thread of its own.
        Raises TooLarge before anything is sent, else ProviderError.
        """
        if len(raw) > MAX_OCTETS:
            raise TooLarge
        try:
            return await self._draft(raw, thread_id)
        except NotThere:
            if thread_id is None:
                raise
            return await self._draft(raw, None)

    async def submit(self, draft_id: str) -> SentMail:
        """Send the draft, in one request that is never repeated, and read back what was sent.

        Raises Throttled, AuthFailed, Refused: not accepted. Unreachable, ProtocolBroken: ask `trace`. `draft_gone` is a
        draft that is not there, because an earlier call sent it or a person threw it away: ask `trace` too.
        """
        draft, _, _ = _ids(draft_id)

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.drafts.send(userId="me", body={"id": draft}).execute(http=connection)

        try:
            message = await self._account.once(work, units=self._account.costs.send)
        except NotThere:
            raise ProtocolBroken(
                "draft_gone", "The draft is no longer there; it is looked for among sent mail."
            ) from None
        except Refused as refused:
            if refused.reason != REQUEST_REFUSED:
                raise
            raise Refused(
                "message_refused", "Gmail refuses this mail: check its recipients and its sender."
            ) from None
        try:
            sent_id, thread = message["id"], message.get("threadId")
        except (KeyError, TypeError):
            raise ProtocolBroken from None
        return SentMail(sent_id, thread, await self._message_id(sent_id))

    async def trace(self, draft_id: str, message_id_header: str) -> Trace:
        """By the draft, then by its message and its thread, last by the search for our Message-ID, which may lag."""
        draft, message, thread = _ids(draft_id)
        if await self._is_draft(draft):
            return Trace("draft")
        found = await self._in_thread(message, thread, message_id_header) or await self._searched(
            message_id_header
        )
        return Trace("sent", found) if found else Trace("nowhere")

    async def discard(self, draft_id: str) -> None:
        draft, _, _ = _ids(draft_id)

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.drafts.delete(userId="me", id=draft).execute(http=connection)

        try:
            await self._account.repeatable(work, units=self._account.costs.draft)
        except NotThere:
            return

    async def close(self) -> None:
        await self._account.close()

    async def _draft(self, raw: bytes, thread_id: str | None) -> str:
        about = {"threadId": thread_id} if thread_id else {}

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            if len(raw) < self._upload_from:
                text = base64.urlsafe_b64encode(raw).decode("ascii")
                request = api.drafts.create(userId="me", body={"message": {"raw": text, **about}})
            else:
                # Resumable: the other kind of upload passes 8-bit octets through a text encoder of the client and fails.
                media = MediaIoBaseUpload(io.BytesIO(raw), "message/rfc822", chunksize=-1, resumable=True)
                request = api.drafts.create(userId="me", body={"message": about}, media_body=media)
            return request.execute(http=connection)

        answer = await self._account.once(work, units=self._account.costs.draft)
        try:
            return "~".join((answer["id"], answer["message"]["id"], answer["message"]["threadId"]))
        except (KeyError, TypeError):
            raise ProtocolBroken from None

    async def _message_id(self, sent_id: str) -> str | None:
        """What was really sent may bear another Message-ID. The mail is out: not knowing its id is no error."""

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            request = api.messages.get(
                userId="me", id=sent_id, format="metadata", metadataHeaders=["Message-ID"]
            )
            return request.execute(http=connection)

        try:
            message = await self._account.repeatable(work, units=self._account.costs.get)
        except ProviderError:
            return None
        return next(iter(_values(message, ("Message-ID",))), None)

    async def _is_draft(self, draft: str) -> bool:
        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.drafts.get(userId="me", id=draft, format="minimal").execute(http=connection)

        try:
            answer = await self._account.repeatable(work, units=self._account.costs.get)
        except NotThere:
            return False
        labels = (answer.get("message") or {}).get("labelIds", ())
        return DRAFT in labels and SENT not in labels

    async def _in_thread(self, message: str, thread: str, message_id_header: str) -> SentMail | None:
        """A sent mail of the draft's thread that bears our Message-ID, as it is or as it was before Gmail changed it.

        In a thread that the draft itself began, whatever was sent is our mail.
        """

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            request = api.threads.get(
                userId="me", id=thread, format="metadata", metadataHeaders=list(_ID_HEADERS)
            )
            return request.execute(http=connection)

        try:
            answer = await self._account.repeatable(work, units=self._account.costs.thread)
        except NotThere:
            return None
        for mail in answer.get("messages", ()):
            ours = thread == message or message_id_header in _values(mail, _ID_HEADERS)
            if SENT in mail.get("labelIds", ()) and ours:
                return _sent(mail)
        return None

    async def _searched(self, message_id_header: str) -> SentMail | None:
        if not _SEARCHABLE.fullmatch(message_id_header) or _UNSEARCHABLE.search(message_id_header):
            return None

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            query = f"rfc822msgid:{message_id_header[1:-1]}"
            return api.messages.list(userId="me", q=query, labelIds=[SENT], includeSpamTrash=True).execute(
                http=connection
            )

        answer = await self._account.repeatable(work, units=self._account.costs.list)
        for found in answer.get("messages", ()):
            return SentMail(found["id"], found.get("threadId"), await self._message_id(found["id"]))
        return None


def _ids(draft_id: str) -> tuple[str, str, str]:
    parts = draft_id.split("~")
    if len(parts) != 3 or not all(parts):
        raise Refused("draft_id_invalid", "This is not the id of a draft in Gmail.")
    return parts[0], parts[1], parts[2]


def _sent(message: dict[str, Any]) -> SentMail:
    return SentMail(
        message["id"], message.get("threadId"), next(iter(_values(message, ("Message-ID",))), None)
    )


def _values(message: dict[str, Any], names: Iterable[str]) -> list[str]:
    wanted = {name.lower() for name in names}
    headers = (message.get("payload") or {}).get("headers", ())
    return [h["value"].strip() for h in headers if h.get("name", "").lower() in wanted and h.get("value")]
