"""Mailboxes on each kind of IMAP server, reached as the product reaches them."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from providers.egress import EgressPolicy
from providers.imap.account import ImapAccount
from providers.imap.source import ImapSource
from providers.secret import Secret
from stack.demo_mail import DemoMail, MailAccount
from tests.providers.imap.scripted_imap import ScriptedImap
from tests.servers.dovecot import Dovecot, DovecotAccount


@pytest_asyncio.fixture(loop_scope="session")
async def scripted_imap() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as server:
        yield server


@pytest.fixture
def scripted_account(scripted_imap: ScriptedImap) -> ImapAccount:
    return ImapAccount("127.0.0.1", scripted_imap.port, "plain", "ann", Secret("hunter2"), timeout=10.0)


@pytest.fixture
def source(scripted_account: ImapAccount, local_policy: EgressPolicy) -> ImapSource:
    return ImapSource(scripted_account, local_policy)


@pytest.fixture
def pymap_box(
    demo_mail: DemoMail, mail_account: Callable[[], MailAccount]
) -> tuple[ImapAccount, Callable[[bytes], None]]:
    """An empty mailbox on the poor server (no CONDSTORE, bare LF), and a way to deliver into it."""
    box = mail_account()
    account = ImapAccount(demo_mail.host, demo_mail.imap_port, "plain", box.address, Secret(box.password))
    return account, lambda raw: demo_mail.deliver(box.address, raw)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def unused_boxes(dovecot: Dovecot) -> list[DovecotAccount]:
    """Accounts for all tests at once: Dovecot looks at its list of users only once a second, and a sign-in that
    comes too early is refused and then slowed down for the whole address."""
    boxes = [dovecot.add_account() for _ in range(24)]
    await asyncio.sleep(1.2)
    return boxes


@pytest.fixture
def dovecot_box(
    dovecot: Dovecot, unused_boxes: list[DovecotAccount]
) -> tuple[ImapAccount, Dovecot, DovecotAccount]:
    """An empty mailbox on the rich server (CONDSTORE, QRESYNC, SPECIAL-USE, ESEARCH)."""
    box = unused_boxes.pop()
    account = ImapAccount(dovecot.host, dovecot.port, "plain", box.user, Secret(box.password))
    return account, dovecot, box
