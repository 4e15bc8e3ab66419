"""What this machine can do at this moment: reading a mailbox and dropping it, reading it with the usual libraries, and a fixed
piece of work on one core.

All are measured in the run whose figures they stand beside, so that figures of a busy machine can be told from slow code.
"""

import email
import hashlib
import re
import socket
import time

from imapclient import IMAPClient

PARSED = 1_000  # mails, at most
AT_ONCE = 100
HASHED = 256 * 1024 * 1024
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


def hashing() -> float:
    """Seconds of wall time for sha256 over 256 MB on one core."""
    block = bytes(1024 * 1024)
    began = time.perf_counter()
    digest = hashlib.sha256()
    for _ in range(HASHED // len(block)):
        digest.update(block)
    digest.digest()
    return time.perf_counter() - began


def fetch_and_drop(host: str, port: int, user: str, password: str) -> tuple[int, float]:
    """Fetch every mail of INBOX over a plain socket and forget it: how many, and how many a second. Blocks.

    Raises AssertionError when the server refuses a command.
    """
    with socket.create_connection((host, port), timeout=60) as line, line.makefile("rb", 1 << 20) as answers:
        answers.readline()

        def ask(tag: bytes, command: bytes) -> int:
            line.sendall(tag + b" " + command + b"\r\n")
            mails = 0
            while not (answer := answers.readline()).startswith(tag + b" "):
                assert answer, "the server closed the connection"
                if (mark := _LITERAL.search(answer)) is not None:
                    left = int(mark[1])
                    while left:
                        left -= len(answers.read(min(left, 1 << 20)))
                    mails += 1
            assert b" OK" in answer[:8], f"{command.split()[0]!r} was refused"
            return mails

        ask(b"a", b'LOGIN "%s" "%s"' % (user.encode(), password.encode()))
        ask(b"b", b"EXAMINE INBOX")
        began = time.perf_counter()
        mails = ask(b"c", b"UID FETCH 1:* (UID BODY.PEEK[])")
        return mails, mails / (time.perf_counter() - began)


def fetch_and_parse(host: str, port: int, user: str, password: str) -> float:
    """Mails a second that one process gets by IMAPClient and reads by the standard library: what a short script would do. Blocks."""
    with IMAPClient(host, port, ssl=False) as client:
        client.login(user, password)
        client.select_folder("INBOX", readonly=True)
        uids = client.search()[:PARSED]
        began = time.perf_counter()
        for start in range(0, len(uids), AT_ONCE):
            for answer in client.fetch(uids[start : start + AT_ONCE], ["BODY.PEEK[]"]).values():
                email.message_from_bytes(answer[b"BODY[]"])
        return float(len(uids) / (time.perf_counter() - began))
