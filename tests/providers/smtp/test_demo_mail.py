"""From submission to mailbox on real servers: what is handed over arrives, and is found again by its Message-ID."""

import asyncio
from collections.abc import Callable

from providers.egress import EgressPolicy
from providers.imap.account import ImapAccount
from providers.imap.sent_copy import look_for_sent
from providers.imap.source import ImapSource
from providers.secret import Secret
from providers.smtp.account import SmtpAccount
from providers.smtp.sender import SmtpSender
from stack.demo_mail import DemoMail, MailAccount
from tests.providers.smtp.attempts import Stages


async def test_handed_over_and_read(
    demo_mail: DemoMail, mail_account: Callable[[], MailAccount], local_policy: EgressPolicy
) -> None:
    box = mail_account()
    raw = (
        f"From: {box.address}\r\nTo: {box.address}\r\nMessage-ID: <demo@example.com>\r\n"
        "Subject: x\r\n\r\n.dots\r\n.\r\nend\r\n"
    ).encode()
    account = SmtpAccount(demo_mail.host, demo_mail.smtp_port, "plain", box.address, Secret(box.password))
    sender = SmtpSender(account, local_policy)
    await sender.verify()
    outcome = await sender.submit(raw, box.address, [box.address, "refused@customers.example.com"], Stages())
    assert outcome.kind == "accepted"
    assert [one.kind for one in outcome.recipients] == ["accepted", "rejected"]
    imap = ImapAccount(demo_mail.host, demo_mail.imap_port, "plain", box.address, Secret(box.password))
    async with ImapSource(imap, local_policy) as source:
        for _ in range(100):
            if await look_for_sent(source, ["INBOX"], "<demo@example.com>"):
                break
            await asyncio.sleep(0.1)
        [mail] = (await source.fetch(await source.uids())).mails
    assert mail.raw.replace(b"\r\n", b"\n").endswith(b"\n\n.dots\n.\nend\n")
