"""Addresses of outgoing mails: checked, international domains in punycode (RFC 5891), and written so that no name can
break out of its header. Delivery is not tried; an address that cannot be written is refused with its field's name.
"""

import re
from email.header import Header

import idna

from mail.display_text import displayable
from mail.outgoing_errors import ComposeError, refuse_injection
from mail.values import Address

_DOT_ATOM = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+)*"
)
_QUOTED_LOCAL = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"')
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\]")
# RFC 5321 §2.3.5 forbids the underscore in host names and real domains have it all the same.
_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LONGEST_LOCAL = 64  # octets, RFC 5321 §4.5.3.1.1
_LINE = 76


def checked(address: Address, field: str) -> Address:
    """The address with its domain in punycode and a name without surrounding white space.

    Raises ComposeError (or HeaderInjection) with `field` when it is no address or could break a header.
    """
    refuse_injection(f"{field}.address", address.address)
    refuse_injection(f"{field}.name", address.name)
    local, at, domain = address.address.strip().rpartition("@")
    if not at or not local or not domain:
        raise ComposeError(f"{field}.address", "is not an address; write it as name@domain")
    if not (_DOT_ATOM.fullmatch(local) or _QUOTED_LOCAL.fullmatch(local)):
        raise ComposeError(f"{field}.address", "has characters before the @ that no address may have")
    if len(local.encode("utf-8", "replace")) > _LONGEST_LOCAL:
        raise ComposeError(f"{field}.address", f"is longer than {_LONGEST_LOCAL} octets before the @")
    return Address(f"{local}@{ascii_domain(domain, field)}", displayable(address.name))


def ascii_domain(domain: str, field: str) -> str:
    """The domain as DNS knows it. Raises ComposeError with `field` when it can be no domain."""
    if _LITERAL.fullmatch(domain):
        return domain
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as wrong:
            raise ComposeError(
                f"{field}.address", "has a domain that cannot exist; correct the part after the @"
            ) from wrong
    if not _HOST.fullmatch(domain):
        raise ComposeError(f"{field}.address", "has a domain that cannot exist; correct the part after the @")
    return domain


def needs_smtputf8(address: Address) -> bool:
    """True when the part before the "@" is not ASCII: only a server with SMTPUTF8 may take it (RFC 6531)."""
    return not address.address.isascii()


def address_header(name: str, addresses: tuple[Address, ...]) -> str:
    """`Name: a, b` folded to lines of at most 998 octets, without line end. Addresses must be `checked` ones."""
    written = [_mailbox(address) for address in addresses]
    lines = [f"{name}:"]
    for index, text in enumerate(written):
        entry = f" {text}," if index < len(written) - 1 else f" {text}"
        # A new line per mailbox that does not fit: white space stands between mailboxes anyway (RFC 5322 §2.2.3).
        if len(lines[-1]) + len(entry) > _LINE and lines[-1] != f"{name}:":
            lines.append(entry)
        else:
            lines[-1] += entry
    return "\r\n".join(lines)


def _mailbox(address: Address) -> str:
    if not address.name:
        return address.address
    return f"{_phrase(address.name)} <{address.address}>"


def _phrase(name: str) -> str:
    """A display name as atoms, as a quoted string or as encoded words; never longer than a line between blanks."""
    if name.isascii() and len(name) <= _LINE:
        if _ATOMS.fullmatch(name) and "=?" not in name:
            return name
        if "=?" not in name:
            escaped = name.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
    # Header("…", "utf-8") writes encoded words of at most 75 characters, split between characters (RFC 2047 §5 (3)).
    return Header(name, "utf-8", maxlinelen=_LINE, header_name="Resent-Reply-To").encode(linesep="\r\n")
