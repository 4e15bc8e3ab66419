"""Parts in = parts shown: whatever the structure, every leaf is in the body or in the list."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.limits import TooComplex
from mail.parse import parse_mail
from mail.transfer_encodings import decode_transfer
from mail.values import ParsedMail

CORPUS = Path(__file__).parents[1] / "corpus"

PNG = base64.b64decode(b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
HEAD = b"From: a@example.com\r\nMIME-Version: 1.0\r\n"

TYPES = ["text/plain", "text/html", "text/csv", "text/calendar", "image/png", "application/pdf", "message/rfc822", "text/enriched",
         "application/pkcs7-signature", "message/delivery-status", "application/ms-tnef", "x-broken"]  # fmt: skip
DISPOSITIONS = ["", "Content-Disposition: attachment\r\n", "Content-Disposition: inline; filename=named\r\n",
                "Content-Disposition: attachment; filename=named.bin\r\n", "Content-ID: <c@x>\r\n"]  # fmt: skip
ENCODINGS = ["", "base64", "quoted-printable"]
MULTIPARTS = ["mixed", "alternative", "related", "signed", "report", "digest", "parallel", "x-unheard-of"]

LEAF = st.tuples(st.just("leaf"), st.sampled_from(TYPES), st.sampled_from(DISPOSITIONS), st.sampled_from(ENCODINGS))
TREE = st.recursive(LEAF, lambda inner: st.tuples(st.sampled_from(MULTIPARTS), st.lists(inner, min_size=1, max_size=4)), max_leaves=12)


class Writer:
    """Writes a tree as MIME and remembers the mark in each leaf."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.boundaries = 0

    def entity(self, tree: Any) -> bytes:
        if tree[0] == "leaf":
            _, kind, disposition, encoding = tree
            mark = f"mark{len(self.marks)}mark"
            self.marks.append(mark)
            body = f"<p>{mark}</p>".encode() if kind == "text/html" else mark.encode()
            if kind == "message/rfc822":
                body = b"Subject: inner\r\n\r\n" + body
            head = f"Content-Type: {kind}; charset=utf-8\r\n{disposition}".encode()
            if encoding:
                head += f"Content-Transfer-Encoding: {encoding}\r\n".encode()
            return head + b"\r\n" + (base64.encodebytes(body) if encoding == "base64" else body)
        self.boundaries += 1
        boundary = f"=_{self.boundaries}".encode()
        children = b"".join(b"--" + boundary + b"\r\n" + self.entity(child) + b"\r\n" for child in tree[1])
        kind = str(tree[0]).encode()
        return b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n\r\n' + children + b"--" + boundary + b"--\r\n"


def shown_in(mail: ParsedMail, mark: str) -> int:
    places = [mark in mail.body_text or mark in (mail.body_html or "")]
    places += [mark.encode() in part.content for part in mail.parts]
    return sum(places)


@settings(max_examples=300, deadline=None)
@given(TREE)
def test_every_leaf_is_shown_exactly_once(tree: Any) -> None:
    writer = Writer()
    mail = parse_mail(HEAD + writer.entity(tree))
    for mark in writer.marks:
        shown = shown_in(mail, mark)
        # A calendar is a file, and gives the text of a mail that has no other.
        assert shown >= 1, mark
        assert shown == 1 or mail.body_text == "", mark


def leaf(kind: str, body: bytes, extra: str = "") -> bytes:
    return f"Content-Type: {kind}\r\n{extra}\r\n".encode() + body


def multi(sub: str, *children: bytes, boundary: str = "b") -> bytes:
    inner = b"".join(f"--{boundary}\r\n".encode() + c + b"\r\n" for c in children)
    return f"Content-Type: multipart/{sub}; boundary={boundary}\r\n\r\n".encode() + inner + f"--{boundary}--\r\n".encode()


def test_a_second_rendition_of_the_same_kind_is_a_file() -> None:
    mail = parse_mail(HEAD + multi("alternative", leaf("text/plain", b"one"), leaf("text/plain", b"two"), leaf("text/html", b"<p>three")))
    assert (mail.body_text, mail.body_html) == ("one", "<p>three")
    assert [p.content for p in mail.parts] == [b"two"]


def test_named_text_is_a_file_unless_it_is_all_there_is() -> None:
    assert parse_mail(HEAD + leaf("text/plain; name=a.txt", b"only")).body_text == "only"
    mail = parse_mail(HEAD + multi("mixed", leaf("text/plain", b"body"), leaf("text/plain; name=a.txt", b"file")))
    assert (mail.body_text, [p.filename for p in mail.parts]) == ("body", ["a.txt"])


def test_pictures_are_inline_only_where_they_are_shown() -> None:
    encoded = base64.encodebytes(PNG)
    picture = "Content-Transfer-Encoding: base64\r\nContent-ID: <{}@x>\r\nContent-Disposition: inline\r\n"
    mail = parse_mail(
        HEAD
        + multi(
            "related",
            leaf("text/html", b'<img src="cid:shown@x"><a href="cid:linked@x">x</a><img src="cid:pdf@x">'),
            leaf("application/octet-stream; name=a.png", encoded, picture.format("shown")),
            leaf("image/png; name=b.png", encoded, picture.format("linked")),
            leaf("image/png; name=c.png", b"%PDF-1.4", "Content-ID: <pdf@x>\r\n"),
        )
    )
    assert [(p.filename, p.content_type, p.disposition) for p in mail.parts] == [
        ("a.png", "image/png", "inline"),
        ("b.png", "image/png", "attachment"),
        ("c.png", "image/png", "attachment"),
    ]


def test_mixed_text_and_html_are_one_body() -> None:
    mail = parse_mail(HEAD + multi("mixed", leaf("text/html", b"<p>one</p>"), leaf("text/plain", b"two <b>\r\n")))
    assert mail.body_text == "one\ntwo <b>\n".strip()
    assert mail.body_html is not None
    assert "<p>one</p>" in mail.body_html
    assert "two &lt;b&gt;" in mail.body_html


def test_related_root_by_start() -> None:
    body = multi('related; start="<root@x>"', leaf("text/plain", b"helper"), leaf("text/html", b"<p>root", "Content-ID: <root@x>\r\n"))
    mail = parse_mail(HEAD + body)
    assert mail.body_html == "<p>root"
    assert [p.content for p in mail.parts] == [b"helper"]


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.eml")), ids=lambda path: path.stem)
def test_a_part_with_a_place_is_what_lies_there(path: Path) -> None:
    raw = path.read_bytes()
    try:
        parts = parse_mail(raw).parts
    except TooComplex:
        return
    for part in parts:
        assert part.size == len(part.content)
        if part.place is not None:
            encoded = raw[part.place.offset : part.place.offset + part.place.length]
            assert decode_transfer(encoded, part.place.encoding)[0] == part.content


def test_what_does_not_lie_in_the_mail_has_no_place() -> None:
    uuencoded = b"Subject: x\n\nHello\nbegin 644 a.txt\n#0V%T\n`\nend\n"
    assert [(p.filename, p.place) for p in parse_mail(uuencoded).parts] == [("a.txt", None)]
    attached = b'Content-Type: text/csv; name="a.csv"\nContent-Transfer-Encoding: base64\n\nYTtiCg==\n'
    (part,) = parse_mail(attached).parts
    assert part.place is not None
    (part,) = parse_mail(attached.replace(b"\n", b"\r")).parts  # its line ends are read as others: not the bytes that are kept
    assert (part.content, part.place) == (b"a;b\n", None)
