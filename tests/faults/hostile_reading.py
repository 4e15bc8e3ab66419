"""Judges what the parser children made of hostile mail, and shows it as the API would: nothing may raise, hide or leak a limit."""

import dataclasses
import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from activities.parser_child import Answer, ReadMail, ReadOrder
from activities.parser_pool import ParserPool
from api.mail_frames import MailFrames
from api.picture_tokens import PictureTokens
from api.rendering import message
from mail.filenames import safe_filename
from mail.limits import DEFAULT_LIMITS
from mail.quote import quoted_reply_html, quoted_reply_text
from mail.values import Address
from providers.s3.disposition import content_disposition, served_type
from store.messages_view import FileRow, MessageHtml, MessageRow, RecipientRow
from tests.faults.malformed import HostileMail

NOW = dt.datetime(2025, 10, 6, tzinfo=dt.UTC)
TENANT = uuid.uuid5(uuid.NAMESPACE_DNS, "hostile.example.com")
BATCH = 200
LARGE = 500_000  # of these one frame is enough: they take a second each


@dataclass
class Tally:
    """What became of mails. `broken` names those that should have been read or refused, and were neither."""

    ends: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def order(raw: bytes, *, headers_only: bool = False) -> ReadOrder:
    return ReadOrder(raw, str(TENANT), "inbox", frozenset({"desk@example.org"}), headers_only=headers_only)


async def read_all(pool: ParserPool, mails: Iterable[HostileMail], *, render: bool = False) -> Tally:
    """Each mail through the children, as ingest does it, in batches. With `render` also as the API shows it."""
    tally = Tally()
    frames = MailFrames("https://desk.example.com", PictureTokens(b"k" * 32))
    try:
        for batch in _batches(mails):
            answers = await pool.read([order(mail.raw) for mail in batch], "hostile")
            for mail, answer in zip(batch, answers, strict=True):
                await _judge(pool, mail, answer, tally)
                if render and isinstance(answer, ReadMail):
                    try:
                        show(frames, answer)
                    except Exception as error:
                        tally.broken.append(f"{mail.name}: shown: {error!r:.200}")
    finally:
        frames.close()
    return tally


async def _judge(pool: ParserPool, mail: HostileMail, answer: Answer, tally: Tally) -> None:
    if isinstance(answer, ReadMail):
        tally.ends["read"] += 1
    else:
        tally.ends[f"{answer.reason}: {answer.detail}"] += 1
        if answer.reason != "too_complex" or not answer.final:
            tally.broken.append(f"{mail.name}: {answer}")
        card = await pool.read_alone(order(mail.raw, headers_only=True), "hostile")
        if not isinstance(card, ReadMail):
            tally.broken.append(f"{mail.name}: no card: {card}")
            return
        answer = card
    for text in _texts(answer):
        if "\0" in text or not _encodes(text):
            tally.broken.append(f"{mail.name}: text that PostgreSQL cannot hold")
    limits = DEFAULT_LIMITS
    read = answer.mail
    if max(len(read.body_text), len(read.body_visible)) > limits.text_chars or len(read.parts) > limits.parts:
        tally.broken.append(f"{mail.name}: over a limit")
    if read.date is not None and not 1 <= read.date.astimezone(dt.UTC).year <= 9999:
        tally.broken.append(f"{mail.name}: date {read.date}")


def show(frames: MailFrames, answer: ReadMail) -> None:
    """Message, files, frames and quotes, as the API makes them for an agent."""
    mail = answer.mail
    rows = tuple(
        FileRow(uuid.uuid4(), TENANT, safe_filename(p.filename, p.content_type), p.content_type, p.size, p.disposition, p.content_id, "key")
        for p in mail.parts
    )
    for file in rows:
        content_disposition(file.filename, inline=False, content_type=file.content_type).encode("ascii")
        served_type(file.content_type).encode("ascii")
    message(_row(answer, rows), NOW).model_dump_json()
    html = MessageHtml(**_fitting(MessageHtml, html=mail.body_html, text=mail.body_text, pictures=rows))
    for part in ("visible", "quoted", "all") if mail.size < LARGE else ("all",):
        frame = frames._make(TENANT, html, True, part)
        frame.document.encode()
        assert "<script" not in frame.document.lower()
    author = mail.from_ or Address("", "nobody@example.com")
    quoted_reply_text("Yes.", author=author, date=mail.date, text=mail.body_visible).encode()
    quoted_reply_html("<p>Yes.</p>", author=author, date=mail.date, quoted_html=frame.document).encode()


def _row(answer: ReadMail, files: Sequence[FileRow]) -> MessageRow:
    mail = answer.mail
    people = [(kind, one) for kind in ("to", "cc", "bcc") for one in getattr(mail, kind)]
    return MessageRow(
        **_fitting(
            MessageRow,
            id=TENANT,
            inbox_id=TENANT,
            direction="inbound",
            kind="message",
            classification="message",
            sender_type="customer",
            from_address=mail.from_.address if mail.from_ else "",
            from_name=mail.from_.name if mail.from_ else "",
            subject=mail.subject,
            message_id_header=mail.message_id,
            in_reply_to=mail.in_reply_to[0] if mail.in_reply_to else None,
            references=mail.references,
            sent_at=mail.date or NOW,
            received_at=NOW,
            created_at=NOW,
            body_text=mail.body_text,
            body_visible=mail.body_visible,
            has_html=mail.body_html is not None,
            files=tuple(files),
            recipients=tuple(RecipientRow(kind, one.address, one.name, None, None) for kind, one in people),
            flags=(),
            defects=mail.defects,
            is_read=False,
            is_auto="none",
            duplicate_of_id=False,
            send_attempts=0,
        )
    )


def _fitting(shape: Any, **given: Any) -> dict[str, Any]:
    """All fields of a row: those given, and None for the others."""
    names = {one.name for one in dataclasses.fields(shape)}
    assert set(given) <= names, set(given) - names
    return dict.fromkeys(names) | given


def _texts(answer: ReadMail) -> Iterator[str]:
    stack: list[Any] = [answer]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, (tuple, list, frozenset)):
            stack.extend(value)
        elif dataclasses.is_dataclass(value):
            stack.extend(getattr(value, one.name) for one in dataclasses.fields(value))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _batches(mails: Iterable[HostileMail]) -> Iterator[list[HostileMail]]:
    batch: list[HostileMail] = []
    for mail in mails:
        batch.append(mail)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
