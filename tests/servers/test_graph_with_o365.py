"""The Graph stand-in read and written by O365, a client of Graph that others wrote: what it makes of our JSON must be what was put in.

It knows no delta queries and no subscriptions; their JSON is compared with the documentation's at the end. Its send of an unsaved
mail (`sendMail`) is not tried: Mailroom sends drafts only.
"""

import base64
import datetime as dt
import email
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from O365 import Connection, MSGraphProtocol
from O365.mailbox import MailBox
from O365.utils.token import MemoryTokenBackend
from requests.exceptions import HTTPError

from tests.servers.graph_mailbox import GraphMailbox
from tests.servers.graph_server import GraphServer

ADDRESS = "support@example.com"
NOON = dt.datetime(2025, 3, 4, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server
        assert server.forgotten == []


@pytest.fixture
def box(graph: GraphServer) -> GraphMailbox:
    return graph.mailbox(ADDRESS, display_name="Support")


@pytest.fixture
def outside(graph: GraphServer, box: GraphMailbox) -> Iterator[MailBox]:
    connection = Connection(
        ("client", "secret"), token_backend=MemoryTokenBackend(), requests_delay=0, request_retries=0, timeout=10,
        default_headers={"Prefer": 'IdType="ImmutableId"'},
    )  # fmt: skip
    with requests.Session() as session, requests.Session() as naive:
        for one in (session, naive):
            one.trust_env = False
        session.headers["Authorization"] = f"Bearer {graph.login.access_token(ADDRESS)}"
        connection.session, connection.naive_session = session, naive
        protocol = MSGraphProtocol(timezone="UTC")
        protocol.service_url = graph.root
        yield MailBox(con=connection, protocol=protocol, main_resource="me")


def written(subject: str = "Printer", *, html: bool = False, inline: bool = False, attached: bool = False) -> bytes:
    message = EmailMessage()
    message["From"] = "Kim Doe <kim@example.org>"
    message["To"] = f"Support <{ADDRESS}>, second@example.org"
    message["Cc"] = "third@example.org"
    message["Reply-To"] = "kim.private@example.org"
    message["Subject"] = subject
    message["Message-ID"] = "<printer@example.org>"
    message["X-Odd"] = "kept"
    message.set_content("It   is\n on fire. " + "x" * 400)
    if html:
        message.add_alternative("<p>It is on <b>fire</b>.</p>", subtype="html")
    if inline:
        message.add_attachment(b"\x89PNG", maintype="image", subtype="png", cid="<pic@example.org>", disposition="inline", filename="pic.png")
    if attached:
        message.add_attachment(b"1,2\n", maintype="text", subtype="csv", filename="Übersicht.csv")
    return message.as_bytes()


def test_folders(box: GraphMailbox, outside: MailBox) -> None:
    team = box.add_folder("Team", "inbox")
    box.add_folder("Deep", team)
    box.add_folder("Hidden", hidden=True)
    box.deliver(written(), "inbox")
    box.deliver(written("Second"), "inbox", read=True)
    folders = {one.name: one for one in outside.get_folders(limit=999)}
    assert "Hidden" not in folders
    inbox = folders["Inbox"]
    assert (inbox.folder_id, inbox.child_folders_count, inbox.unread_items_count, inbox.total_items_count) == (box.well_known["inbox"], 1, 1, 2)
    (child,) = inbox.get_folders()
    assert (child.name, child.parent_id) == ("Team", inbox.folder_id)
    assert [one.name for one in child.get_folders()] == ["Deep"]
    well_known = outside.get_folder(folder_id="sentitems")
    assert (well_known.name, well_known.folder_id) == ("Sent Items", box.well_known["sentitems"])
    with pytest.raises(HTTPError) as caught:
        outside.get_folder(folder_id="AAMk-nowhere")
    assert caught.value.response.status_code == 404


def test_the_pages_of_a_folder_have_each_mail_once_newest_first(box: GraphMailbox, outside: MailBox) -> None:
    for number in range(7):
        box.deliver(written(f"Mail{number}"), received_at=NOON + dt.timedelta(minutes=number))
    box.deliver(written("Elsewhere"), "archive")
    listed = [one.subject for one in outside.inbox_folder().get_messages(limit=99, batch=3)]
    assert listed == [f"Mail{number}" for number in reversed(range(7))]


def test_a_mail_is_read_as_it_was_written(box: GraphMailbox, outside: MailBox) -> None:
    raw = written("Überraschung", html=True, attached=True)
    item = box.deliver(raw, received_at=NOON, categories=["Blue"])
    mail = outside.get_message(item.immutable_id)
    assert (mail.subject, mail.internet_message_id) == ("Überraschung", "<printer@example.org>")
    assert (mail.sender.name, mail.sender.address) == ("Kim Doe", "kim@example.org")
    assert [(one.name, one.address) for one in mail.to] == [("Support", ADDRESS), ("second@example.org", "second@example.org")]
    assert [one.address for one in mail.cc] == ["third@example.org"]
    assert [one.address for one in mail.reply_to] == ["kim.private@example.org"]
    assert (mail.body_type.lower(), mail.body.strip()) == ("html", "<p>It is on <b>fire</b>.</p>")
    assert len(mail.body_preview) <= 255
    assert "on fire. xxx" in mail.body_preview
    assert (mail.received, mail.sent, mail.created) == (NOON, NOON, NOON)
    assert (mail.is_read, mail.is_draft, mail.has_attachments) == (False, False, True)
    assert (mail.categories, mail.flag.is_flagged, mail.folder_id) == (["Blue"], False, box.well_known["inbox"])
    assert mail.importance.value == "normal"
    assert mail.conversation_id
    assert mail.web_link.startswith("https://")
    assert mail.get_mime_content() == raw
    assert mail.attachments.download_attachments()
    (attachment,) = mail.attachments
    assert (attachment.name, attachment.size, attachment.is_inline) == ("Übersicht.csv", 4, False)
    assert base64.b64decode(attachment.content) == b"1,2\n"


def test_inline_pictures_are_no_attachments(box: GraphMailbox, outside: MailBox) -> None:
    """`hasAttachments` "doesn't include inline attachments" (message resource type)."""
    item = box.deliver(written(html=True, inline=True))
    assert got(outside, f"messages/{item.immutable_id}")["hasAttachments"] is False
    assert got(outside, f"messages/{box.deliver(written('B', inline=True, attached=True)).immutable_id}")["hasAttachments"] is True


def got(outside: MailBox, path: str) -> dict[str, Any]:
    session = outside.con.session
    headers = {"Authorization": session.headers["Authorization"], "Prefer": 'IdType="ImmutableId"'}
    answer = httpx.get(path if path.startswith("http") else f"{outside.protocol.service_url}me/{path}".rstrip("/"), headers=headers)
    assert answer.status_code == 200, answer.text
    value: dict[str, Any] = answer.json()
    return value


def test_state_is_written_and_a_mail_moves_under_its_immutable_id(box: GraphMailbox, outside: MailBox) -> None:
    item = box.deliver(written())
    mail = outside.get_message(item.immutable_id)
    assert mail.mark_as_read()
    mail.categories = ["Red", "Blue"]
    mail.flag.set_flagged()
    assert mail.save_message()
    assert (item.is_read, item.categories, item.flag) == (True, ["Red", "Blue"], "flagged")
    assert mail.move(outside.archive_folder())
    assert (mail.object_id, item.folder) == (item.immutable_id, box.well_known["archive"])
    assert outside.get_message(item.immutable_id).is_read
    assert mail.delete()
    with pytest.raises(HTTPError):
        outside.get_message(item.immutable_id)


def test_a_draft_with_small_and_large_attachments_goes_out_once(box: GraphMailbox, outside: MailBox, tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_bytes(b"small")
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 4 * 3500)
    mail = outside.new_message()
    mail.to.add([("Ann", "ann@example.org"), "ben@example.org"])
    mail.bcc.add("secret@example.org")
    mail.subject = "Grüße"
    mail.body = "<p>Hello</p>"
    mail.add_message_header("x-desk", "1")
    assert mail.save_draft()
    assert mail.created is not None
    draft = box.find(mail.object_id)
    assert draft.is_draft
    assert draft.folder == box.well_known["drafts"]
    mail.attachments.add([tmp_path / "small.txt", tmp_path / "large.bin"])
    assert mail.save_draft()
    assert mail.send()
    (accepted,) = box.accepted
    assert set(accepted.recipients) == {"ann@example.org", "ben@example.org", "secret@example.org"}
    sent = email.message_from_bytes(accepted.raw, policy=email.policy.default)
    assert isinstance(sent, EmailMessage)
    assert (sent["Subject"], sent["Bcc"], sent["X-Desk"]) == ("Grüße", None, "1")
    assert {one.get_filename(): len(one.get_content()) for one in sent.iter_attachments()} == {"small.txt": 5, "large.bin": 3_584_000}
    assert box.find(mail.object_id).folder == box.well_known["sentitems"]
    with pytest.raises(HTTPError):
        outside.con.post(outside.build_url(f"/messages/{mail.object_id}/send"))
    assert len(box.accepted) == 1


# What the documentation shows of a mail without $select ("Get message", example 1); `@odata.context` stands beside them.
DOCUMENTED = {
    "@odata.etag", "id", "createdDateTime", "lastModifiedDateTime", "changeKey", "categories", "receivedDateTime", "sentDateTime",
    "hasAttachments", "internetMessageId", "subject", "bodyPreview", "importance", "parentFolderId", "conversationId",
    "conversationIndex", "isDeliveryReceiptRequested", "isReadReceiptRequested", "isRead", "isDraft", "webLink",
    "inferenceClassification", "body", "sender", "from", "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "flag",
}  # fmt: skip


def test_a_mail_has_the_documented_properties(box: GraphMailbox, outside: MailBox) -> None:
    item = box.deliver(written())
    whole = got(outside, f"messages/{item.immutable_id}")
    assert set(whole) == DOCUMENTED | {"@odata.context"}
    some = got(outside, f"messages/{item.immutable_id}?$select=subject,internetMessageHeaders")
    assert set(some) == {"@odata.context", "@odata.etag", "id", "subject", "internetMessageHeaders"}
    assert {"name": "X-Odd", "value": "kept"} in some["internetMessageHeaders"]
    listed = got(outside, "mailFolders/inbox/messages")
    assert set(listed["value"][0]) == DOCUMENTED
    assert "$metadata" in listed["@odata.context"]
    person = got(outside, "")
    assert {"@odata.context", "id", "displayName", "mail", "userPrincipalName", "givenName", "surname"} <= set(person)
    chosen = got(outside, "../me?$select=mail")
    assert set(chosen) == {"@odata.context", "mail"}


def test_a_delta_round_has_the_documented_form(box: GraphMailbox, outside: MailBox) -> None:
    first, second = box.deliver(written()), box.deliver(written("Second"))
    begin = got(outside, "mailFolders/inbox/messages/delta?$select=subject")
    assert "$metadata#Collection(message)" in begin["@odata.context"]
    assert set(begin) == {"@odata.context", "@odata.deltaLink", "value"}
    for one in begin["value"]:
        assert set(one) == {"@odata.type", "@odata.etag", "id", "subject"}
        assert one["@odata.type"] == "#microsoft.graph.message"
    box.delete(first.immutable_id)
    box.move(second.immutable_id, "archive")
    again = got(outside, begin["@odata.deltaLink"])
    assert {one["id"]: one["@removed"]["reason"] for one in again["value"]} == {first.immutable_id: "deleted", second.immutable_id: "changed"}


def test_what_microsofts_own_client_writes_is_taken(box: GraphMailbox, outside: MailBox) -> None:
    """msgraph-sdk names the type of what it writes, and an action's parameters with a capital letter; both seen at 1.65."""
    item = box.deliver(written())
    outside.con.patch(outside.build_url(f"/messages/{item.immutable_id}"), data={"@odata.type": "#microsoft.graph.message", "isRead": True})
    outside.con.post(outside.build_url(f"/messages/{item.immutable_id}/move"), data={"DestinationId": "archive"})
    assert (item.is_read, item.folder) == (True, box.well_known["archive"])
    with pytest.raises(HTTPError) as caught:
        outside.con.post(outside.build_url(f"/messages/{item.immutable_id}/move"), data={})
    assert caught.value.response.status_code == 400
