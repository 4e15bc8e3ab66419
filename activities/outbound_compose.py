"""Freezes one outgoing mail: its bytes to S3, then their place, id, date and chain to PostgreSQL (integrity S-1).

If it dies between the two, an object that nobody names is left in the bucket and the next run makes another; once the
row names an object, every run finds it and makes nothing.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable

from temporalio import activity

from activities._edges import edges, failure
from activities.heartbeat import heartbeats
from contracts.failpoints import Failpoint, reached
from contracts.outbound import ComposeReport, OutboundSteps, SendState
from contracts.refs import MessageRef
from mail.auto_headers import auto_response_headers, make_loop_token, notification_headers
from mail.compose import ComposeError, compose
from mail.outgoing_addresses import checked
from mail.outgoing_headers import reference_chain
from mail.parse import parse_mail
from mail.reply_token import make_message_id
from mail.sanitise import sanitise_html
from mail.values import Address, ComposedMail, ComposeFile, ComposeRequest
from providers.s3.blobs import BlobStore
from store.outbound_frozen import FrozenMail, MailSource, SourceFile, freeze, read_source
from store.outbound_outcomes import settle_failed
from store.unit_of_work import Database

WAITS = frozenset({"queued", "scheduled", "sending"})


class OutboundCompose(OutboundSteps):
    """`secret` signs reply tokens and loop headers (`MAILROOM_TOKEN_SECRET`). `clock` gives aware instants."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        secret: bytes,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._secret = secret
        self._clock = clock

    @activity.defn(name="outbound.compose")
    async def compose(self, ref: MessageRef) -> ComposeReport:
        with edges():
            async with heartbeats():
                return await self._compose(uuid.UUID(ref.tenant_id), uuid.UUID(ref.message_id))

    async def _compose(self, tenant_id: uuid.UUID, message_id: uuid.UUID) -> ComposeReport:
        async with self._database.unit_of_work(tenant_id) as connection:
            source = await read_source(connection, tenant_id=tenant_id, message_id=message_id)
        if source is None:
            raise failure("NotFound")
        if source.send_status not in WAITS:
            return ComposeReport(_over(source.send_status), source.frozen_bytes or 0)
        if source.frozen_bytes is not None:
            return ComposeReport(SendState.DUE, source.frozen_bytes)
        if source.inbox_deleted:
            return await self._refuse(
                tenant_id, message_id, "The inbox was deleted; answer from another one."
            )
        try:
            request = await self._request(source, tenant_id)
            mail = compose(request)
        except ComposeError as wrong:
            # What cannot become a mail will not by waiting: the agent reads why, and mends it in a new message.
            return await self._refuse(tenant_id, message_id, f"The message cannot be sent: {wrong}.")
        return await self._freeze(tenant_id, message_id, request, mail)

    async def _freeze(
        self, tenant_id: uuid.UUID, message_id: uuid.UUID, request: ComposeRequest, mail: ComposedMail
    ) -> ComposeReport:
        key = f"out/{tenant_id}/{message_id}/{mail.sha256}.eml"
        reached(Failpoint.COMPOSE_BEFORE_PUT)
        await self._blobs.put(key, mail.raw, "message/rfc822", sha256=mail.sha256)
        reached(Failpoint.COMPOSE_AFTER_PUT)
        frozen = FrozenMail(
            message_id=mail.message_id,
            # As the inbound path would compute it, so that our copy in Sent is recognised (S-12).
            content_id=parse_mail(mail.raw).content_id,
            date=request.date,
            in_reply_to=request.in_reply_to,
            references=reference_chain(request),
            raw_key=key,
            raw_length=len(mail.raw),
            raw_sha256=mail.sha256,
        )
        async with self._database.unit_of_work(tenant_id) as connection:
            written = await freeze(
                connection, tenant_id=tenant_id, message_id=message_id, mail=frozen, workflow_run=run_id()
            )
            source = None
            if not written:
                source = await read_source(connection, tenant_id=tenant_id, message_id=message_id)
        reached(Failpoint.COMPOSE_FROZEN)
        if written:
            return ComposeReport(SendState.DUE, len(mail.raw))
        if source is None or source.send_status not in WAITS:
            return ComposeReport(SendState.GONE if source is None else _over(source.send_status))
        return ComposeReport(SendState.DUE, source.frozen_bytes or 0)

    async def _request(self, source: MailSource, tenant_id: uuid.UUID) -> ComposeRequest:
        from_ = checked(Address(source.from_address, source.from_name), "from_")
        named: dict[str, tuple[Address, ...]] = {
            kind: tuple(Address(r.address, r.name) for r in source.recipients if r.type == kind)
            for kind in ("to", "cc", "bcc")
        }
        automatic = source.kind != "message"
        return ComposeRequest(
            send_id=str(source.id),
            message_id=self._message_id(source, tenant_id, from_.address.rpartition("@")[2]),
            date=self._clock().replace(microsecond=0),
            from_=from_,
            to=named["to"],
            cc=named["cc"],
            bcc=named["bcc"],
            # An automatic answer asks for none.
            reply_to=(Address(source.reply_to),) if source.reply_to and not automatic else (),
            subject=source.subject,
            text=source.text if source.text.strip() or source.html is None else None,
            html=_clean_html(source),
            in_reply_to=source.in_reply_to,
            references=source.references,
            files=tuple([await self._file(file) for file in source.files]),
            extra_headers=self._extra_headers(source) if automatic else (),
        )

    def _message_id(self, source: MailSource, tenant_id: uuid.UUID, domain: str) -> str:
        """A mail without a conversation bears no ticket's number: an answer to it must lead into nobody's."""
        if source.number is None:
            return f"<{source.id.hex}.notice@{domain.lower()}>"
        return make_message_id(str(source.id), source.number, str(tenant_id), domain, self._secret)

    def _extra_headers(self, source: MailSource) -> tuple[tuple[str, str], ...]:
        token = make_loop_token(source.id.hex, self._secret)
        return notification_headers(token) if source.kind == "notification" else auto_response_headers(token)

    async def _file(self, file: SourceFile) -> ComposeFile:
        content = await self._blobs.get(file.storage_key)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            # Another file than the one that was attached: it is not ours to send.
            raise failure("BlobMissing")
        return ComposeFile(file.filename, file.content_type, content, file.content_id)

    async def _refuse(self, tenant_id: uuid.UUID, message_id: uuid.UUID, sentence: str) -> ComposeReport:
        async with self._database.unit_of_work(tenant_id) as connection:
            await settle_failed(
                connection,
                tenant_id=tenant_id,
                message_id=message_id,
                sentence=sentence,
                now=self._clock(),
                workflow_run=run_id(),
            )
        return ComposeReport(SendState.FAILED)


def run_id() -> str | None:
    """The Temporal run that this step belongs to, for the timeline; None outside of one."""
    return activity.info().workflow_run_id if activity.in_activity() else None


def _over(status: str) -> SendState:
    return SendState(status) if status in {"sent", "failed", "unknown", "cancelled"} else SendState.GONE


def _clean_html(source: MailSource) -> str | None:
    """What leaves is sanitised like what comes in (integrity X-6); pictures of the mail itself stay, remote ones go."""
    if source.html is None:
        return None
    own = {f.content_id: f"cid:{f.content_id}" for f in source.files if f.content_id is not None}
    return sanitise_html(source.html, cid_urls=own, mark_links=False).html
