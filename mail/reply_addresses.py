"""Whom an answer goes to by default: Reply-To else From in To, everybody else who was addressed in Cc, never ourselves.
RFC 5322 §3.6.2 and §3.6.3. A person may change the list; freezing it and sending it is left to others.
"""

from collections.abc import Callable, Sequence

from mail.values import Address


def reply_addresses(
    *,
    from_: Address | None,
    reply_to: Sequence[Address],
    to: Sequence[Address],
    cc: Sequence[Address],
    own: frozenset[str],
    key: Callable[[str], str],
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """To and Cc of an answer to one received mail; each mailbox once, compared by `key`.

    `own` holds the keys of our own addresses. A Reply-To that names only ourselves (a form that fills in the address
    it writes to) is passed over for From. Both may come out empty: then there is nobody to answer.
    """
    seen: set[str] = set()

    def others(addresses: Sequence[Address]) -> tuple[Address, ...]:
        fresh = []
        for address in addresses:
            place = key(address.address)
            if "@" in place and place not in own and place not in seen:
                seen.add(place)
                fresh.append(address)
        return tuple(fresh)

    first = others(reply_to) or others([from_] if from_ else [])
    return first, others([*to, *cc])
