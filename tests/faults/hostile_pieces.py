"""The kinds of malformed mail: each function takes a seeded `Random` and gives one raw mail that breaks its part of the RFCs.

Written after what real mail and published parser faults show; every size here is moderate. The giants are in `mail_bombs`.
"""

import base64
from collections.abc import Callable
from random import Random

Kind = Callable[[Random], bytes]

WORDS = ("order", "bicycle", "invoice", "Grüße", "привет", "日本語", "refund", "🚲", "naïve", "=?", "?=", "\x00", "\u202e", "a" * 90)
CHARSETS = (
    "utf-8", "us-ascii", "iso-8859-1", "utf-7", "utf-16", "utf-16le", "utf-32", "iso-2022-jp", "iso-2022-kr", "hz-gb-2312", "gb18030",
    "big5", "euc-kr", "koi8-r", "windows-1252", "cp1258", "x-unknown", "", "utf-8\x00", "zip", "rot13", "hex", "punycode", "idna",
    "unicode_escape", "raw_unicode_escape", "base64", "bz2", "undefined", "mbcs", "../../etc", "utf-8" * 40, "%", "'", '"', "8bit",
)
ENCODINGS = (
    "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode", "uuencode", "x-yenc", "x-gzip", "BASE64 ", "base 64", "",
    "quoted-printable; x", "\x00", "x-" + "z" * 300,
)
NASTY = (
    b"\x00", b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\x1b$B", b"\x1b(B", b"\x1b$)C",
    b"\x0e", b"~{", b"~}", b"+2AA-", b"+AAA-", b"\x80" * 7, b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\x0b\x0c", b"\x85", b"\xe2\x80\xae",
    b"=", b"=\r\n", b"=?", b"?=", b"<", b">", b"(", b")" * 40, b"(" * 400, b"\\", b'"', b";" * 50, b"," * 50, b":", b"%", b"*", b"'" * 3,
)


def noise(r: Random, most: int = 200) -> bytes:
    return r.randbytes(r.randrange(most + 1))


def text(r: Random, most: int = 12) -> str:
    return " ".join(r.choice(WORDS) for _ in range(r.randrange(1, most + 1)))


def raw_text(r: Random, most: int = 12) -> bytes:
    pieces = (
        text(r, 3).encode(r.choice(("utf-8", "latin-1", "utf-16", "koi8-r", "shift_jis")), "replace")
        if r.random() < 0.7
        else r.choice(NASTY) * r.randrange(1, 4)
        for _ in range(r.randrange(1, most + 1))
    )
    return b" ".join(pieces)


def head(r: Random, *more: bytes, subject: bytes | None = None) -> bytes:
    lines = [
        b"From: Carla <carla%d@customer.example.com>" % r.randrange(50),
        b"To: desk@example.org",
        b"Subject: " + (b"Hostile %d" % r.randrange(10**9) if subject is None else subject),
        b"Date: Mon, 06 Oct 2025 10:%02d:00 +0000" % r.randrange(60),
        b"Message-ID: <%x@customer.example.com>" % r.getrandbits(80),
        b"MIME-Version: 1.0",
        *more,
    ]
    return b"\r\n".join(lines) + b"\r\n"


def leaf(r: Random) -> bytes:
    kind = r.choice((b"text/plain", b"text/html", b"image/png", b"application/octet-stream", b"text/calendar", b"message/rfc822", b"x/y/z", b""))
    fields = [b"Content-Type: " + kind + r.choice((b"", b"; charset=utf-8", b"; name=" + raw_text(r, 2)))]
    fields += [b"Content-Transfer-Encoding: " + r.choice(ENCODINGS).encode()] if r.random() < 0.5 else []
    fields += [b"Content-Disposition: attachment; filename=" + raw_text(r, 2)] if r.random() < 0.3 else []
    fields += [b"Content-ID: <" + noise(r, 20) + b">"] if r.random() < 0.2 else []
    return b"\r\n".join(fields) + b"\r\n\r\n" + raw_text(r, 20)


def boundaries(r: Random) -> bytes:
    """Delimiters that are missing, cut, doubled, quoted, prefixes of each other, closed early or never."""
    outer, inner = r.choice((b"b", b"=_x", b"'()+_,-./:=?", b"bb b", b"\xc3\xa4", b"" , b"-" * 70, b"y" * 300)), r.choice((b"b", b"b2", b"c"))
    parts = []
    for _ in range(r.randrange(1, 9)):
        mark = r.choice((b"--" + outer, b"--" + outer + b"--", b"-" + outer, b"--" + outer + b" \t", b"--" + inner, outer, b"--" + outer.upper()))
        parts.append(mark + r.choice((b"\r\n", b"\n", b"\r", b"", b"\r\n\r\n")) + leaf(r))
    declared = r.choice((b'"' + outer + b'"', outer, b'"' + outer, b"'" + outer + b"'", b"", outer + b"; boundary=" + inner))
    kind = r.choice((b"mixed", b"alternative", b"related", b"signed", b"encrypted", b"digest", b"report", b"parallel", b"x-" + noise(r, 5).hex().encode()))
    return head(r, b"Content-Type: multipart/" + kind + b"; boundary=" + declared) + b"\r\n" + b"\r\n".join(parts)


def nesting(r: Random) -> bytes:
    """Multiparts in multiparts, sometimes under one name, sometimes deeper than allowed."""
    same, body, fields = r.random() < 0.3, leaf(r), b""
    for level in range(r.choice((2, 5, 12, 30, 49, 50, 51, 70))):
        name = b"n" if same else b"n%d" % level
        body = fields + b"\r\n" + body if fields else body
        body = b"--%s\r\n%s\r\n" % (name, body) + (b"--%s--\r\n" % name if r.random() < 0.8 else b"")
        fields = b"Content-Type: multipart/%s; boundary=%s\r\n" % (r.choice((b"mixed", b"alternative", b"related")), name)
    return head(r) + fields + b"\r\n" + body


def headers(r: Random) -> bytes:
    """Field lines that are none, names and values of any bytes, folds in odd places, no separator."""
    lines = []
    for _ in range(r.randrange(1, 40)):
        name = r.choice((b"Subject", b"From", b"To", b"Cc", b"Date", b"Message-ID", b"References", b"Received", b"X-" + noise(r, 6).hex().encode(), noise(r, 12), b""))
        value = r.choice((raw_text, lambda s: noise(s, 300)))(r)
        lines.append(name + r.choice((b": ", b":", b" : ", b" ", b"")) + value + r.choice((b"", b"\r\n\t" + raw_text(r, 3), b"\r\n ", b"\n\n")))
    start = r.choice((b"", b"\r\n\r\n", b"From carla Mon Oct 6\n", b">From x\r\n", b"\x00", b" folded first\r\n"))
    return start + r.choice((b"\r\n", b"\n", b"\r")).join(lines) + r.choice((b"\r\n\r\n", b"\n\n", b"", b"\r\r")) + raw_text(r)


def addresses(r: Random) -> bytes:
    """Groups, comments, quotes and routes that do not close, and the ever popular comma in a name."""
    def one() -> bytes:
        return r.choice((
            b"a@example.com", b"<a@example.com", b"a@example.com>", b'"' + noise(r, 10) + b" <a@example.com>", b"(((" + raw_text(r, 2), b"team: a@example.com, b;",
            b"team:;", b"@relay.example,@b:a@example.com", b"<>", b"a@[127.0.0.1]", b"a b c", b"=?utf-8?q?" + noise(r, 5).hex().encode() + b"?= <a@example.com>",
            raw_text(r, 3) + b" <" + raw_text(r, 1) + b"@example.com>", b"a@" + b"x." * 200 + b"com", b"Last, First <a@example.com>", b"a@example.com(" + b"(" * 30,
        ))
    fields = [name + b": " + r.choice((b", ", b",", b";", b" ")).join(one() for _ in range(r.randrange(1, 30))) for name in (b"From", b"To", b"Cc", b"Reply-To", b"Sender", b"Return-Path")]
    return b"\r\n".join(fields) + b"\r\nSubject: Addresses\r\n\r\n" + raw_text(r)


def charsets(r: Random) -> bytes:
    """A charset that lies, does not exist, is a codec of another kind, or switches for ever."""
    claimed = r.choice(CHARSETS).encode()
    body = r.choice((
        lambda: text(r, 60).encode(r.choice(("utf-8", "utf-16", "utf-7", "latin-1", "iso2022_jp_ext", "hz", "koi8-r")), "replace"),
        lambda: b"".join(r.choice(NASTY) + noise(r, 6) for _ in range(200)),
        lambda: b"\x1b$B" + noise(r, 400) + b"\x1b(J" * 50,
        lambda: b"+" + base64.b64encode(noise(r, 90)) + b"-",
    ))()
    kind = r.choice((b"text/plain", b"text/html", b"text/enriched", b"text/calendar", b"TEXT/PLAIN"))
    return head(r, b"Content-Type: " + kind + b"; charset=" + r.choice((claimed, b'"' + claimed + b'"', claimed + b"\x00"))) + b"\r\n" + body


def encodings(r: Random) -> bytes:
    """Base64, quoted-printable, uuencode and yEnc that were cut, mixed or never were."""
    plain = text(r, 80).encode()
    body = r.choice((
        lambda: base64.encodebytes(plain)[: r.randrange(1, 400)] + noise(r, 5),
        lambda: base64.b64encode(plain).replace(b"A", b"=") + b"===" + plain,
        lambda: b"=" * r.randrange(300) + b"=ZZ=\r\n=4=C3=" + plain,
        lambda: b"begin 644 " + noise(r, 20) + b"\r\nM" + noise(r, 100) + b"\r\n`\r\nend",
        lambda: b"begin 999 ../../x\r\n" + b"M" * 62 + b"\r\n" * 30,
        lambda: b"=ybegin part=1 line=128 size=99999999999999999999 name=" + noise(r, 9) + b"\r\n" + noise(r, 400) + b"\r\n=yend size=-1",
        lambda: b"H4sIAAAAAAAA" + noise(r, 50),
    ))()
    return head(r, b"Content-Type: " + r.choice((b"text/plain", b"application/pdf; name=x.pdf", b"multipart/mixed; boundary=b")),
                b"Content-Transfer-Encoding: " + r.choice(ENCODINGS).encode()) + b"\r\n" + body


def line_ends(r: Random) -> bytes:
    ends = (b"\r", b"\n", b"\r\n", b"\r\r\n", b"\n\r", b"\x0b", b"\x0c", b"\x85", b"\x00\n")
    lines = (head(r, b"Content-Type: multipart/mixed; boundary=b") + b"\r\n--b\r\n" + leaf(r) + b"\r\n--b\r\n" + leaf(r) + b"\r\n--b--").split(b"\r\n")
    return b"".join(line + r.choice(ends if r.random() < 0.4 else ends[:3]) for line in lines)


def words(r: Random) -> bytes:
    """RFC 2047 words broken in every place: charset, letter, payload, end, neighbours, nesting."""
    def word() -> bytes:
        payload = r.choice((base64.b64encode(text(r, 3).encode()), noise(r, 20), b"=C3=", b"=?utf-8?q?x?=", b"_" * 50, b"=", b"A", b"AAA", b"\x00"))
        charset = r.choice(CHARSETS).encode() + r.choice((b"", b"*de", b"*", b"*" + b"x" * 30))
        return r.choice((b"=?", b"=", b"=?=?")) + charset + b"?" + r.choice((b"b", b"Q", b"B", b"q", b"x", b"", b"bb")) + b"?" + payload + r.choice((b"?=", b"?", b"=", b"?==?", b""))
    subject = r.choice((b" ", b"", b"\r\n ", b"\t", b"x")).join(word() for _ in range(r.randrange(1, 60)))
    return head(r, b"X-More: " + word(), b"Cc: " + word() + b" <c@example.com>", subject=subject) + b"\r\nbody"


def parameters(r: Random) -> bytes:
    """RFC 2231 continuations with holes, doubles, loops, a thousand pieces, charsets that lie."""
    def piece() -> bytes:
        name = r.choice((b"filename", b"name", b"charset", b"boundary", b"FileName"))
        star = r.choice((b"", b"*", b"*0", b"*0*", b"*1", b"*1*", b"*9999*", b"*00*", b"*-1*", b"**", b"*0*0*", b"*99999999999999999999*"))
        value = r.choice((b"utf-8''%e2%82%ac", b"''", b"x'y'z'w", b"%", b"%zz%", b'"unclosed', b'"a\\', b"\x00", b"utf-7'de'+AAA-", b"=?utf-8?b?w6Q=?=", raw_text(r, 2)))
        return b"; " + name + star + r.choice((b"=", b" = ", b"==", b"")) + value
    count = r.choice((1, 3, 10, 60, 400))
    value = b"".join(piece() for _ in range(count))
    return head(r, b"Content-Type: multipart/mixed; boundary=b") + b"\r\n--b\r\nContent-Disposition: attachment" + value + b"\r\nContent-Type: " + r.choice((b"text/plain", b"a/b", b"")) + value + b"\r\n\r\nx\r\n--b--"


def dates(r: Random) -> bytes:
    date = r.choice((
        b"Mon, 01 Jan 0000 00:00:00 +0000", b"Fri, 31 Dec 99999 23:59:60 -9999", b"31 Feb 2025 25:61:61 +2460", b"Mon, 1 Jan 1 0:0:0 -0000", b"-1", b"0",
        b"99999999999999999999", b"2025-10-06T10:00:00Z", b"Mon, 6 Oct 25 10:00 EDT(" + b"(" * 200, b"1 Jan 9999 23:59:59 -2359", b"1 Jan 0001 00:00:00 +2359",
        noise(r, 60), text(r).encode(), b"6 Okt 2025 10:00:00 +0200", b"Thu, 01 Jan 1970 00:00:00 " + b"+" * 50, b"1 Jan " + b"9" * 4000,
    ))
    return b"From: a@example.com\r\nDate: " + date + b"\r\nDate: " + noise(r, 9) + b"\r\nReceived: x; " + date + b"\r\nSubject: Date\r\n\r\nx"


def ids(r: Random) -> bytes:
    """Message-ID and References of garbage, up to 10 kB, and thousands of them."""
    def one() -> bytes:
        return r.choice((
            b"<>", b"<@>", b"<" + b"x" * 10_000 + b"@example.com>", b'<"a\\"b"@example.com>', b"<a b@example.com>", b"<a\r\n b@example.com>", b"<" + noise(r, 40) + b">", b"a@b",
            b"<a@b", b"a@b>", b"<<a@b>>", b"<a@b><c@d>", b"{5}", b"<{5}\r\n@example.com>", b"<(a)@example.com>", "<ä@exämple.com>".encode(), b"<%d@example.com>" % r.randrange(99), b"\x00",
        ))
    count = r.choice((1, 5, 100, 900))
    references = r.choice((b" ", b"\r\n ", b",")).join(one()[:200] for _ in range(count))[:60_000]
    return b"From: a@example.com\r\nSubject: Ids\r\nMessage-ID: %s\r\nIn-Reply-To: %s\r\nReferences: %s\r\n\r\nx" % (one(), one(), references)


def long_lines(r: Random) -> bytes:
    unit = r.choice((b"x", b"> ", b"=20", b"(", b"<", b"http://", b"a@", b"\xff", b"On Mon wrote: ", b"-- ", b"_", b"=?", b"&#", b"www."))
    kind = r.choice((b"text/plain; format=flowed", b"text/html", b"text/plain"))
    return head(r, b"Content-Type: " + kind, subject=unit * r.randrange(300)) + b"\r\n" + unit * r.randrange(1, 60_000 // len(unit))


def tnef(r: Random) -> bytes:
    body = b"\x78\x9f\x3e\x22" + noise(r, 2)
    for _ in range(r.randrange(20)):
        size = r.choice((0, 3, 40, 2**31, 2**32 - 1))
        body += bytes([r.randrange(4)]) + r.randbytes(4) + size.to_bytes(4, "little") + noise(r, 60)
    body += b"LZFu" + noise(r, 80)
    return head(r, b"Content-Type: application/ms-tnef; name=winmail.dat", b"Content-Transfer-Encoding: base64") + b"\r\n" + base64.encodebytes(body)


def html(r: Random) -> bytes:
    unit = r.choice((
        b"<div>", b"<table><tr><td>", b"<b><p>", b"<!--", b"<![CDATA[", b"&" + b"amp;" * 3, b"&#x110000;", b"&#0;", b"<style>@import 'x';}", b"<svg><math><style>", b"<a href='javascript:x'>",
        b"<blockquote type=cite>", b"<img src=cid:x onerror=y>", b"<" + noise(r, 10), b"</p>", b"<template><noscript>", b"<base href=x>", b"<font color=" + b"x" * 99 + b">", b"<plaintext>",
        b"<div style='a:b;background:url(x);width:expression(y)'>", b"<o:p><![if gte mso 9]>", b"<a href='http://a'>x</a>",
    ))
    body = b"".join((unit if r.random() < 0.8 else raw_text(r, 2)) for _ in range(r.choice((3, 30, 300, 1500))))
    return head(r, b"Content-Type: text/html; charset=" + r.choice(CHARSETS).encode("utf-8")) + b"\r\n<html>" + body


def embedded(r: Random) -> bytes:
    """Mails in mails, message/partial, message/external-body, and archives that must never be opened."""
    kind = r.choice((
        b"message/rfc822", b"message/partial; id=x; number=1; total=0", b"message/external-body; access-type=local-file; name=/etc/passwd", b"message/global", b"message/delivery-status",
        b"message/disposition-notification", b"message/feedback-report", b"application/zip; name=a.zip", b"application/gzip", b"message/http", b"message/x-" + noise(r, 4).hex().encode(),
    ))
    body = leaf(r)
    for _ in range(r.randrange(1, 20)):
        body = head(r, b"Content-Type: " + kind) + b"\r\n" + body
    return body


def reports(r: Random) -> bytes:
    status = b"\r\n".join(
        r.choice((b"Reporting-MTA: dns; x", b"Final-Recipient: rfc822; " + raw_text(r, 1), b"Action: " + r.choice((b"failed", b"delayed", noise(r, 5))), b"Status: " + r.choice((b"5.1.1", b"9.9.9", b"5." * 50, noise(r, 9))),
                  b"", b"Diagnostic-Code: smtp; 550 " + raw_text(r, 3), b"Original-Message-ID: " + noise(r, 30), b"Feedback-Type: abuse", b"Arrival-Date: x"))
        for _ in range(r.randrange(30))
    )
    kind = r.choice((b"delivery-status", b"feedback-report", b"disposition-notification", noise(r, 3).hex().encode()))
    return (
        head(r, b"Content-Type: multipart/report; report-type=" + kind + b"; boundary=r", b"Auto-Submitted: auto-replied")
        + b"\r\n--r\r\n\r\n" + raw_text(r) + b"\r\n--r\r\nContent-Type: message/" + kind + b"\r\n\r\n" + status + b"\r\n--r\r\nContent-Type: message/rfc822\r\n\r\n" + head(r) + b"\r\n--r--"
    )


def rubbish(r: Random) -> bytes:
    """No mail at all."""
    return r.choice((
        lambda: b"", lambda: noise(r, 3000), lambda: b"\x00" * r.randrange(5000), lambda: b"\r\n" * r.randrange(2000), lambda: b":" * r.randrange(2000),
        lambda: b"\x1f\x8b" + noise(r, 900), lambda: b"%PDF-1.7" + noise(r, 900), lambda: b"<html>" + raw_text(r), lambda: text(r, 200).encode("utf-16"),
    ))()


KINDS: tuple[Kind, ...] = (
    boundaries, nesting, headers, addresses, charsets, encodings, line_ends, words, parameters, dates, ids, long_lines, tnef, html, embedded, reports, rubbish,
)
