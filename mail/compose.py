"""Composes an outgoing mail: every byte, the envelope, nothing sent. Equal requests give equal bytes, on any day and any
machine, so that a step that runs twice freezes the same mail; storing and sending it is left to others.
"""

import hashlib
import re
from email import policy
from email.message import EmailMessage

from mail.html_text import html_to_text
from mail.outgoing_addresses import checked, needs_smtputf8
from mail.outgoing_bodies import html_from_text, html_page, normal_lines
from mail.outgoing_errors import ComposeError, HeaderInjection, refuse_injection
from mail.outgoing_headers import header_lines
from mail.values import Address, ComposedMail, ComposeFile, ComposeRequest

__all__ = ["ComposeError", "HeaderInjection", "compose"]

_TYPE = re.compile(r"([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126})/([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126})")
_CONTENT_ID = re.compile(r"[!#-;=?-\[\]-~]{1,250}")
# Types whose content may not be encoded (RFC 2046 §5.2.1, RFC 2045 §6.4): as they come from outside, they travel as
# plain files, which every reader opens by name.
_STRUCTURED = frozenset({"message", "multipart"})
_MOST_RECIPIENTS = 500


def compose(request: ComposeRequest) -> ComposedMail:
    """The frozen bytes of one mail (CRLF, RFC 5322 and MIME) and its envelope.

    The text is always there beside the HTML; whichever is missing is made from the other. The envelope holds To, Cc
    and Bcc, each mailbox once; the bytes hold no Bcc. `envelope_from` is the From address: for an automatic answer
    the caller sends with `<>` instead where the route allows it. Raises ComposeError, or HeaderInjection for CR, LF or
    NUL in a value bound for a header; both name the field and hold no value.
    """
    people = {
        "From": (checked(request.from_, "from_"),),
        "Reply-To": _all_checked(request.reply_to, "reply_to"),
        "To": _all_checked(request.to, "to"),
        "Cc": _all_checked(request.cc, "cc"),
    }
    bcc = _all_checked(request.bcc, "bcc")
    envelope = _envelope((*people["To"], *people["Cc"], *bcc))
    head = header_lines(request, people)
    if not people["To"] and not people["Cc"]:
        # RFC 5322 §3.6.3: a mail with hidden recipients only. The empty group keeps relays from adding a header.
        head.append("To: undisclosed-recipients:;")
    message = _body(request)
    _mark_boundaries(message, request.send_id)
    raw = "\r\n".join(head).encode("utf-8") + b"\r\n" + message.as_bytes(policy=policy.SMTP)
    everybody = (*people["From"], *people["Reply-To"], *people["To"], *people["Cc"], *bcc)
    return ComposedMail(
        raw=raw,
        sha256=hashlib.sha256(raw).hexdigest(),
        message_id=request.message_id,
        envelope_from=people["From"][0].address,
        envelope_to=envelope,
        needs_smtputf8=any(needs_smtputf8(address) for address in everybody),
    )


def _all_checked(addresses: tuple[Address, ...], field: str) -> tuple[Address, ...]:
    return tuple(checked(address, f"{field}[{index}]") for index, address in enumerate(addresses))


def _envelope(recipients: tuple[Address, ...]) -> tuple[str, ...]:
    """Each mailbox once, in order. Domains are compared without case, local parts as written (RFC 5321 §2.4)."""
    seen: dict[tuple[str, str], str] = {}
    for recipient in recipients:
        local, _, domain = recipient.address.rpartition("@")
        seen.setdefault((local, domain.lower()), recipient.address)
    if not seen:
        raise ComposeError("to", "is empty; name at least one recipient in to, cc or bcc")
    if len(seen) > _MOST_RECIPIENTS:
        raise ComposeError("to", f"names more than {_MOST_RECIPIENTS} recipients; send several mails")
    return tuple(seen.values())


def _body(request: ComposeRequest) -> EmailMessage:
    """alternative(text, related(HTML, inline files)), wrapped in mixed when there are attachments."""
    if request.text is None and request.html is None:
        raise ComposeError("text", "is missing and so is html; give at least one of them")
    text = request.text if request.text is not None else html_to_text(request.html or "")
    html = html_page(request.html) if request.html is not None else html_from_text(text)
    message = EmailMessage(policy=policy.SMTP)
    _set_text(message, text, "plain")
    page = EmailMessage(policy=policy.SMTP)
    _set_text(page, html, "html")
    inline = [(i, f) for i, f in enumerate(request.files) if f.content_id is not None]
    for index, file in inline:
        _add_file(page, file, f"files[{index}]")
    message.make_alternative()
    message.attach(page)
    for index, file in enumerate(request.files):
        if file.content_id is None:
            _add_file(message, file, f"files[{index}]")
    _one_mime_version(message)
    return message


def _set_text(part: EmailMessage, text: str, subtype: str) -> None:
    """Text as UTF-8 in quoted-printable or base64, never bare: lines stay short and no line can look like a boundary."""
    lines = normal_lines(text)
    encoded = len(lines.encode("utf-8"))
    mostly_ascii = (encoded - len(lines)) * 3 < len(lines) + 1
    part.set_content(
        lines, subtype=subtype, charset="utf-8", cte="quoted-printable" if mostly_ascii else "base64"
    )


def _add_file(message: EmailMessage, file: ComposeFile, field: str) -> None:
    refuse_injection(f"{field}.filename", file.filename)
    refuse_injection(f"{field}.content_type", file.content_type)
    found = _TYPE.fullmatch(file.content_type.partition(";")[0].strip())
    if found is None:
        raise ComposeError(f"{field}.content_type", "is not a media type; write it as type/subtype")
    maintype, subtype = found.group(1).lower(), found.group(2).lower()
    if maintype in _STRUCTURED:
        maintype, subtype = "application", "octet-stream"
    filename = file.filename.encode("utf-8", "replace").decode("utf-8")
    if file.content_id is None:
        message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=filename)
        return
    refuse_injection(f"{field}.content_id", file.content_id)
    if not _CONTENT_ID.fullmatch(file.content_id):
        raise ComposeError(
            f"{field}.content_id", "is no content id; use printable ASCII without blanks and brackets"
        )
    message.add_related(
        file.content,
        maintype=maintype,
        subtype=subtype,
        filename=filename,
        disposition="inline",
        cid=f"<{file.content_id}>",
    )


def _mark_boundaries(message: EmailMessage, send_id: str) -> None:
    """Gives every multipart a boundary that follows from the send and its place: random ones would differ every time.

    `=_` occurs neither in quoted-printable nor in base64 (RFC 2045 §6.7), and every leaf is one of them.
    """
    multiparts = [part for part in message.walk() if part.is_multipart()]
    for index, part in enumerate(multiparts):
        token = hashlib.sha256(f"{send_id}\0{index}".encode()).hexdigest()[:24]
        part.set_boundary(f"=_{index}_{token}")


def _one_mime_version(message: EmailMessage) -> None:
    """MIME-Version belongs to the head of a mail and to no part (RFC 2045 §4)."""
    for part in message.walk():
        del part["MIME-Version"]
    message["MIME-Version"] = "1.0"
