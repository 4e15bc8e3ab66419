"""Which flags changed and which mails went away since last time, by the best means the server has (RFC 7162)."""

from providers.errors import ProtocolBroken
from providers.imap.connection import ImapConnection
from providers.imap.dialogue import Response
from providers.imap.fetch_response import is_fetch, read_fetch
from providers.imap.search import expand_set, uids_after
from providers.imap.values import FlagChanges, FlagCursor, FolderState


def flag_changes(connection: ImapConnection, state: FolderState, known: FlagCursor) -> FlagChanges:
    """Changes within `known`'s UID range of the folder that `state` describes. Blocks.

    QRESYNC tells changed flags and vanished UIDs; CONDSTORE changed flags only; otherwise all flags are read. A
    HIGHESTMODSEQ lower than the known one is a server that was restored from a backup: everything is read again.
    """
    if known.last_uid < known.first_uid:
        return FlagChanges({}, [], frozenset(), state.highest_modseq)
    scope = b"%d:%d" % (known.first_uid, known.last_uid)
    since, now = known.highest_modseq, state.highest_modseq
    usable = since is not None and now is not None and now >= since
    if usable and connection.qresync:
        flags, vanished = _read(
            connection, scope, b"(UID FLAGS)", b"(CHANGEDSINCE %d VANISHED)" % (since or 0)
        )
        gone = sorted(uid for uid in vanished if known.first_uid <= uid <= known.last_uid)
        return FlagChanges(flags, gone, None, now)
    modifiers = [b"(CHANGEDSINCE %d)" % (since or 0)] if usable and connection.condstore else []
    flags, _none = _read(connection, scope, b"(UID FLAGS)", *modifiers)
    # Presence is asked for by itself: a FETCH answer without UID or FLAGS must never read as a deleted mail.
    present = frozenset(uid for uid in uids_after(connection, known.first_uid - 1) if uid <= known.last_uid)
    return FlagChanges({uid: told for uid, told in flags.items() if uid in present}, None, present, now)


def _read(
    connection: ImapConnection, scope: bytes, *what: bytes
) -> tuple[dict[int, frozenset[str]], set[int]]:
    flags: dict[int, frozenset[str]] = {}
    vanished: set[int] = set()

    def take(response: Response) -> bool:
        if response[0][:9].upper() == b"VANISHED ":
            # "(EARLIER) 41,43:116" (RFC 7162 §3.2.10)
            vanished.update(expand_set(response[0].strip().rpartition(b" ")[2]))
            return True
        if not is_fetch(response):
            return False
        item = read_fetch(response)
        if item is None:
            raise ProtocolBroken("fetch_unreadable")
        if item.uid is not None and item.flags is not None:
            flags[item.uid] = item.flags
        return True

    connection.dialogue.run("UID FETCH", scope, *what, on_response=take)
    return flags, vanished - flags.keys()
