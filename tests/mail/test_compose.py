"""Composed mails: S-10 (nothing breaks a header), equal bytes for equal requests, structure that every reader opens."""

import email
import hashlib
import pickle
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import policy
from email.utils import getaddresses, parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.compose import ComposeError, HeaderInjection, compose
from mail.values import Address, ComposeFile, ComposeRequest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
REQUEST = ComposeRequest(
    send_id="0190f5e2-7a3b-7c11-8d22-1234567890ab",
    message_id="<0190f5e27a3b7c118d221234567890ab.1042.token@desk.example.com>",
    date=datetime(2025, 1, 3, 14, 5, tzinfo=UTC),
    from_=Address("support@desk.example.com", "Desk, Support"),
    to=(Address("ann@example.com", "Ann Lee"),),
    cc=(),
    bcc=(),
    subject="Re: Printer on fire [#1042]",
    text="Hello Ann,\n\nplease pour water on it.\n",
    html=None,
)


def parsed(raw):
    return email.message_from_bytes(raw, policy=policy.default)


def leaf(message, content_type):
    return next(p for p in message.walk() if p.get_content_type() == content_type)


def assert_wire_form(raw):
    """CRLF only, no NUL, no line above 998 octets, one blank line between headers and body."""
    assert b"\0" not in raw
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\r\n\r\n" in raw


def test_a_plain_answer_has_text_and_html_and_its_headers():
    composed = compose(replace(REQUEST, in_reply_to="<p@example.com>", references=("<root@example.com>",)))
    message = parsed(composed.raw)
    assert_wire_form(composed.raw)
    assert message.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]
    assert leaf(message, "text/plain").get_content().splitlines() == [
        "Hello Ann,",
        "",
        "please pour water on it.",
    ]
    assert "<p>Hello Ann,</p>" in leaf(message, "text/html").get_content()
    assert message["In-Reply-To"] == "<p@example.com>"
    assert message["References"].split() == ["<root@example.com>", "<p@example.com>"]
    assert message["X-Mailroom-Send-ID"] == REQUEST.send_id
    assert message["Message-ID"] == REQUEST.message_id == composed.message_id
    assert message["Subject"] == "Re: Printer on fire [#1042]"
    assert parsedate_to_datetime(message["Date"]) == REQUEST.date
    assert message["From"].addresses[0].display_name == "Desk, Support"
    assert message.get_all("MIME-Version") == ["1.0"]
    assert composed.raw.count(b"MIME-Version") == 1
    assert composed.sha256 == hashlib.sha256(composed.raw).hexdigest()
    assert composed.envelope_from == "support@desk.example.com"
    assert composed.needs_smtputf8 is False


def test_equal_requests_give_equal_bytes_and_another_send_gives_others():
    request = replace(
        REQUEST, files=(ComposeFile("a.png", "image/png", PNG), ComposeFile("b", "image/png", PNG, "b@x"))
    )
    assert compose(request).raw == compose(request).raw
    assert (
        compose(request).raw != compose(replace(request, send_id="0190f5e2-7a3b-7c11-8d22-1234567890ac")).raw
    )


def test_text_is_derived_from_html():
    composed = compose(replace(REQUEST, text=None, html="<p>One &amp; <b>two</b></p><p>three</p>"))
    assert leaf(parsed(composed.raw), "text/plain").get_content().split() == ["One", "&", "two", "three"]
    assert "<b>two</b>" in leaf(parsed(composed.raw), "text/html").get_content()


def test_html_is_derived_from_text_and_escaped():
    page = leaf(
        parsed(compose(replace(REQUEST, text="a < b\n  & <script>x</script>")).raw), "text/html"
    ).get_content()
    assert "<script>" not in page
    assert "a &lt; b<br>" in page
    assert "&nbsp;&nbsp;&amp; &lt;script&gt;" in page


def test_inline_images_are_related_to_the_html_and_attachments_wrap_all():
    files = (
        ComposeFile("logo.png", "image/png", PNG, "logo@desk"),
        ComposeFile("Rechnung März 2025 – Entwurf.pdf", "application/pdf", b"%PDF-1.4\r\n\0"),
        ComposeFile("mail.eml", "message/rfc822", b"Subject: x\n\nbare\nlines \xe9"),
    )
    composed = compose(replace(REQUEST, html='<p>see <img src="cid:logo@desk"></p>', files=files))
    message = parsed(composed.raw)
    assert_wire_form(composed.raw)
    assert message.get_content_type() == "multipart/mixed"
    related = leaf(message, "multipart/related")
    assert [p.get_content_type() for p in related.iter_parts()] == ["text/html", "image/png"]
    image = leaf(related, "image/png")
    assert image["Content-ID"] == "<logo@desk>"
    assert image.get_content_disposition() == "inline"
    assert image.get_content() == PNG
    attached = list(message.iter_attachments())
    assert [a.get_filename() for a in attached] == ["Rechnung März 2025 – Entwurf.pdf", "mail.eml"]
    assert [a.get_content_type() for a in attached] == ["application/pdf", "application/octet-stream"]
    assert [a.get_content() for a in attached] == [files[1].content, files[2].content]


def test_bcc_is_in_the_envelope_only_and_each_mailbox_once():
    request = replace(
        REQUEST,
        to=(Address("ann@example.com"), Address("Ann@EXAMPLE.com")),
        cc=(Address("ann@EXAMPLE.COM"), Address("bob@example.com")),
        bcc=(Address("hidden@example.org", "Hidden One"), Address("bob@example.com")),
    )
    composed = compose(request)
    # The domain has no case, the part before the @ may have one (RFC 5321 §2.4).
    assert composed.envelope_to == (
        "ann@example.com",
        "Ann@EXAMPLE.com",
        "bob@example.com",
        "hidden@example.org",
    )
    assert b"hidden" not in composed.raw.lower()
    assert parsed(composed.raw)["Bcc"] is None


def test_bcc_alone_is_sent_to_undisclosed_recipients():
    composed = compose(replace(REQUEST, to=(), bcc=(Address("hidden@example.org"),)))
    assert parsed(composed.raw)["To"] == "undisclosed-recipients:;"
    assert composed.envelope_to == ("hidden@example.org",)


def test_international_domains_become_punycode():
    composed = compose(replace(REQUEST, to=(Address("ann@bücher.example", "Ann Büchér"),)))
    assert composed.envelope_to == ("ann@xn--bcher-kva.example",)
    assert parsed(composed.raw)["To"].addresses[0].display_name == "Ann Büchér"
    assert composed.needs_smtputf8 is False
    assert composed.raw.isascii()


def test_a_non_ascii_local_part_asks_for_smtputf8():
    composed = compose(replace(REQUEST, to=(Address("änn@bücher.example"),)))
    assert composed.needs_smtputf8 is True
    assert "To: änn@xn--bcher-kva.example\r\n".encode() in composed.raw


@pytest.mark.parametrize("hostile", ["\r", "\n", "\r\nBcc: evil@example.org", "\0"])
@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("subject", lambda v: {"subject": f"x{v}"}),
        ("from_.name", lambda v: {"from_": Address("a@example.com", f"x{v}")}),
        ("to[1].address", lambda v: {"to": (Address("a@example.com"), Address(f"b@example.com{v}"))}),
        ("cc[0].name", lambda v: {"cc": (Address("a@example.com", f"x{v}y"),)}),
        ("bcc[0].address", lambda v: {"bcc": (Address(f"x{v}@example.com"),)}),
        ("reply_to[0].name", lambda v: {"reply_to": (Address("a@example.com", f"{v}"),)}),
        ("message_id", lambda v: {"message_id": f"<a@example.com>{v}"}),
        ("in_reply_to", lambda v: {"in_reply_to": f"<a@example.com>{v}"}),
        ("references[0]", lambda v: {"references": (f"<a@example.com>{v}",)}),
        ("send_id", lambda v: {"send_id": f"1{v}"}),
        ("extra_headers[0].value", lambda v: {"extra_headers": (("X-A", f"b{v}"),)}),
        ("extra_headers[0].name", lambda v: {"extra_headers": ((f"X-A{v}", "b"),)}),
        ("files[0].filename", lambda v: {"files": (ComposeFile(f"a{v}.txt", "text/plain", b""),)}),
        ("files[0].content_type", lambda v: {"files": (ComposeFile("a", f"text/plain{v}", b""),)}),
        ("files[0].content_id", lambda v: {"files": (ComposeFile("a", "image/png", b"", f"c{v}"),)}),
    ],
)
def test_line_breaks_and_nul_in_header_values_are_refused_by_field(field, change, hostile):
    with pytest.raises(HeaderInjection) as refused:
        compose(replace(REQUEST, **change(hostile)))
    assert refused.value.field == field
    assert isinstance(refused.value, ValueError)
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("to", {"to": ()}),
        ("to[0].address", {"to": (Address("nobody"),)}),
        ("to[0].address", {"to": (Address("a b@example.com"),)}),
        ("to[0].address", {"to": (Address("a@exa mple.com"),)}),
        ("to[0].address", {"to": (Address("a@example..com"),)}),
        ("to[0].address", {"to": (Address("a@example.com>, <b@example.com"),)}),
        ("to[0].address", {"to": (Address(f"{'a' * 65}@example.com"),)}),
        ("from_.address", {"from_": Address("")}),
        ("text", {"text": None, "html": None}),
        ("date", {"date": datetime(2025, 1, 3, 14, 5)}),  # noqa: DTZ001 – the fault under test
        ("message_id", {"message_id": "not an id"}),
        ("extra_headers[0].name", {"extra_headers": (("Bcc", "x@example.com"),)}),
        ("extra_headers[0].name", {"extra_headers": (("Content-Type", "text/plain"),)}),
        ("extra_headers[0].name", {"extra_headers": (("X Y", "z"),)}),
        ("files[0].content_type", {"files": (ComposeFile("a", "nonsense", b""),)}),
        ("files[0].content_id", {"files": (ComposeFile("a", "image/png", b"", "a b>"),)}),
    ],
)
def test_what_cannot_be_a_mail_is_refused_by_field(field, change):
    with pytest.raises(ComposeError) as refused:
        compose(replace(REQUEST, **change))
    assert refused.value.field == field


@pytest.mark.parametrize("error", [ComposeError("to", "is empty"), HeaderInjection("subject")])
def test_errors_survive_a_process_boundary(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.field, str(again)) == (type(error), error.field, str(error))


def test_references_keep_the_first_and_the_last_and_stay_short():
    chain = tuple(f"<{'x' * 60}{i}@mail.example.com>" for i in range(300))
    composed = compose(replace(REQUEST, in_reply_to=chain[-1], references=chain[:-1]))
    references = parsed(composed.raw)["References"].split()
    assert references[0] == chain[0]
    assert references[-1] == chain[-1]
    assert references == [chain[0], *chain[-(len(references) - 1) :]]
    assert 10 < len(references) <= 21
    assert sum(len(r) + 1 for r in references) <= 2_000
    assert_wire_form(composed.raw)


def test_a_long_parent_id_is_neither_encoded_nor_cut():
    parent = f"<{'a' * 190}@{'b' * 40}.example.com>"
    composed = compose(replace(REQUEST, in_reply_to=parent))
    assert parent.encode() in composed.raw
    assert b"=?" not in composed.raw.split(b"\r\n\r\n")[0]


def test_malformed_ids_of_others_and_stand_ins_are_left_out():
    composed = compose(
        replace(REQUEST, in_reply_to="<0f@missing.invalid>", references=("<>", "<a b@x>", "<ok@example.com>"))
    )
    message = parsed(composed.raw)
    assert message["In-Reply-To"] is None
    assert message["References"] == "<ok@example.com>"


def test_body_lines_are_normalised_and_nul_does_not_pass():
    text = "one\rtwo\r\nthree\n\n.\nFrom me\n" + "x" * 5_000 + "\0\ud800 end"
    composed = compose(replace(REQUEST, text=text))
    assert_wire_form(composed.raw)
    got = leaf(parsed(composed.raw), "text/plain").get_content().splitlines()
    assert got == ["one", "two", "three", "", ".", "From me", "x" * 5_000 + "\ufffd\ufffd end"]


def test_extra_headers_are_written_and_folded():
    composed = compose(
        replace(REQUEST, extra_headers=(("Auto-Submitted", "auto-replied"), ("X-Note", "word " * 100)))
    )
    message = parsed(composed.raw)
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["X-Note"].split() == ["word"] * 100


def test_a_local_time_zone_is_kept_in_the_date():
    there = timezone(timedelta(hours=5, minutes=30))
    composed = compose(replace(REQUEST, date=datetime(2025, 1, 3, 19, 35, tzinfo=there)))
    assert b"Date: Fri, 03 Jan 2025 19:35:00 +0530\r\n" in composed.raw


_LINE = st.text(st.characters(exclude_characters="\r\n\0"), max_size=120)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(subject=_LINE, name=_LINE, filename=_LINE, text=st.text(max_size=400))
def test_no_text_breaks_out_of_its_place(subject, name, filename, text):
    request = replace(
        REQUEST,
        subject=subject,
        to=(Address("ann@example.com", name), Address("bob@example.com", name)),
        text=text,
        files=(ComposeFile(filename, "text/plain", text.encode("utf-8", "replace")),),
    )
    composed = compose(request)
    assert_wire_form(composed.raw)
    assert composed.raw == compose(request).raw
    head = composed.raw.split(b"\r\n\r\n")[0].decode()
    names = re.findall(r"^([^\s:]+):", head, re.MULTILINE)
    assert names == [
        "Date",
        "Message-ID",
        "From",
        "To",
        "Subject",
        "X-Mailroom-Send-ID",
        "Content-Type",
        "MIME-Version",
    ]
    to = re.sub(r"\r\n(?=[ \t])", "", head).split("\r\nTo:")[1].split("\r\n")[0]
    assert [a for _, a in getaddresses([to])] == ["ann@example.com", "bob@example.com"]
    assert len(list(parsed(composed.raw).walk())) == 5  # mixed, alternative, text, html, file
