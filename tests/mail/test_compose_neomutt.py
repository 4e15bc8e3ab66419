"""An outside judge: a real mail reader, NeoMutt, is shown a customer's mail and our composed answers, and its thread tree
is read from the screen. Strict threading, so that only References and In-Reply-To count and no subject helps."""

import mailbox
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pexpect
import pyte
import pytest

from mail.compose import compose
from mail.reply_token import make_message_id
from mail.values import Address, ComposeRequest

pytestmark = [
    pytest.mark.neomutt,
    pytest.mark.skipif(
        shutil.which("neomutt") is None, reason="neomutt is not installed (Debian package neomutt)"
    ),
]

START = datetime(2025, 1, 3, 14, 5, tzinfo=UTC)
COLUMNS, ROWS = 120, 30
CUSTOMER_ID = (
    "<customer.question.with.quite.a.long.left.side.0123456789.0123456789.0123456789@mail.example.com>"
)
CUSTOMER = (
    f"Return-Path: <ann@example.com>\r\nFrom: Ann Lee <ann@example.com>\r\nTo: desk@desk.example.com\r\nSubject: Printer on fire\r\n"
    f"Date: Fri, 03 Jan 2025 14:00:00 +0000\r\nMessage-ID: {CUSTOMER_ID}\r\n\r\nHelp!\r\n"
).encode()
RC = """\
set folder="{box}" spoolfile="{box}" header_cache="" mbox_type=Maildir
set sort=threads sort_aux=date strict_threads=yes duplicate_threads=no ascii_chars=yes collapse_all=no
set hide_thread_subject=no quit=yes help=no wait_key=no mark_old=no sidebar_visible=no beep=no
set index_format="ROW %C TREE %s"
"""


def answer(index, subject, **change):
    send = f"0190f5e2-7a3b-7c11-8d22-12345678900{index}"
    return compose(
        replace(
            ComposeRequest(
                send_id=send,
                message_id=make_message_id(send, 1042, "tenant", "desk.example.com", b"k" * 32),
                date=START + timedelta(minutes=index),
                from_=Address("desk@desk.example.com", "Desk"),
                to=(Address("ann@example.com", "Ann Lee"),),
                cc=(),
                bcc=(),
                subject=subject,
                text="Pour water on it.",
                html=None,
            ),
            **change,
        ),
    )


def index_rows(box, home):
    """The index rows of NeoMutt's screen, by the text behind the row number; [] until it has drawn them all."""
    rc = home / "neomuttrc"
    rc.write_text(RC.format(box=box), encoding="utf-8")
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    environment = {
        "HOME": str(home),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    reader = pexpect.spawn(
        "neomutt",
        ["-n", "-F", str(rc), "-f", str(box)],
        env=environment,
        dimensions=(ROWS, COLUMNS),
        timeout=20,
    )
    try:
        until = time.monotonic() + 20
        rows = []
        while len(rows) < 4 and time.monotonic() < until:
            try:
                stream.feed(reader.read_nonblocking(65_536, timeout=0.3))
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                break
            rows = [
                line.partition("TREE ")[2].rstrip()
                for line in screen.display
                if line.lstrip().startswith("ROW ")
            ]
        assert len(rows) == 4, "\n".join(screen.display)
        return rows
    finally:
        reader.close(force=True)


def test_our_answers_stand_under_their_parents_in_a_real_mail_reader(tmp_path):
    first = answer(1, "Re: Printer on fire [#1042]", in_reply_to=CUSTOMER_ID)
    # A subject in other words: only the headers can put it there.
    second = answer(2, "Feuer gelöscht", in_reply_to=first.message_id, references=(CUSTOMER_ID,))
    stranger = answer(3, "Re: Printer on fire")
    box = mailbox.Maildir(tmp_path / "box")
    for raw in (CUSTOMER, first.raw, second.raw, stranger.raw):
        box.add(raw)
    rows = index_rows(tmp_path / "box", tmp_path)
    by_subject = {row.lstrip("`-|>* &?"): row for row in rows}
    assert by_subject["Printer on fire"] == "Printer on fire"
    assert by_subject["Re: Printer on fire [#1042]"] == "`->Re: Printer on fire [#1042]"
    assert by_subject["Feuer gelöscht"] == "  `->Feuer gelöscht"
    assert by_subject["Re: Printer on fire"] == "Re: Printer on fire", (
        "strict threading is off: the tree would prove nothing"
    )
