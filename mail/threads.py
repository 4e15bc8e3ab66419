"""What a mail says about where it belongs: its own id, its parents, a signed token, a ticket number, its base subject.
Only hints are drawn here; which conversation they lead to, and how far each is trusted, is decided by the store.
"""

from dataclasses import dataclass

from mail.message_ids import valid_message_id
from mail.reply_token import read_token
from mail.subjects import normalise_subject, ticket_number_in
from mail.values import ParsedMail

# A thread longer than this is found by its nearest members; a mail with ten thousand References is an attack.
_MOST_PARENTS = 100


@dataclass(frozen=True, slots=True)
class ThreadHints:
    """Strongest first. `parents` holds In-Reply-To, then References from the nearest to the oldest: each once, only
    valid ids, never the mail's own. `reply_token_number` is proven ours, `ticket_number` is only typed text.
    """

    own_id: str | None
    parents: tuple[str, ...]
    reply_token_number: int | None
    ticket_number: int | None
    normalized_subject: str


def thread_hints(mail: ParsedMail, *, token_secret: bytes, tenant: str) -> ThreadHints:
    """The hints of one mail. An id that is empty or malformed is no hint: it would join strangers (RFC 5322 §3.6.4)."""
    own = mail.message_id if mail.message_id and valid_message_id(mail.message_id) else None
    # The writer of In-Reply-To may name several parents (§3.6.4); References grows at its end.
    named = dict.fromkeys((*mail.in_reply_to, *reversed(mail.references)))
    parents = tuple(i for i in named if valid_message_id(i) and i != own)[:_MOST_PARENTS]
    numbers = (read_token(parent, tenant, token_secret) for parent in parents)
    return ThreadHints(
        own_id=own,
        parents=parents,
        reply_token_number=next((number for number in numbers if number is not None), None),
        ticket_number=ticket_number_in(mail.subject),
        normalized_subject=normalise_subject(mail.subject),
    )
