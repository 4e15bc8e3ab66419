"""Every shared fixture gives what it says, so that a failure elsewhere is not the fixture's."""

import socket
import ssl
from collections.abc import Callable
from typing import Any

import boto3
import botocore.client
import botocore.exceptions
import imapclient
import psycopg
import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from stack.demo_mail import DemoMail, MailAccount
from tests.conftest import S3Server
from tests.servers.databases import Database
from tests.servers.dovecot import Dovecot
from tests.servers.socket_guard import OutsideConnection

MAIL = b"From: a@example.com\r\nSubject: hello\r\nMessage-ID: <f@example.com>\r\n\r\nbody\r\n"


def test_sockets_reach_localhost_only() -> None:
    with socket.socket() as sock, pytest.raises(OutsideConnection):
        sock.connect(("192.0.2.1", 80))
    with pytest.raises(OutsideConnection):
        socket.getaddrinfo("mail.example.com", 993)


def test_database_is_fresh_and_its_user_owns_nothing(database: Database) -> None:
    with psycopg.connect(database.dsn) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("mailroom_app",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")
    with psycopg.connect(database.admin_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


async def test_temporal_serves_with_our_search_attributes(temporal_client: Client) -> None:
    found = await temporal_client.count_workflows("TenantId = 'x' AND Health = 'ok' AND Provider = 'imap'")
    assert found.count == 0


async def test_time_skipping_server_answers(time_skipping_env: WorkflowEnvironment) -> None:
    before = await time_skipping_env.get_current_time()
    await time_skipping_env.sleep(86_400)
    assert (await time_skipping_env.get_current_time() - before).days >= 1


def _s3(server: S3Server, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret,
        region_name=server.region,
        config=botocore.client.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def test_s3_takes_signed_requests_only(s3_server: S3Server) -> None:
    client = _s3(s3_server, s3_server.secret_key)
    client.put_object(Bucket=s3_server.bucket, Key="fixtures/one", Body=b"one")
    assert client.get_object(Bucket=s3_server.bucket, Key="fixtures/one")["Body"].read() == b"one"
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        _s3(s3_server, "wrong").get_object(Bucket=s3_server.bucket, Key="fixtures/one")


def test_demo_mailboxes_are_one_s_own(demo_mail: DemoMail, mail_account: Callable[[], MailAccount]) -> None:
    account = mail_account()
    demo_mail.deliver(account.address, MAIL)
    with imapclient.IMAPClient(demo_mail.host, demo_mail.imap_port, ssl=False) as client:
        client.login(account.address, account.password)
        client.select_folder("INBOX")
        (uid,) = client.search()
        assert client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"] == MAIL
        appended = b"From: b@example.com\r\nSubject: \xff\r\n\r\nFrom here\r\nno end"
        client.append("Sent", appended, [b"\\Seen"])
        client.copy([uid], "Archive")
        for folder, content in (("Sent", appended), ("Archive", MAIL)):
            client.select_folder(folder)
            (uid,) = client.search()
            assert client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"] == content


@pytest.mark.dovecot
def test_dovecot_speaks_what_the_demo_server_does_not(dovecot: Dovecot) -> None:
    account = dovecot.add_account()
    dovecot.deliver(account, MAIL)
    context = ssl.create_default_context(cafile=str(dovecot.certificates.authority))
    with imapclient.IMAPClient("localhost", dovecot.tls_port, ssl_context=context) as client:
        client.login(account.user, account.password)
        assert {b"CONDSTORE", b"QRESYNC", b"IDLE", b"UIDPLUS", b"MOVE", b"SPECIAL-USE"} <= set(client.capabilities())
        assert client.find_special_folder(b"\\Sent") == "Sent"
        flags = {name: flags for flags, _, name in client.list_folders()}
        assert b"\\Sent" in flags["Sent"]
        before = client.select_folder("INBOX")[b"UIDVALIDITY"]
        (uid,) = client.search()
        assert client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"] == MAIL
        client.append("Sent", MAIL)
        client.unselect_folder()
    dovecot.forget_uids(account)
    with imapclient.IMAPClient("localhost", dovecot.port, ssl=False) as client:
        client.starttls(context)
        client.login(account.user, account.password)
        assert client.select_folder("INBOX")[b"UIDVALIDITY"] != before
        assert len(client.search()) == 1


@pytest.mark.dovecot
def test_dovecot_mailboxes_need_their_password(dovecot: Dovecot) -> None:
    account = dovecot.add_account()
    with imapclient.IMAPClient(dovecot.host, dovecot.port, ssl=False) as client, pytest.raises(
        imapclient.exceptions.LoginError
    ):
        client.login(account.user, "wrong")
