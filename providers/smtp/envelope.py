"""Checks what is about to be sent and turns it into what goes over the wire: addresses, MAIL parameters, dot-stuffing.

The frozen bytes are never changed (integrity S-1): what a server cannot take as it is, is refused with a reason.
"""

import re
from collections.abc import Mapping, Sequence

import idna

from providers.errors import Refused, TooLarge

_BAD_BREAK = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]")
_DOT_LINE = re.compile(rb"(?m)^\.")


def check_bytes(raw: bytes) -> None:
    """ValueError unless every line ends in CRLF: a bare CR or LF is how mails are smuggled inside mails."""
    if not raw:
        raise ValueError("the mail to send is empty")
    if _BAD_BREAK.search(raw):
        raise ValueError("the mail to send holds a bare CR or LF; lines must end in CRLF (RFC 5321 §2.3.8)")


def check_path(address: str, *, field: str) -> None:
    """ValueError unless `address` can stand between angle brackets. `field` names it in the error, never the value."""
    if _UNSAFE.search(address) or "@" not in address.strip("@") or len(address) > 320:
        raise ValueError(f"{field} is not an address that can be sent to; it must look like name@example.com")


def check_recipients(recipients: Sequence[str]) -> None:
    if not recipients:
        raise ValueError("recipients is empty; a mail needs at least one recipient")
    for number, address in enumerate(recipients):
        check_path(address, field=f"recipients[{number}]")
    if len(set(recipients)) != len(recipients):
        raise ValueError("recipients names an address twice; each recipient is sent to once")


def wire_path(address: str) -> str:
    """The address with an international domain as A-labels, so that only the local part can need SMTPUTF8."""
    local, _at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        raise Refused(
            "address_invalid", "The domain of an address is not a valid international name."
        ) from None


def mail_parameters(
    raw: bytes, paths: Sequence[str], extensions: Mapping[str, str], *, smtputf8: bool
) -> list[str]:
    """Parameters of MAIL FROM for what the server offers. Raises TooLarge, Refused where it cannot take this mail."""
    parameters: list[str] = []
    if "SIZE" in extensions:  # RFC 1870
        limit = extensions["SIZE"].strip()
        if limit.isdigit() and 0 < int(limit) < len(raw):
            raise TooLarge
        parameters.append(f"SIZE={len(raw)}")
    if not raw.isascii():
        if "8BITMIME" not in extensions:  # RFC 6152; the bytes are frozen, so they cannot be recoded
            raise Refused(
                "eightbit_unavailable", "The mail server takes only 7-bit mails, and this mail is not one."
            )
        parameters.append("BODY=8BITMIME")
    if smtputf8 or not all(path.isascii() for path in paths):
        if "SMTPUTF8" not in extensions:  # RFC 6531
            raise Refused(
                "smtputf8_unavailable",
                "The mail server does not support international addresses. Use an address of plain ASCII letters.",
            )
        parameters.append("SMTPUTF8")
    return parameters


def stuffed_body(raw: bytes) -> bytes:
    """The body as sent between DATA and the final dot, dots doubled (RFC 5321 §4.5.2), without its last CRLF.

    The final `CRLF . CRLF` supplies that line end, so that the server stores exactly `raw` (plus a line end where
    `raw` had none).
    """
    body = raw.removesuffix(b"\r\n")
    return _DOT_LINE.sub(b"..", body)
