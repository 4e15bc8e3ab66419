"""Mails that the web client is looked at with: designed, hostile, and one that no parser should follow to its end."""

import email.policy
import email.utils
import struct
import uuid
import zlib
from email.message import EmailMessage


def picture(width: int = 320, height: int = 90) -> bytes:
    """A PNG: bars of growing height, as a chart of frame sizes has them."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def line(y: int) -> bytes:
        bar = width // 8
        inked = (x % bar < bar * 2 // 3 and height - y < height * (x // bar + 2) // 10 for x in range(width))
        return b"\0" + b"".join(b"\x2f\x4f\x9e" if ink else b"\xe7\xec\xf8" for ink in inked)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(map(line, range(height))))) + chunk(b"IEND", b"")


def designed(sender: str, to: str, subject: str, *, remote: str) -> bytes:
    """An HTML mail with a table, a picture of its own and one that lies at `remote`."""
    mail = _head(sender, to, subject)
    mail.set_content("The order of the club, as a table.")
    ident = email.utils.make_msgid(domain="customers.example.com")
    mail.add_alternative(
        f"""<div style="font-family:Arial"><h2 style="color:#1d4ed8">Order of the cycling club</h2>
        <p>Hello, we would like to order the following. The frame sizes are in the picture.</p>
        <table border="0" cellpadding="8" style="border-collapse:collapse"><tr style="background:#e7ecf8"><th align="left">Article</th><th>Pieces</th></tr>
        <tr><td>City bike, 54 cm</td><td align="center">3</td></tr><tr><td>Helmet, medium</td><td align="center">5</td></tr></table>
        <p><img src="cid:{ident[1:-1]}" alt="Frame sizes" width="320" height="90"></p>
        <p><img src="{remote}" alt="Club badge" width="60" height="60"></p><p>Kind regards<br>Ada</p></div>""",
        subtype="html",
    )
    mail.get_payload()[1].add_related(picture(), "image", "png", cid=ident, filename="sizes.png")  # type: ignore[union-attr, index]
    return mail.as_bytes()


def hostile(sender: str, to: str, subject: str, *, evil: str) -> bytes:
    """HTML that would mark `top.pwned` or call `evil` if any of it ran."""
    mail = _head(sender, to, subject)
    mail.set_content("Dear victim")
    mail.add_alternative(
        f"""<p id="shown">Dear victim, <a href="javascript:top.pwned=6">press me</a> <a href="&#106;avascript:top.pwned=7">or me</a></p><script>top.pwned=1;fetch('{evil}/1')</script><img src="x" onerror="top.pwned=2">
        <svg onload="top.pwned=3"><script>top.pwned=4</script></svg><svg><animate onbegin="top.pwned=5" attributeName="x" dur="1s"/></svg>
        <iframe src="{evil}/2"></iframe>
        <form action="{evil}/3"><button>Send</button></form><meta http-equiv="refresh" content="0;url={evil}/4">
        <base href="{evil}/"><object data="{evil}/5"></object><style>@import url("{evil}/6");body{{background:url({evil}/7)}}</style>""",
        subtype="html",
    )
    return mail.as_bytes()


def bottomless(sender: str, to: str, subject: str, levels: int = 60) -> bytes:
    """Multiparts within multiparts, deeper than anybody writes."""
    content = b"Content-Type: text/plain\r\n\r\nThe bottom, at last.\r\n"
    for level in range(levels):
        edge = b"level-%d" % level
        content = b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n%b\r\n--%b--\r\n' % (edge, edge, content, edge)
    head = (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {email.utils.formatdate()}\r\n"
        f"Message-ID: <{uuid.uuid4().hex}@customers.example.com>\r\nMIME-Version: 1.0\r\n"
    )
    return head.encode() + content


def _head(sender: str, to: str, subject: str) -> EmailMessage:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = email.utils.formatdate(localtime=False)
    mail["Message-ID"] = f"<{uuid.uuid4().hex}@customers.example.com>"
    return mail
