"""Finds a mail by its Message-ID: the proof that something was sent, or is already filed (integrity S-3, S-11)."""

from providers.imap.arguments import message_id, uid_sets
from providers.imap.connection import ImapConnection
from providers.imap.fetching import run_fetch
from providers.imap.search import searched

_MOST_HITS = 50


def search_message_id(connection: ImapConnection, value: str) -> list[int]:
    """UIDs in the open folder whose Message-ID header holds exactly `value`, ascending. Blocks.

    The server's search is a substring match, and some servers ignore the criterion: each hit is looked at. Raises
    ValueError for a Message-ID that cannot be searched for safely.
    """
    answer = connection.dialogue.run("UID SEARCH", b"HEADER Message-ID", message_id(value))
    hits = sorted(searched(answer))[-_MOST_HITS:]
    wanted = value.encode("ascii")
    sure: set[int] = set()
    for set_text, members in uid_sets(hits):
        for item in run_fetch(connection, set_text, b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
            # A long id may be folded over two lines: white space does not count.
            if (
                item.uid in members
                and item.uid is not None
                and wanted in b"".join((item.body or b"").split())
            ):
                sure.add(item.uid)
    return sorted(sure)
