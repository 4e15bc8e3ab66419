"""What runs inside a limited child process: bytes in, a read and classified mail out, or the reason why not.

Imports mail knowledge only, so that a child is small and soon there. It holds no connection, so killing it at any
moment changes nothing anywhere.
"""

import gc
import hashlib
import resource
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from pickle import PickleBuffer

from activities.tray import Tray
from mail.classify import ClassifyContext, classify
from mail.limits import TooComplex
from mail.parse import parse_headers_only, parse_mail
from mail.threads import ThreadHints, thread_hints
from mail.values import MailKind, ParsedMail, Part, Verdict

SEND_ID_HEADER = "X-Mailroom-Send-ID"
AUTHENTICATION_HEADER = "Authentication-Results"
KEPT_OF_A_HEADER = 2_000
LARGEST_LEFT_IN_MAIL = 8 * 1024 * 1024  # whoever asks for it first decodes it while somebody waits
READY = "ready"
UNREADABLE = Verdict(MailKind.MESSAGE, "unreadable", may_answer=False, silence_reason="unreadable")


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """A mail to read. `headers_only` makes the card of one that cannot be read; `tenant` is what its tokens were signed for;
    `raw_sha256` is known of bytes that were checked. `raw` may lie in a pack, and goes to a child beside its order.
    """

    raw: bytes | memoryview
    tenant: str
    folder_role: str
    own_addresses: frozenset[str]
    labels: tuple[str, ...] = ()
    headers_only: bool = False
    raw_sha256: str | None = None

    def __reduce__(self) -> tuple[type["ReadOrder"], tuple[object, ...]]:
        rest = (self.tenant, self.folder_role, self.own_addresses, self.labels, self.headers_only, self.raw_sha256)
        return ReadOrder, (PickleBuffer(self.raw), *rest)


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A mail with its verdict. `mail.headers` is emptied: what is needed of them stands beside it. Parts have either their
    content or their place in the raw mail.
    """

    mail: ParsedMail
    verdict: Verdict
    hints: ThreadHints
    send_id: str | None
    authentication: str | None


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a mail was not read. `final`: trying again gives the same. Nothing here quotes the mail."""

    reason: str
    detail: str = ""
    stack_hash: str | None = None
    final: bool = False


Answer = ReadMail | Unread


class _Limits:
    """Set once per child by `configure`; before that nothing is limited, so that reading elsewhere limits nobody.

    `spent` are the whole seconds of CPU from which the limit counts now.
    """

    cpu_seconds = 0
    spent = -1
    secret = b""


def configure(memory_bytes: int, cpu_seconds: int, secret: bytes) -> None:
    """The child's first act: memory is limited to what it has now plus `memory_bytes` (integrity I-5)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would be a mail on the disk
    _Limits.cpu_seconds = cpu_seconds
    _Limits.secret = secret


def serve(
    pipe: Connection,
    tray: Tray,
    begin: Callable[[int, int, bytes], None],
    limits: tuple[int, int, bytes],
    wall_seconds: float,
) -> None:
    """A child's life: read chunk after chunk until the other end of the pipe closes, as it does when the worker dies.

    The alarm is for a child whose worker died while it hung: nobody else would end it.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the worker decides when we end
    begin(*limits)
    gc.freeze()  # what was imported stays; a mail leaves little garbage that counting references does not free
    gc.set_threshold(10_000, 10, 10)
    pipe.send(READY)
    while True:
        try:
            laid = pipe.recv()
        except EOFError:
            return
        signal.alarm(int(wall_seconds) + 5)
        answers = read_chunk(tray.take(laid))
        signal.alarm(0)
        try:
            pipe.send(answers)
        except OSError:
            return


def read_chunk(orders: Sequence[ReadOrder]) -> list[Answer]:
    """Read some mails, each under its own CPU limit. An error of one is its answer; a death takes the chunk along."""
    return [_read(order) for order in orders]


def _read(order: ReadOrder) -> Answer:
    if _Limits.cpu_seconds:
        _limit_cpu(_Limits.cpu_seconds)
    try:
        return _card(order) if order.headers_only else _whole(order)
    except TooComplex as too:
        return Unread("too_complex", f"over the limit: {too.reason}", final=True)
    except MemoryError:
        return Unread("parser_memory", "reading it needs more memory than a parser may have")
    except Exception as error:  # a defect of the parser must cost one mail only, never its neighbours
        return Unread("parser_error", type(error).__name__, _stack_hash(error))


def _limit_cpu(seconds: int) -> None:
    """The kernel counts a process's CPU over its whole life, in whole seconds: the limit moves on with them."""
    spent = int(time.process_time())
    if spent == _Limits.spent:
        return
    _Limits.spent = spent
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + 1 + seconds, most))


def _whole(order: ReadOrder) -> ReadMail:
    mail = parse_mail(bytes(order.raw), raw_sha256=order.raw_sha256)
    context = ClassifyContext(
        own_addresses=order.own_addresses,
        folder_role=order.folder_role,
        labels=order.labels,
        loop_secret=_Limits.secret,
    )
    return _told(mail, classify(mail, context), order)


def _card(order: ReadOrder) -> ReadMail:
    return _told(parse_headers_only(bytes(order.raw)), UNREADABLE, order)


def _told(mail: ParsedMail, verdict: Verdict, order: ReadOrder) -> ReadMail:
    authentication = mail.header(AUTHENTICATION_HEADER)
    return ReadMail(
        mail=replace(mail, headers=(), parts=tuple(_light(part) for part in mail.parts)),
        verdict=verdict,
        hints=thread_hints(mail, token_secret=_Limits.secret, tenant=order.tenant),
        send_id=(mail.header(SEND_ID_HEADER) or "").strip() or None,
        authentication=authentication[:KEPT_OF_A_HEADER] if authentication else None,
    )


def _light(part: Part) -> Part:
    """Without its bytes where they can be had from the raw mail at any time; a large one is stored at once instead."""
    if part.place is None:
        return part
    if part.place.length > LARGEST_LEFT_IN_MAIL:
        return replace(part, place=None)
    return replace(part, content=b"")


def empty_card(raw_sha256: str, size: int) -> ReadMail:
    """The card of a mail of which not even the headers can be read. Reads nothing, so it cannot fail."""
    mail = ParsedMail(
        raw_sha256=raw_sha256,
        size=size,
        message_id=None,
        content_id=raw_sha256,
        in_reply_to=(),
        references=(),
        subject="",
        from_=None,
        sender=None,
        reply_to=(),
        to=(),
        cc=(),
        bcc=(),
        date=None,
        return_path=None,
        headers=(),
        content_type="",
        content_type_params=(),
        body_text="",
        body_html=None,
        body_visible="",
        parts=(),
        received_count=0,
        defects=("headers_only",),
    )
    return ReadMail(mail, UNREADABLE, ThreadHints(None, (), None, None, ""), None, None)


def _stack_hash(error: Exception) -> str:
    """Equal defects share it, whatever mail triggered them."""
    frames = [f"{f.filename}:{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    return hashlib.sha256("|".join([type(error).__name__, *frames]).encode()).hexdigest()[:16]
