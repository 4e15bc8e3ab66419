"""A mail taken apart into Graph's JSON."""

from email.message import EmailMessage

from providers.graph.draft_json import sender_of, taken_apart


def test_text_alone_stays_text():
    made = taken_apart(b"From: Team <team@example.com>\r\nTo: a@example.org, B <b@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nhello\r\n")
    assert made.message["body"]["contentType"] == "text"
    assert made.message["body"]["content"].strip() == "hello"
    assert made.message["subject"] == "Grüße"
    assert made.message["from"] == {"emailAddress": {"name": "Team", "address": "team@example.com"}}
    assert [one["emailAddress"]["address"] for one in made.message["toRecipients"]] == ["a@example.org", "b@example.org"]
    assert "internetMessageHeaders" not in made.message
    assert not made.files


def test_inline_pictures_keep_their_content_id():
    message = EmailMessage()
    message["From"] = "team@example.com"
    message.set_content("x")
    message.add_alternative("<img src='cid:pic@example.com'>", subtype="html")
    message.get_payload()[1].add_related(b"PNG", "image", "png", cid="<pic@example.com>", filename="pic.png")
    message.add_attachment(b"PDF", maintype="application", subtype="pdf", filename="a.pdf")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inside")
    message.add_attachment(inner)
    files = {one.name: one for one in taken_apart(message.as_bytes()).files}
    assert (files["pic.png"].content_id, files["pic.png"].inline) == ("pic@example.com", True)
    assert (files["a.pdf"].content, files["a.pdf"].inline) == (b"PDF", False)
    [eml] = [one for one in files.values() if one.content_type == "message/rfc822"]
    assert b"Subject: inner" in eml.content


def test_bcc_and_reply_to_are_recipients_of_their_own():
    made = taken_apart(b"From: t@example.com\r\nBcc: c@example.org\r\nReply-To: r@example.org\r\n\r\nx\r\n").message
    assert made["bccRecipients"][0]["emailAddress"]["address"] == "c@example.org"
    assert made["replyTo"][0]["emailAddress"]["address"] == "r@example.org"


def test_the_sender_is_read_without_reading_the_body():
    assert sender_of(b"From: Team <Team@Example.com>\r\n\r\nFrom: other@example.com\r\n") == "team@example.com"
    assert sender_of(b"Subject: x\r\n\r\n") == ""
