"""A generated mailbox: threads, attachments, duplicates, HTML and odd charsets, the same bytes for the same seed.

Sizes follow what teams get: most mails are small, a few carry files; the mean is about 36 kB.
"""

import base64
import datetime as dt
import itertools
import random
from collections.abc import Iterator
from email.utils import format_datetime

# As people write: few words often, most of 40,000 seldom (Zipf). With a handful of words every index would look fast.
VOCABULARY = 40_000
SYLLABLES = [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "n", "r", "s", "t")]


def _vocabulary() -> list[str]:
    chance = random.Random(1)
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(chance.choices(SYLLABLES, k=chance.choice((1, 2, 2, 3, 3, 4))))] = None
    return list(words)


WORDS = _vocabulary()
OFTEN = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))  # Zipf and Mandelbrot
MEAN_ATTACHMENT = 138_000
ATTACHED = 0.16
HTML = 0.55
THREADED = 0.55
DUPLICATED = 0.01


def mails(count: int, *, seed: int = 20, to: str = "support@bench.example.com") -> Iterator[bytes]:
    """`count` raw mails with CRLF lines. About one in a hundred is the same again, byte for byte."""
    chance = random.Random(seed)
    start = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)
    threads: list[list[str]] = []
    last: bytes | None = None
    for number in range(count):
        if last is not None and chance.random() < DUPLICATED:
            yield last
            continue
        thread = chance.choice(threads[-400:]) if threads and chance.random() < THREADED else []
        if not thread:
            threads.append(thread)
        ident = f"<{number}.{chance.getrandbits(64):x}@customers.example.org>"
        last = _mail(chance, number, ident, thread, start + dt.timedelta(minutes=number), to)
        thread.append(ident)
        yield last


def _mail(
    chance: random.Random, number: int, ident: str, thread: list[str], at: dt.datetime, to: str
) -> bytes:
    person = chance.randrange(2000)
    subject = " ".join(chance.choices(WORDS, cum_weights=OFTEN, k=5)).capitalize()
    text = "\r\n".join(
        " ".join(chance.choices(WORDS, cum_weights=OFTEN, k=chance.randint(6, 12)))
        for _ in range(chance.randint(4, 40))
    )
    head = [
        f"Return-Path: <person{person}@customers.example.org>",
        f"Received: from mx{person % 7}.example.org by mail.bench.example.com; {format_datetime(at)}",
        f"From: Person {person} <person{person}@customers.example.org>",
        f"To: Support <{to}>",
        f"Subject: {'Re: ' if thread else ''}{subject}",
        f"Date: {format_datetime(at)}",
        f"Message-ID: {ident}",
    ]
    if thread:
        head += [f"In-Reply-To: {thread[-1]}", "References: " + "\r\n ".join(thread[-12:])]
        quoted = "\r\n".join(
            f"> {' '.join(chance.choices(WORDS, cum_weights=OFTEN, k=9))}"
            for _ in range(chance.randint(3, 60))
        )
        text += f"\r\n\r\nOn Monday somebody wrote:\r\n{quoted}"
    head.append("MIME-Version: 1.0")
    body = _alternative(chance, text, number) if chance.random() < HTML else _plain(text)
    if chance.random() < ATTACHED:
        body = _mixed(chance, body, number)
    return ("\r\n".join(head) + "\r\n" + body).encode("utf-8", "surrogateescape")


def _plain(text: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"


def _alternative(chance: random.Random, text: str, number: int) -> str:
    paragraphs = "".join(f'<p style="margin:0 0 8px">{line}</p>\r\n' for line in text.split("\r\n"))
    cells = "".join(
        f'<td width="{chance.randint(20, 200)}">{chance.choices(WORDS, cum_weights=OFTEN)[0]}</td>'
        for _ in range(60)
    )
    html = f"<html><body>{paragraphs}<table><tr>{cells}</tr></table></body></html>"
    edge = f"alt-{number}"
    return (
        f'Content-Type: multipart/alternative; boundary="{edge}"\r\n\r\n--{edge}\r\n{_plain(text)}--{edge}\r\n'
        f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{html}\r\n--{edge}--\r\n"
    )


def _mixed(chance: random.Random, body: str, number: int) -> str:
    size = min(int(chance.expovariate(1 / MEAN_ATTACHMENT)) + 2_000, 4_000_000)
    # A few files come again and again, like logos and terms: they are stored once.
    source = random.Random(number % 40) if chance.random() < 0.4 else chance
    data = base64.encodebytes(source.randbytes(size)).decode().replace("\n", "\r\n")
    edge = f"mix-{number}"
    return (
        f'Content-Type: multipart/mixed; boundary="{edge}"\r\n\r\n--{edge}\r\n{body}--{edge}\r\n'
        f'Content-Type: application/pdf; name="file {number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="file {number}.pdf"\r\n\r\n{data}--{edge}--\r\n'
    )
