"""Our own broken mails, each named for its fault, with what a reader must see in spite of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mail.frame import frame_document
from mail.parse import parse_headers_only, parse_mail
from mail.sanitise import sanitise_html
from mail.values import ParsedMail

CORPUS = Path(__file__).parents[1] / "corpus"


def text(expected: str) -> Callable[[ParsedMail], bool]:
    return lambda m: m.body_text == expected


def subject(expected: str) -> Callable[[ParsedMail], bool]:
    return lambda m: m.subject == expected


def sender(name: str, address: str) -> Callable[[ParsedMail], bool]:
    return lambda m: m.from_ is not None and (m.from_.name, m.from_.address) == (name, address)


def files(*expected: str) -> Callable[[ParsedMail], bool]:
    """Each as `name disposition`."""
    return lambda m: [f"{p.filename} {p.disposition}" for p in m.parts] == list(expected)


def defect(name: str) -> Callable[[ParsedMail], bool]:
    return lambda m: name in m.defects


def sound() -> Callable[[ParsedMail], bool]:
    return lambda m: m.defects == ()


EXPECTED: dict[str, list[Callable[[ParsedMail], bool]]] = {
    "alternative-holds-mixed": [text("one two"), files("mid.pdf attachment"), lambda m: m.body_html == "<p>one</p>\n<hr>\n<p>two</p>"],
    "alternative-plain": [text("plain text"), files(), sound(), lambda m: m.body_html == "<p>rich text</p>"],
    "appledouble": [text("from a Mac"), files("doc.pdf attachment", "doc.pdf attachment")],
    "base64-broken-padding": [text("The padding is gone"), defect("base64_repaired")],
    "base64-that-is-prose": [text("This was never encoded at all, although the header says so. It is a sentence."), defect("base64_undecodable")],
    "boundary-closed-too-early": [text("first"), files("late.png attachment")],
    "boundary-missing-parameter": [text("found anyway"), files("a.png attachment"), defect("boundary_guessed")],
    "boundary-never-closed": [text("first"), files("a.pdf attachment")],
    "boundary-never-used": [text("Only text under a multipart header."), defect("boundary_missing"), lambda m: m.content_type == "multipart/mixed"],
    "boundary-prefix-of-another": [text("outer text\ninner text"), files()],
    "calendar-alone": [
        files("invite.ics attachment"),
        text("Review <script>alert(1)</script>\n2025-06-10 09:00 Europe/Berlin – 2025-06-10 10:00 Europe/Berlin\n"
             "Room 5, second floor\njane@example.com\n\nPlease\nbe on time"),
        lambda m: m.body_html is None,
    ],
    "calendar-third-alternative": [text("You are invited."), files("invite.ics attachment")],
    "charset-ascii-is-utf8": [text("Grüße")],
    "charset-codec-that-is-none": [text("Grüße")],
    "charset-gb2312-holds-gbk": [text("镕基 你好"), sound()],
    "charset-html-meta-only": [text("Привет, мир")],
    "charset-iso-2022-jp": [text("お問い合わせありがとうございます"), sound()],
    "charset-koi8-r": [text("Привет"), sound()],
    "charset-ks-c-5601": [text("안녕하세요 똠방각하"), sound()],
    "charset-latin1-is-windows-1252": [text("“Price” 5 € – ok"), sound()],
    "charset-latin2-short": [text("Łódź"), sound()],
    "charset-unknown-label": [text("Grüße")],
    "charset-utf7": [text("Grüße Ø"), sound()],
    "charset-utf7-lone-surrogate": [text("a \ufffd b")],
    "charset-utf8-is-latin1": [text("Schöne Grüße aus Österreich, Jürgen Müller"), defect("charset_wrong")],
    "charset-utf8-one-bad-byte": [text("Größe über Öl und Äpfel " * 8 + "\ufffd end"), defect("charset_replacement")],
    "content-type-invalid": [text("RFC 2045 says plain text"), files()],
    "date-before-email": [lambda m: m.date is None, defect("date_unreadable")],
    "date-unreadable": [lambda m: m.date is None, defect("date_unreadable")],
    "digest-without-types": [files("first of two.eml attachment", "second of two.eml attachment")],
    "empty-file": [text(""), subject(""), files(), defect("message_id_missing")],
    "filename-direction-override": [files("annualfdp.exe attachment")],
    "filename-hidden-htaccess": [files("htaccess attachment")],
    "filename-missing": [files("image.jpg attachment")],
    "filename-path-and-device": [files("_CON.txt attachment")],
    "filename-raw-utf8": [files("Grüße.txt attachment")],
    "filename-rfc2047-in-quotes": [files("Grüße aus Koeln.txt attachment")],
    "filename-rfc2231-continued": [files("Grüße aus Koeln.txt attachment")],
    "filename-unquoted-spaces": [files("my report.doc attachment")],
    "filename-very-long": [lambda m: len(m.parts[0].filename) == 200 and m.parts[0].filename.endswith("x.pdf")],
    "flowed-quote": [text("This is one long paragraph.\n\n> quoted and flowed\n-- \nJane")],
    "forwarded-as-attachment": [text("See the forwarded mail."), files("The original - inner.eml attachment"), subject("A question")],
    "from-comma-unquoted": [sender("Doe, Jane", "jane@example.com")],
    "from-missing": [lambda m: m.from_ is None, text("Body")],
    "from-name-only": [lambda m: m.from_ is None, defect("from_unreadable"), lambda m: m.header("from") == "Jane Doe"],
    "from-word-in-quotes": [sender("Jürgen Groß", "jg@example.com")],
    "header-line-without-name": [subject("Still found"), text("Body"), defect("header_malformed")],
    "headers-without-body": [subject("A question"), text(""), files()],
    "html-empty-plain-part": [text("the real text"), lambda m: m.body_html == "<p>the real text</p>"],
    "html-nested-five-thousand": [text("deep words"), files("message.html attachment"), defect("html_contorted")],
    "html-only": [text("Hello there\n\nSecond & last")],
    "html-scripts": [text("Hi")],
    "inline-picture-called-attachment": [files("pic.png inline", "unused.png attachment")],
    "line-ends-cr-only": [text("One\nTwo"), subject("A question")],
    "line-ends-lf-only": [text("One\nTwo"), sound()],
    "list-footer-after-attachment": [text("The question\n_______\nlist footer"), files("a.pdf attachment")],
    "mbox-from-line": [subject("A question"), text("Body after an mbox line"), sound()],
    "message-id-empty": [lambda m: m.message_id is None and m.in_reply_to == () and m.references == (), defect("message_id_invalid")],
    "message-id-folded": [lambda m: m.message_id == "<very-long-id@example.com>"],
    "message-id-missing": [lambda m: m.message_id is None, defect("message_id_missing")],
    "message-id-with-quotes": [lambda m: m.message_id is None, defect("message_id_invalid")],
    "multipart-base64-whole": [text("encoded whole"), defect("multipart_encoded")],
    "nested-forty-five-deep": [text("at the bottom"), files()],
    "no-headers-at-all": [text("Just a body, nothing above it."), lambda m: m.headers == ()],
    "part-without-headers": [text("no headers here"), files("notes.txt attachment")],
    "quoted-printable-malformed": [text("100% ä =ZZ soft ")],
    "report-delivery-status": [
        text("Delivery failed."),
        files("delivery-status.txt attachment", "headers.txt attachment"),
        lambda m: ("report-type", "delivery-status") in m.content_type_params,
    ],
    "return-path-null": [lambda m: m.return_path == ""],
    "signed-pgp": [text("signed text"), files("signature.asc attachment")],
    "smime-opaque": [files("smime.p7m attachment")],
    "subject-direction-override": [subject("invoicegpj.exe!")],
    "subject-raw-latin1": [subject("Grüße aus Köln")],
    "subject-raw-utf8": [subject("Grüße aus Köln 🙂")],
    "subject-with-controls": [subject("one\ufffdtwo three [31m"), text("Body\ufffdbody")],
    "subject-word-broken-base64": [subject("Hello and bär =?bogus")],
    "subject-word-iso-2022-jp": [subject("まみむめも")],
    "subject-word-language-tag": [subject("grün")],
    "subject-word-with-spaces": [subject("two wordsé")],
    "subject-words-split-in-character": [subject("Größe")],
    "text-around-picture": [text("before the picture\nafter the picture"), files("pic.png attachment")],
    "to-semicolons": [lambda m: [a.address for a in m.to] == ["a@example.org", "b@example.org", "c@example.org"]],
    "to-undisclosed": [lambda m: m.to == ()],
    "transfer-encoding-unknown": [text("Plain after all"), defect("transfer_encoding_unknown")],
    "uuencode-begin-in-prose": [text("begin 644 things\nand never stop\nend"), files()],
    "uuencode-in-text": [text("See below.\nBye"), files("report.txt attachment"), lambda m: m.parts[0].content == b"content of the report\n"],
    "winmail-alone-with-body": [text("The body lives inside"), lambda m: m.body_html == "<p>The body lives inside</p>", files()],
    "winmail-truncated": [text("See attached."), files("winmail.dat attachment"), defect("tnef_unreadable")],
    "winmail-with-two-files": [files("Angebot für Łódź.pdf attachment", "b.txt attachment"), lambda m: m.parts[0].content == b"%PDF-1.4\0\0\0"],
}  # fmt: skip


def test_every_mail_of_the_corpus_has_its_expectation() -> None:
    assert sorted(p.stem for p in CORPUS.glob("*.eml")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_reader_sees(name: str) -> None:
    mail = parse_mail((CORPUS / f"{name}.eml").read_bytes())
    for number, holds in enumerate(EXPECTED[name]):
        assert holds(mail), f"expectation {number}: {mail.subject!r} {mail.body_text!r} {[(p.filename, p.disposition) for p in mail.parts]} {mail.defects}"


@pytest.mark.parametrize("name", EXPECTED)
def test_it_can_be_stored_and_shown(name: str) -> None:
    raw = (CORPUS / f"{name}.eml").read_bytes()
    mail = parse_mail(raw)
    parse_headers_only(raw)
    for value in (mail.subject, mail.body_text, mail.body_html or "", *(v for _, v in mail.headers), *(p.filename for p in mail.parts)):
        value.encode()
        assert "\0" not in value
    if mail.body_html is not None:
        clean = sanitise_html(mail.body_html, cid_urls={}).html
        assert "script" not in clean
        assert "onerror" not in clean
        frame_document(clean, image_origin="https://images.example", remote_images=False)
