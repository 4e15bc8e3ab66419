"""The giants of integrity I-5: mails made to eat memory, time or a stack, each with what must become of it.

`REFUSED` mails break a cap and are too complex, `READ` mails are large or twisted and must still be read.
"""

import base64
import io
import zipfile
from collections.abc import Callable, Mapping

HEAD = b"From: Carla <carla@customer.example.com>\r\nTo: desk@example.org\r\nSubject: Bomb %s\r\nMessage-ID: <bomb-%s@customer.example.com>\r\nMIME-Version: 1.0\r\n"
MB = 1024 * 1024


def _mail(name: str, rest: bytes) -> bytes:
    return HEAD % (name.encode(), name.encode()) + rest


def nested(levels: int, *, closed: bool = True) -> bytes:
    """Linear in its size: delimiters outside, the leaf in the middle."""
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    closing = b"".join(b"\r\n--b%d--" % n for n in reversed(range(levels))) if closed else b""
    return opening + b"Content-Type: text/plain\r\n\r\nleaf" + closing


def parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n" * count + b"--b--\r\n"


def forwarded(levels: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * levels + b"Subject: innermost\r\n\r\nx"


def html_part(body: bytes) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body


def zip_bomb() -> bytes:
    """200 MB of zeros in a few hundred kB. It is stored as it is; nothing opens it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w", force_zip64=True) as member:
        for _ in range(200):
            member.write(bytes(MB))
    return (
        b"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n\r\nSee attached.\r\n--z\r\nContent-Type: application/zip; name=bomb.zip\r\n"
        b"Content-Disposition: attachment; filename=bomb.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(packed.getvalue()) + b"--z--\r\n"
    )


REFUSED: Mapping[str, Callable[[], bytes]] = {
    "depth-51": lambda: nested(51),
    "depth-5000": lambda: nested(5_000),
    "depth-100000-unclosed": lambda: nested(100_000, closed=False),
    "parts-1001": lambda: parts(1_001),
    "parts-300000": lambda: parts(300_000),
    "header-of-70-kB": lambda: b"X-Long: " + b"y" * 70_000 + b"\r\n\r\nx",
    "header-of-20-MB": lambda: b"X-Long: " + b"y" * (20 * MB) + b"\r\n\r\nx",
    "folded-header-of-5-MB": lambda: b"X-Folded: a\r\n" + b" b\r\n" * 1_200_000 + b"\r\nx",
    "headers-of-300-kB": lambda: b"X-A: 0123456789\r\n" * 20_000 + b"\r\nx",
    "100000-headers": lambda: b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\nx",
    "headers-of-a-part": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"X-A: 0123456789\r\n" * 20_000 + b"\r\nx\r\n--b--",
    "2100-addresses": lambda: b"Cc: " + b"a@example.org," * 2_100 + b"\r\n\r\nx",
    "60000-bare-commas-and-addresses": lambda: b"Cc: " + b"a@b.example," * 5_000 + b"\r\n\r\nx",
}

READ: Mapping[str, Callable[[], bytes]] = {
    "depth-50": lambda: nested(50),
    "parts-1000": lambda: parts(1_000),
    "forwarded-20000-times": lambda: forwarded(20_000),
    "html-of-10-MB": lambda: html_part(b"<p>word</p>" * 950_000),
    "html-of-2-MB": lambda: html_part(b"<p>word</p>" * 190_000),
    "html-100000-deep": lambda: html_part(b"<div>" * 100_000),
    "html-tables-20000-deep": lambda: html_part(b"<table><tr><td>" * 20_000),
    "html-20000-links": lambda: html_part(b"<a href='https://example.com/x'>x</a>" * 20_000),
    "html-entities": lambda: html_part(b"&amp;" * 390_000),
    "html-open-tags": lambda: html_part(b"<" * 1_900_000),
    "html-attributes": lambda: html_part(b"<div " + b"a=1 " * 400_000 + b">x"),
    "html-one-attribute": lambda: html_part(b"<div style='" + b"color:red;" * 180_000 + b"'>x"),
    "html-css": lambda: html_part(b"<style>" + b"a{b:c}" * 300_000 + b"</style><p>x"),
    "html-comments": lambda: html_part(b"<!--" * 450_000),
    "html-formatting-reopened": lambda: html_part((b"<b><i><u><font>" * 60 + b"<p>") * 700),
    "html-quotes": lambda: html_part(b"<blockquote type=cite>" * 3_000 + b"x"),
    "text-one-line-of-20-MB": lambda: b"\r\n" + b"x" * (20 * MB),
    "text-10-million-lines": lambda: b"\r\n" + b"\n" * 10_000_000,
    "text-quote-marks": lambda: b"\r\n" + b">" * 1_900_000,
    "text-on-wrote": lambda: b"\r\n" + b"On Mon, someone wrote:\n" * 80_000,
    "text-on-and-on": lambda: b"\r\n" + b"On " * 600_000,
    "text-flowed": lambda: b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n" + b"x \r\n" * 450_000,
    "text-links": lambda: b"\r\n" + b"http://example.com/( " * 90_000,
    "text-addresses": lambda: b"\r\n" + b"a@" * 900_000,
    "text-separators": lambda: b"\r\n" + b"-----Original Message-----\n" * 60_000,
    "words-in-the-subject": lambda: b"Subject: " + b"=?utf-8?b?w6Q=?= " * 3_500 + b"\r\n\r\nx",
    "words-half-open": lambda: b"Subject: " + b"=?utf-8?q?" * 6_000 + b"\r\n\r\nx",
    "comments-in-an-address": lambda: b"Cc: " + b"(" * 60_000 + b"\r\n\r\nx",
    "quotes-in-an-address": lambda: b"Cc: " + b'"\\' * 30_000 + b"\r\n\r\nx",
    "brackets-in-an-address": lambda: b"Cc: " + b"<" * 60_000 + b"\r\n\r\nx",
    "groups-in-an-address": lambda: b"Cc: " + b"g:" * 30_000 + b"\r\n\r\nx",
    "references": lambda: b"References: " + b"<a@b>" * 12_000 + b"\r\n\r\nx",
    "references-open": lambda: b"References: " + b"<" * 60_000 + b"\r\n\r\nx",
    "parameters": lambda: b"Content-Type: text/plain" + b"; a*0*=x''%41" * 4_500 + b"\r\n\r\nx",
    "parameters-of-spaces": lambda: b"Content-Type: text/plain;" + b" " * 60_000 + b"\r\n\r\nx",
    "parameters-unclosed": lambda: b'Content-Type: text/plain; a="' + b"\\" * 60_000 + b"\r\n\r\nx",
    "date-of-60-kB": lambda: b"Date: " + b"1 " * 30_000 + b"\r\n\r\nx",
    "date-comments": lambda: b"Date: " + b"(" * 60_000 + b"\r\n\r\nx",
    "delimiters-that-are-none": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 300_000,
    "delimiters-inside-lines": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b" * 600_000,
    "base64-of-rubbish": lambda: b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 5_000_000,
    "quoted-printable-of-signs": lambda: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 5_000_000,
    "uuencode-unending": lambda: b"\r\n" + b"begin 644 x\r\n" * 100_000,
    "charset-guess": lambda: b"Content-Type: text/plain; charset=x-none\r\n\r\n" + bytes(range(128, 256)) * 15_000,
    "iso-2022-switches": lambda: b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + b"\x1b$B0!\x1b(B" * 200_000,
    "utf-7-shifts": lambda: b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+AAA-" * 300_000,
    "nul-5-MB": lambda: b"\r\n" + b"\x00" * (5 * MB),
    "calendar": lambda: b"Content-Type: text/calendar\r\n\r\n" + b"BEGIN:VEVENT\r\n" * 130_000,
    "delivery-status": lambda: b"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\n"
    + b"Final-Recipient: rfc822; a@example.com\r\nStatus: 5.1.1\r\n\r\n" * 40_000 + b"--r--",
    "tnef-sizes": lambda: b"Content-Type: application/ms-tnef\r\n\r\n" + b"\x78\x9f\x3e\x22\x00\x00" + (b"\x01" + b"\x00" * 4 + b"\x00" * 4 + b"\x00\x00") * 200_000,
    "zip-bomb": zip_bomb,
}


def refused() -> dict[str, bytes]:
    return {name: _mail(name, make()) for name, make in REFUSED.items()}


def readable() -> dict[str, bytes]:
    return {name: _mail(name, make()) for name, make in READ.items()}
