"""The letters of the demo: what customers of a bicycle shop write, with the faults that real mail has.

Pure functions from a time to raw mails; delivering them is `stack.demo_customers`. Each letter is named for what it shows.
"""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

SHOP = "support@mailroom.example.com"
ADA = ("Ada Whitcombe", "ada@customers.example.com")
GRACE = ("Grace Okonjo", "grace@customers.example.com")
LINUS = ("Linus Bergström", "linus@customers.example.org")
BARBARA = ("Barbara Nowak", "barbara@customers.example.org")

# What a customer opens with, and what the same customer says when answered.
SMALL_TALK: tuple[tuple[str, str, str], ...] = (
    (
        "Do you service e-bikes?",
        (
            "Hello,\n\nmy e-bike makes a grinding noise when the motor helps. It is three years old.\n"
            "Do you look at those, and how long is the wait at the moment?"
        ),
        "Thursday works for me. I will bring the charger too, just in case.",
    ),
    (
        "Wrong size delivered",
        (
            "Hi there,\n\nI ordered the rain jacket in M and got an L. The colour is right.\n"
            "Can I swap it in the shop, or do I have to send it back first?"
        ),
        "Perfect, then I will come by on Saturday. Thanks for the quick answer!",
    ),
    (
        "Invoice for the company",
        (
            "Good morning,\n\ncould you make out the invoice for the two cargo bikes to our company instead of to me?\n"
            "Our accountant needs it before the end of the month."
        ),
        "That was fast. The address is right now, thank you.",
    ),
    (
        "Opening hours on the holiday",
        "Hello, are you open next Monday? Your site says yes, the sign on the door says no.",
        "Good to know. See you on Tuesday then.",
    ),
    (
        "Spare key lost",
        (
            "Hi,\n\nI lost the spare key for the frame lock. The number on the lock is on my bill, I hope.\n"
            "What would a new one cost?"
        ),
        "Please order it. I will pick it up when it arrives.",
    ),
)


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail, its age at delivery, the folder (None is the inbox) and whether it has been read."""

    name: str
    raw: bytes
    age: timedelta
    folder: str | None = None
    seen: bool = False


def plain(
    sender: tuple[str, str],
    subject: str,
    text: str,
    at: datetime,
    *,
    ident: str,
    answers: tuple[str, ...] = (),
) -> EmailMessage:
    """A plain letter to the shop. `answers` are the Message-IDs of the thread so far, oldest first."""
    letter = EmailMessage(policy=SMTP)
    name, address = sender
    letter["From"] = f"{name} <{address}>"
    letter["To"] = SHOP
    letter["Subject"] = subject
    letter["Date"] = format_datetime(at)
    letter["Message-ID"] = f"<{ident}@{address.partition('@')[2]}>"
    if answers:
        letter["In-Reply-To"] = answers[-1]
        letter["References"] = " ".join(answers)
    letter.set_content(f"{text}\n\nKind regards\n{name}\n")
    return letter


def history(now: datetime) -> Iterator[Letter]:
    """A month before the inbox was connected: two threads with answers written elsewhere, and single letters."""

    def letter(name: str, age: timedelta, message: EmailMessage, folder: str | None = None) -> Letter:
        return Letter(name, message.as_bytes(), age, folder, seen=True)

    age = timedelta(days=21, hours=3)
    first = plain(
        ADA,
        "Gears slip under load",
        "Since the last service the chain jumps on the two smallest cogs.",
        now - age,
        ident="gears-1",
    )
    yield letter("thread, first letter", age, first)
    age = timedelta(days=21)
    reply = plain(("Larkspur Cycles", SHOP), "Re: Gears slip under load", "Sorry to hear that. Bring it in on Friday, we look at it while you wait.", now - age, ident="gears-2", answers=(first["Message-ID"],))  # fmt: skip
    reply.replace_header("To", f"{ADA[0]} <{ADA[1]}>")
    yield letter("answer written in another mail program", age, reply, "Sent")
    age = timedelta(days=19)
    yield letter("thread, thanks", age, plain(ADA, "Re: Gears slip under load", "All good again, thank you!\n\n> Bring it in on Friday,\n> we look at it while you wait.", now - age, ident="gears-3", answers=(first["Message-ID"], reply["Message-ID"])))  # fmt: skip
    for number, (sender, (subject, text, _)) in enumerate(
        zip((GRACE, LINUS, BARBARA, ADA, GRACE), SMALL_TALK, strict=True), start=1
    ):
        age = timedelta(days=3 * number, hours=number)
        yield letter(
            f"old question {number}", age, plain(sender, subject, text, now - age, ident=f"old-{number}")
        )


def arrivals(now: datetime) -> Iterator[Letter]:
    """What comes in while one watches: each shows another thing that a mailbox has to cope with."""
    minute = timedelta(minutes=1)
    builders: tuple[tuple[str, Callable[[datetime], bytes]], ...] = (
        ("picture and PDF", with_files),
        ("reply to an old thread", late_reply),
        ("HTML with a remote picture", newsletter_like),
        ("undeclared bytes", broken_charset),
        ("invitation", invitation),
        ("out of office", out_of_office),
        ("bounce", bounce),
        ("spam", spam),
    )
    for place, (name, build) in enumerate(builders):
        age = minute * (len(builders) - place)
        yield Letter(name, build(now - age), age)


def small_talk(now: datetime, chance: random.Random, number: int) -> bytes:
    """A new question from a random customer. `number` makes its Message-ID unique."""
    sender = chance.choice((ADA, GRACE, LINUS, BARBARA))
    subject, text, _ = chance.choice(SMALL_TALK)
    return plain(sender, subject, text, now, ident=f"talk-{number}-{chance.getrandbits(40):x}").as_bytes()


def answer_to(
    received: EmailMessage, customer: tuple[str, str], now: datetime, chance: random.Random
) -> bytes:
    """The customer's reply to a mail of the shop, threaded as a mail program would and quoting it."""
    subject = str(received.get("Subject", ""))
    known = next(
        (reply for opening, _, reply in SMALL_TALK if opening.casefold() in subject.casefold()), None
    )
    body = received.get_body(("plain",))
    quoted = "".join(f"> {line}\n" for line in (body.get_content() if body else "").splitlines()[:12])
    text = (
        f"{known or 'Thank you, that helps.'}\n\nOn {format_datetime(now)}, Larkspur Cycles wrote:\n{quoted}"
    )
    parents = (*str(received.get("References", "")).split(), str(received["Message-ID"]))
    line = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    return plain(
        customer, line, text, now, ident=f"re-{chance.getrandbits(60):x}", answers=parents
    ).as_bytes()


def with_files(at: datetime) -> bytes:
    letter = plain(LINUS, "Crack in the frame?", "Please see the picture. Is that only paint? My bill is attached.", at, ident="crack-1")  # fmt: skip
    letter.add_alternative(
        '<p>Please see the picture. Is that only paint?</p><p><img src="cid:crack" alt="the frame" width="240"></p>'
        "<p>My bill is attached.</p><p>Kind regards<br>Linus Bergström</p>",
        subtype="html",
    )
    html = letter.get_payload()[1]  # type: ignore[index]
    html.add_related(picture(), "image", "png", cid="<crack>", filename="frame.png", disposition="inline")  # type: ignore[union-attr]
    letter.add_attachment(one_page_pdf("Larkspur Cycles, bill 2041"), maintype="application", subtype="pdf", filename="bill 2041.pdf")  # fmt: skip
    return letter.as_bytes()


def late_reply(at: datetime) -> bytes:
    thread = tuple(
        f"<gears-{n}@{d}>"
        for n, d in ((1, "customers.example.com"), (2, "mailroom.example.com"), (3, "customers.example.com"))
    )
    return plain(ADA, "Re: Gears slip under load", "It is back, sadly, but only uphill. Can I come by this week?", at, ident="gears-4", answers=thread).as_bytes()  # fmt: skip


def newsletter_like(at: datetime) -> bytes:
    letter = plain(BARBARA, "Quote for twelve bikes", "We look for twelve bikes for our staff, see the table.", at, ident="quote-1")  # fmt: skip
    letter.add_alternative(
        '<div style="font-family:Georgia,serif"><p>We look for twelve bikes for our staff:</p>'
        '<table border="1" cellpadding="6"><tr><th>Type</th><th>Size</th><th>Number</th></tr>'
        "<tr><td>City</td><td>M</td><td>7</td></tr><tr><td>City</td><td>L</td><td>4</td></tr>"
        "<tr><td>Cargo</td><td>one size</td><td>1</td></tr></table>"
        '<p>Could you make an offer by Friday?</p><img src="https://tracker.example.net/open.gif" width="1" height="1">'
        "<p>Barbara Nowak<br>Facilities</p></div>",
        subtype="html",
    )
    return letter.as_bytes()


def broken_charset(at: datetime) -> bytes:
    """Latin-1 bytes under a header that claims UTF-8, and a subject in raw 8-bit."""
    head = (
        f"From: Linus <{LINUS[1]}>\r\nTo: {SHOP}\r\nDate: {format_datetime(at)}\r\n"
        "Message-ID: <charset-1@customers.example.org>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    ).encode()
    subject = "Subject: Öl für die Kette\r\n\r\n".encode("latin-1")
    return (
        head
        + subject
        + "Grüße! Welches Öl passt für nasse Tage? Das grüne oder das weiße?\r\n".encode("latin-1")
    )


def invitation(at: datetime) -> bytes:
    letter = plain(GRACE, "Visit of the workshop", "We would like to come with the class, see the invitation.", at, ident="visit-1")  # fmt: skip
    start = at + timedelta(days=9)
    event = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//customers.example.com//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n"
        f"UID:visit-1@customers.example.com\r\nDTSTAMP:{at:%Y%m%dT%H%M%SZ}\r\nDTSTART:{start:%Y%m%dT090000Z}\r\n"
        f"DTEND:{start:%Y%m%dT110000Z}\r\nSUMMARY:Class visit\r\nORGANIZER:mailto:{GRACE[1]}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    letter.add_attachment(event.encode(), maintype="text", subtype="calendar", filename="invite.ics")
    return letter.as_bytes()


def out_of_office(at: datetime) -> bytes:
    letter = plain(BARBARA, "Out of office: Re: Invoice for the company", "I am away until Monday and answer then.", at, ident="away-1")  # fmt: skip
    letter["Auto-Submitted"] = "auto-replied"
    letter["X-Auto-Response-Suppress"] = "All"
    return letter.as_bytes()


def bounce(at: datetime) -> bytes:
    """A report of RFC 3464 about a mail that this installation never sent: it must match nothing and open nothing."""
    return (
        f"Return-Path: <>\r\nFrom: Mail Delivery System <mailer-daemon@customers.example.com>\r\nTo: {SHOP}\r\n"
        f"Date: {format_datetime(at)}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Message-ID: <bounce-1@customers.example.com>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nYour mail could not be delivered: the mailbox does not exist.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.customers.example.com\r\n\r\n"
        "Final-Recipient: rfc822; gone@customers.example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such mailbox\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: {SHOP}\r\nTo: gone@customers.example.com\r\n"
        "Message-ID: <spring-offer@mailroom.example.com>\r\nSubject: Spring offer\r\n--b--\r\n"
    ).encode()


def spam(at: datetime) -> bytes:
    letter = plain(("Prize Office", "winner@lucky.example.net"), "YOU HAVE WON!!!", "Claim your prize today.", at, ident="prize-1")  # fmt: skip
    letter["X-Spam-Flag"] = "YES"
    letter["X-Spam-Status"] = "Yes, score=17.2 required=5.0"
    return letter.as_bytes()


def picture(side: int = 160) -> bytes:
    """A PNG made on the spot: a pale frame tube with a dark crack across it."""
    rows = bytearray()
    for y in range(side):
        rows.append(0)
        for x in range(side):
            crack = abs(x - (y * 3 // 5 + 24 + (y % 13) // 3)) < 2 and 30 < y < 130
            tube = 40 < x < 120
            shade = 60 if crack else (205 - abs(x - 80) if tube else 238)
            rows += bytes((shade, min(255, shade + 8), min(255, shade + 14)))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + chunk(b"IEND", b"")
    )


def one_page_pdf(text: str) -> bytes:
    """The smallest honest PDF: one page with one line."""
    stream = f"BT /F1 18 Tf 72 720 Td ({text}) Tj ET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out) + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        table,
    )
