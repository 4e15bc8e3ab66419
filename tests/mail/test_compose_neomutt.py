"""An outside judge: a real mail reader, NeoMutt, is shown a customer's mail and our composed answers, and its thread tree
is read from the screen. Strict threading, so that only References and In-Reply-To count and no subject helps."""

import mailbox
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mail.compose import compose
from mail.reply_token import make_message_id
from mail.values import Address, ComposeRequest
from tests.servers.neomutt import index_rows, needs_neomutt

pytestmark = [pytest.mark.neomutt, needs_neomutt]

START = datetime(2025, 1, 3, 14, 5, tzinfo=UTC)
CUSTOMER_ID = (
    "<customer.question.with.quite.a.long.left.side.0123456789.0123456789.0123456789@mail.example.com>"
)
CUSTOMER = (
    f"Return-Path: <ann@example.com>\r\nFrom: Ann Lee <ann@example.com>\r\nTo: desk@desk.example.com\r\nSubject: Printer on fire\r\n"
    f"Date: Fri, 03 Jan 2025 14:00:00 +0000\r\nMessage-ID: {CUSTOMER_ID}\r\n\r\nHelp!\r\n"
).encode()
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


def test_our_answers_stand_under_their_parents_in_a_real_mail_reader(tmp_path):
    first = answer(1, "Re: Printer on fire [#1042]", in_reply_to=CUSTOMER_ID)
    # A subject in other words: only the headers can put it there.
    second = answer(2, "Feuer gelöscht", in_reply_to=first.message_id, references=(CUSTOMER_ID,))
    stranger = answer(3, "Re: Printer on fire")
    box = mailbox.Maildir(tmp_path / "box")
    for raw in (CUSTOMER, first.raw, second.raw, stranger.raw):
        box.add(raw)
    rows = index_rows(tmp_path / "box", tmp_path, 4)
    by_subject = {row.lstrip("`-|>* &?"): row for row in rows}
    assert by_subject["Printer on fire"] == "Printer on fire"
    assert by_subject["Re: Printer on fire [#1042]"] == "`->Re: Printer on fire [#1042]"
    assert by_subject["Feuer gelöscht"] == "  `->Feuer gelöscht"
    assert by_subject["Re: Printer on fire"] == "Re: Printer on fire", (
        "strict threading is off: the tree would prove nothing"
    )
