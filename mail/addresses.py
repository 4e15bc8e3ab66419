"""Mailbox lists of RFC 5322 §3.4 and what passes for them: groups, routes, comments, stray commas, encoded names.

Promises linear time and displayable names; whether an address exists, or whose it is, is for others.
"""

import re

from mail.display_text import displayable
from mail.headers import decode_words
from mail.values import Address

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[()<>,;:]|[^\s"(),;:<>]+|\s+', re.DOTALL)
_SPACES = re.compile(r"\s+")
_NOT_IN_ADDRESS = re.compile(r"[\s<>(),;:\"\\\x00-\x20\x7f]+")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=^_`{|}~.\-]{1,64}")
_MAX_ADDRESS = 998
_MAX_HELD = 40
# How nearly every address is written. It must match nothing that the slow way would read differently: names of plain words
# without quotes and dots at the ends, addresses of atoms, one entry.
_PLAIN = re.compile(
    r"(?:([A-Za-z0-9](?:[A-Za-z0-9 .-]{0,60}[A-Za-z0-9])?) )?<([A-Za-z0-9][A-Za-z0-9._+-]{0,62}@[A-Za-z0-9][A-Za-z0-9.-]{0,62})>"
)


def parse_addresses(text: str, at_most: int) -> list[Address]:
    """Addresses in order, at most `at_most` + 1 of them: one more than allowed tells the caller that there are too many.

    `text` is what `headers.raw_text` gave: encoded words are decoded here, after the list has been split, since they may
    hide commas and brackets. An entry without any address (`undisclosed-recipients:;`, a bare name) yields nothing.
    """
    if (plain := _PLAIN.fullmatch(text)) is not None:
        return [Address(address=plain[2], name=_SPACES.sub(" ", plain[1]) if plain[1] else "")]
    found = _split(text, at_most)
    if not found and "=?" in text:  # a whole `Name <address>` put into one encoded word: wrong, and seen in practice
        found = _split(decode_words(text), at_most)
    if not found and '"' in text:  # a quote that is never closed swallows the rest of the list
        found = _split(text.replace('"', ""), at_most)
    return found


def _split(text: str, at_most: int) -> list[Address]:
    out: list[Address] = []
    held: list[str] = []  # words of entries before a comma that named no address: `Doe, Jane <j@…>`
    words: list[str] = []  # of the entry being read, outside brackets
    comments: list[str] = []
    inside: list[str] | None = None  # of `<…>`
    bracketed: str | None = None
    depth = 0

    def flush(*, final: bool) -> None:
        nonlocal held, words, comments, bracketed
        entry = _entry(words, comments, bracketed)
        if entry is None and not final:
            held = [*held[-_MAX_HELD:], *words[:_MAX_HELD], ","]
        else:
            if entry is not None and bracketed is not None and held:
                entry = Address(address=entry.address, name=_name([*held, *words]))
            else:
                out.extend(_local_mailboxes(held if entry is not None else [*held, *words], comments))
            if entry is not None:
                out.append(entry)
            held = []
        words, comments, bracketed = [], [], None

    for match in _TOKEN.finditer(text):
        token = match[0]
        if depth:
            depth += (token == "(") - (token == ")")  # noqa: S105 – a bracket, not a password
            if depth:
                comments.append(token)
        elif inside is not None:
            if token == ">":  # noqa: S105
                bracketed, inside = _route_free(inside), None
            elif token != "<":  # noqa: S105
                inside.append(token)
        elif token == "(":  # noqa: S105
            depth = 1
        elif token == "<":  # noqa: S105
            if bracketed is not None:  # `<a@x> <b@x>` without a comma
                flush(final=False)
            inside = []
        elif token == ":":  # noqa: S105
            held, words = [], []  # the group's name is dropped, its members stay
        elif token in {",", ";"}:
            flush(final=token == ";")  # noqa: S105
            if len(out) > at_most:
                return out[: at_most + 1]
        elif token != ")":  # noqa: S105
            words.append(token)
    if inside is not None:
        bracketed = _route_free(inside)  # a bracket that is never closed still names an address
    flush(final=True)
    return out[: at_most + 1]


def _route_free(tokens: list[str]) -> str:
    """What stands in the brackets, without white space and without the source route of RFC 5322 §4.4 (`@a,@b:c@d`)."""
    joined = "".join(tokens)
    if joined.startswith("@"):
        joined = joined.partition(":")[2] or joined
    # Seen in practice: `<Undisclosed-Recipient:;>`, an empty group inside brackets. It names nobody.
    return "" if ":" in joined.partition("@")[0] and not joined.startswith(('"', "mailto:")) else joined.strip()


def _entry(words: list[str], comments: list[str], bracketed: str | None) -> Address | None:
    if bracketed:
        address = _address(bracketed)
        if address:
            return Address(address=address, name=_name(words) or _name(comments))
    parts = [w for w in words if w.strip()]
    for at, word in enumerate(parts):
        if "@" in word and not word.startswith('"'):
            local = parts[at - 1] if word.startswith("@") and at and parts[at - 1].startswith('"') else ""
            address = _address(local + word)
            if address.strip("@"):
                others = parts[: at - (1 if local else 0)] + parts[at + 1 :]
                return Address(address=address, name=_name([t for w in others for t in (w, " ")]) or _name(comments))
    return None


def _local_mailboxes(words: list[str], comments: list[str]) -> list[Address]:
    """`From: MAILER-DAEMON (Mail Delivery Subsystem)`: mailboxes without a domain, still the sender's own word.

    Only when each stands alone between commas: `Jane Doe` without an address is a name and names no mailbox.
    """
    entries = "".join(words).split(",")
    alone = [e.strip() for e in entries if e.strip()]
    if any(not _LOCAL.fullmatch(e) for e in alone):
        return []
    name = _name(comments) if len(alone) == 1 else ""
    return [Address(address=e, name=name) for e in alone]


def _address(text: str) -> str:
    text = text.strip()
    if text.lower().startswith("mailto:"):
        text = text[7:]
    text = displayable(decode_words(text) if "=?" in text else text)
    if text.startswith('"') and (close := text.rfind('"')) > 0 and text[close + 1 : close + 2] == "@":
        quoted, domain = text[: close + 1], text[close + 1 :]
        return (quoted + _NOT_IN_ADDRESS.sub("", domain))[:_MAX_ADDRESS]
    return _NOT_IN_ADDRESS.sub("", text.strip("'\""))[:_MAX_ADDRESS]


def _name(tokens: list[str]) -> str:
    pieces: list[str] = []
    for token in tokens:
        if token.startswith('"'):
            inner = token[1:-1] if len(token) > 1 and token.endswith('"') else token[1:]
            pieces.append(re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL))
        else:
            pieces.append(token)
    name = displayable(decode_words(_SPACES.sub(" ", "".join(pieces)))).strip(" ,")
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1].strip()
    return name[:998]
