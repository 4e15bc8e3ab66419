"""Message-IDs as this house uses them: strict enough to go into a search or a key, read leniently from real headers.

Promises that every id it hands out passes `valid_message_id`; which id belongs to which mail is for the caller.
"""

import re

# RFC 5322 §3.6.4 allows quoted strings and 998 characters; both have been used to smuggle commands into IMAP searches
# and neither is seen in honest mail, so quotes, backslashes, spaces, controls and over-long ids are refused.
_VALID = re.compile(r"<(?=[^>]*[0-9A-Za-z])[!#-;=?-\[\]-~]{1,250}>")
_BRACKETED = re.compile(r"<([^<>]*)>")
_SPACE = re.compile(r"\s+")
_SEPARATORS = re.compile(r"[\s,;]+")


def valid_message_id(value: str) -> bool:
    """True for `<…>` with 1 to 250 printable ASCII characters inside, without space, quote, backslash or bracket.

    At least one letter or digit is needed: `<>` and `<@>` are empty ids, and an empty id must never match another.
    """
    return _VALID.fullmatch(value) is not None


def message_ids_in(header: str) -> tuple[str, ...]:
    """The valid ids of a Message-ID, In-Reply-To or References value, in order, each once, with angle brackets.

    Lenient where real mail is: folding white space inside an id is closed up, words between ids are passed over
    (RFC 5322 §4.5.4 let In-Reply-To hold phrases), and a bare `left@right` gets brackets when no bracket is present.
    """
    found: dict[str, None] = {}
    for match in _BRACKETED.finditer(header):
        candidate = f"<{_SPACE.sub('', match[1])}>"
        if valid_message_id(candidate):
            found[candidate] = None
    if not found and "<" not in header:
        for word in _SEPARATORS.split(header):
            candidate = f"<{word}>"
            if "@" in word and valid_message_id(candidate):
                found[candidate] = None
    return tuple(found)


def synthetic_message_id(raw_sha256: str) -> str:
    """The stand-in id of a mail that has none: derived from its bytes, under a domain that RFC 2606 keeps unusable."""
    return f"<{raw_sha256}@missing.invalid>"
