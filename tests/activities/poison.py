"""What poisonous mails do to a parser, on command. Imported by the children, so it imports next to nothing."""

import ctypes
import os
import time

from activities import parser_child
from mail.limits import TooComplex
from mail.parse import parse_mail


def poisoned(memory_bytes: int, cpu_seconds: int, secret: bytes) -> None:
    """A child's first act in these tests: as usual, but mails with a magic subject do what poison does."""
    parser_child.configure(memory_bytes, cpu_seconds, secret)
    vars(parser_child)["parse_mail"] = parse


def parse(raw: bytes, **known: str | None) -> object:
    if b"Subject: die" in raw:
        os._exit(7)
    if b"Subject: crash" in raw:
        ctypes.string_at(0)
    if b"Subject: loop" in raw:
        while True:
            pass
    if b"Subject: sleep" in raw:
        time.sleep(60)
    if b"Subject: bloat" in raw:
        return bytearray(3 * 1024**3)
    if b"Subject: raise" in raw:
        raise RuntimeError("a defect that quotes the mail")
    if b"Subject: complex" in raw:
        raise TooComplex("depth")
    return parse_mail(raw, **known)
