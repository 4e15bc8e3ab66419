"""The demo mail servers do what the demo and the journeys lean on."""

import contextlib
import select
import smtplib
import time
from collections.abc import Callable, Iterator

import imapclient
import pytest

from stack.demo_mail import DemoMail, MailAccount

MAIL = b"From: a@example.com\r\nSubject: hello\r\n\r\nFrom the start\r\n.\xe4\r\n"
NewAccount = Callable[[], MailAccount]


@contextlib.contextmanager
def _smtp(demo: DemoMail) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(demo.host, demo.smtp_port, local_hostname="client.example.com", timeout=10) as client:
        yield client


@contextlib.contextmanager
def _imap(demo: DemoMail, account: MailAccount) -> Iterator[imapclient.IMAPClient]:
    with imapclient.IMAPClient(demo.host, demo.imap_port, ssl=False, timeout=10) as client:
        client.login(account.address, account.password)
        yield client


def test_mail_by_smtp_arrives_byte_for_byte(demo_mail: DemoMail, mail_account: NewAccount) -> None:
    sender, receiver = mail_account(), mail_account()
    with _smtp(demo_mail) as client:
        client.login(sender.address, sender.password)
        client.sendmail(sender.address, [receiver.address.upper()], MAIL)
    with _imap(demo_mail, receiver) as client:
        client.select_folder("INBOX")
        (uid,) = client.search()
        raw = client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"]
    assert raw == f"Return-Path: <{sender.address}>\r\n".encode() + MAIL


def test_a_wrong_password_is_refused_by_both(demo_mail: DemoMail, mail_account: NewAccount) -> None:
    account = mail_account()
    with _smtp(demo_mail) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(account.address, "wrong")
    with imapclient.IMAPClient(demo_mail.host, demo_mail.imap_port, ssl=False) as imap, pytest.raises(
        imapclient.exceptions.LoginError
    ):
        imap.login(account.address, "wrong")


def test_chosen_recipients_answer_as_set(demo_mail: DemoMail, mail_account: NewAccount) -> None:
    good = mail_account()
    with _smtp(demo_mail) as client:
        client.ehlo()
        client.mail(good.address)
        assert client.rcpt("refused@customers.example.com")[0] == 550
        assert client.rcpt("later@customers.example.com")[0] == 451
        assert client.rcpt("stranger@elsewhere.example.com") == (550, b"5.1.1 No such user here")
        assert client.rcpt(good.address)[0] == 250
        client.rset()
        demo_mail.set_reply(good.address, "452 4.2.2 Mailbox full")
        client.mail(good.address)
        assert client.rcpt(good.address) == (452, b"4.2.2 Mailbox full")
        demo_mail.set_reply(good.address, None)
        assert client.rcpt(good.address)[0] == 250


def test_history_keeps_its_date_and_flags(demo_mail: DemoMail, mail_account: NewAccount) -> None:
    account = mail_account()
    demo_mail.deliver(account.address, MAIL, folder="Sent", seen=True)
    with _imap(demo_mail, account) as client:
        assert {"INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive"} <= {name for _, _, name in client.list_folders()}
        client.select_folder("Sent")
        (uid,) = client.search()
        assert b"\\Seen" in client.get_flags([uid])[uid]


def test_idle_hears_a_delivery(demo_mail: DemoMail, mail_account: NewAccount) -> None:
    account = mail_account()
    with _imap(demo_mail, account) as client:
        client.select_folder("INBOX")
        client.idle()
        demo_mail.deliver(account.address, MAIL)
        began = time.monotonic()
        readable, _, _ = select.select([client.socket()], [], [], 10)
        assert readable
        assert time.monotonic() - began < 5
        client.shutdown()  # leaving IDLE in good order is not what is tested
