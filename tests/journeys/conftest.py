"""One running Mailroom for the journeys that share it, and mailboxes on both kinds of IMAP server."""

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.journeys.driver import Mailbox, Mailroom
from tests.servers.dovecot import dovecot_missing


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mailroom() -> AsyncIterator[Mailroom]:
    """A real stack, started once. Journeys that kill parts start one of their own."""
    data = Path(tempfile.mkdtemp(prefix="mailroom-journey-"))
    running = Mailroom(data)
    try:
        await running.start()
        yield running
    finally:
        await running.stop()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
async def own_mailroom() -> AsyncIterator[Mailroom]:
    """A stack of this test's own, not yet started, to be killed and started again."""
    data = Path(tempfile.mkdtemp(prefix="mailroom-journey-"))
    running = Mailroom(data)
    try:
        yield running
    finally:
        await running.stop()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def customer(demo_mail) -> Mailbox:
    """A customer with a mailbox on the demo servers, to which answers really arrive."""
    account = demo_mail.add_account(f"customer-{uuid.uuid4().hex[:8]}@customers.example.com")
    return Mailbox(
        account.address, account.password, demo_mail.host, demo_mail.imap_port, account.maildir,
        lambda raw, **how: demo_mail.deliver(account.address, raw, **how),
    )


@pytest.fixture
def pymap_box(demo_mail) -> Mailbox:
    account = demo_mail.add_account(f"support-{uuid.uuid4().hex[:8]}@mailroom.example.com")
    return Mailbox(
        account.address, account.password, demo_mail.host, demo_mail.imap_port, account.maildir,
        lambda raw, **how: demo_mail.deliver(account.address, raw, **how),
    )


@pytest.fixture
def dovecot_box(dovecot) -> Mailbox:
    account = dovecot.add_account(f"support-{uuid.uuid4().hex[:8]}@mailroom.example.com")
    return Mailbox(
        account.user, account.password, dovecot.host, dovecot.port, account.maildir,
        lambda raw, **how: dovecot.deliver(account, raw, **how),
    )


@pytest.fixture(params=["pymap", pytest.param("dovecot", marks=pytest.mark.dovecot)])
def box(request) -> Mailbox:
    """The team's mailbox, on the poor and on the good IMAP server."""
    return request.getfixturevalue(f"{request.param}_box")


@pytest.fixture
def quick_box(request) -> Mailbox:
    """For many mails: Dovecot where it is installed, else pymap, which lists a thousand mails in many seconds."""
    return request.getfixturevalue("pymap_box" if dovecot_missing() else "dovecot_box")


@pytest.fixture
def smtp(demo_mail) -> Callable[[], tuple[str, int, str, str]]:
    """Host, port, user and password of a submission account."""

    def account() -> tuple[str, int, str, str]:
        login = demo_mail.add_account("submission@mailroom.example.com")
        return demo_mail.host, demo_mail.smtp_port, login.address, login.password

    return account
