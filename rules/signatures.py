"""Which signature stands under a reply, and how: behind a line of two dashes and a blank (RFC 3676 §4.3), once. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mail.html_text import html_to_text
from mail.sanitise import sanitise_html

SETTING = "signature"  # in the inbox's settings: agent, inbox, both or none
IN_AUTOMATIC = "signature_in_automatic"  # there too: the inbox's signature stands under automatic answers
CHOICES = ("agent", "inbox", "both", "none")
USUAL = "both"  # who has written none has none
LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Signature:
    """Both forms, without the dashes; both empty where there is none."""

    html: str = ""
    text: str = ""


NONE = Signature()


def clean_own_html(html: str) -> str:
    """Fit to be kept and sent: sanitised as every mail that leaves, pictures from elsewhere gone (integrity X-6)."""
    return sanitise_html(html, cid_urls={}, mark_links=False).html.strip()


def chosen_signature(settings: Mapping[str, Any], *, agent_html: str | None, inbox_html: str | None) -> Signature:
    """What the inbox's setting takes of the two; the agent's comes first."""
    choice = settings.get(SETTING, USUAL)
    parts = [agent_html if choice in ("agent", "both") else None, inbox_html if choice in ("inbox", "both") else None]
    html = "".join(f"<div>{part}</div>" for part in parts if part and part.strip())
    return Signature(html, html_to_text(html).strip()) if html else NONE


def automatic_signature(settings: Mapping[str, Any], inbox_html: str | None) -> Signature:
    """The inbox's, where automatic answers are to bear it."""
    if settings.get(IN_AUTOMATIC) is not True or not (inbox_html or "").strip():
        return NONE
    html = f"<div>{inbox_html}</div>"
    return Signature(html, html_to_text(html).strip())


def signed_text(text: str, signature: Signature) -> str:
    """The text with the signature under it, unless it stands in it already (an answer that was taken back and sent again)."""
    if not signature.text or _stands_in(text, signature):
        return text
    return f"{text.rstrip()}\n\n-- \n{signature.text}\n"


def signed_html(html: str, signature: Signature) -> str:
    """As `signed_text`. The signature's words decide, not its markup, which an editor may have rewritten."""
    if not signature.html or (signature.text and _stands_in(html_to_text(html), signature)):
        return html
    return f"{html}<div><br></div><div>-- </div>{signature.html}"


def _stands_in(text: str, signature: Signature) -> bool:
    """In what is said now; under quoted words it is the signature of another answer."""
    own = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(">"))
    return _flat(signature.text) in _flat(own)


def _flat(text: str) -> str:
    return " ".join(text.split())
