"""Files the one copy of a sent mail in Sent, and looks there for proof that an uncertain mail was sent.

Failing here never sends anything again (integrity S-11): the mail is out, only its copy is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from providers.errors import FolderGone
from providers.imap.source import ImapSource


@dataclass(frozen=True, slots=True)
class FiledCopy:
    """Where the copy is. `already` means that it was there before us: an earlier attempt, or the server's own copy."""

    uid: int | None
    already: bool


async def file_sent_copy(
    source: ImapSource, sent_path: str, raw: bytes, message_id: str, when: datetime
) -> FiledCopy:
    """Append `raw` to Sent unless a mail with its Message-ID is there already; at most one append per call.

    If it dies between search and append nothing was filed and the next call files it; after the append the next call
    finds it. Raises FolderGone if Sent does not exist, ValueError for a Message-ID that cannot be searched for.
    """
    await source.examine(sent_path)
    found = await source.search_message_id(message_id)
    if found:
        return FiledCopy(found[-1], already=True)
    uid = await source.append(sent_path, raw, ("\\Seen",), when)
    if uid is None:
        await source.examine(sent_path)
        filed = await source.search_message_id(message_id)
        uid = filed[-1] if filed else None
    return FiledCopy(uid, already=False)


async def look_for_sent(source: ImapSource, paths: Sequence[str], message_id: str) -> bool:
    """True if a mail with this Message-ID is in one of `paths`: proof that it was sent. False proves nothing (S-3)."""
    for path in paths:
        try:
            await source.examine(path)
        except FolderGone:
            continue  # Sent was renamed or never made; the other folders still count
        if await source.search_message_id(message_id):
            return True
    return False
