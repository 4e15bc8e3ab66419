"""How an address is matched: casefolded, NFC, domain in punycode. What was written stays beside it, unchanged."""

import unicodedata

import idna


def address_key(address: str) -> str:
    """The key under which equal mailboxes meet. RFC 5321 §2.4 lets local parts differ by case; no real system does."""
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    if not at:
        return domain.casefold()
    if domain.isascii():  # nearly all; punycode and UTS #46 leave such a name as it is, but for its case
        return f"{local.casefold()}@{domain.lower()}"
    try:
        host = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        host = domain
    return f"{local.casefold()}@{host.casefold()}"
