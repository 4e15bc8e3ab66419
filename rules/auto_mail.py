"""What an automatic answer says: the inbox's templates filled with the conversation's facts, and to whom it goes. Pure."""

from dataclasses import dataclass

from mail.outgoing_addresses import checked
from mail.outgoing_errors import ComposeError
from mail.subjects import reply_subject, with_ticket_number
from mail.values import Address
from rules.reply_values import ReplyFacts, reply_values
from rules.signatures import NONE, Signature, signed_html, signed_text
from rules.templates import fill, fill_html, fill_line

LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class AutoTemplate:
    """The inbox's template as it was written; an empty subject means a reply's own."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class AutoMail:
    """`missing` are the placeholders that have no meaning, each once; they stand in the text as written."""

    to: Address
    subject: str
    text: str
    html: str | None
    missing: tuple[str, ...]


def automatic_mail(
    template: AutoTemplate,
    *,
    number: int,
    subject: str,
    org_name: str,
    inbox_name: str,
    to: Address,
    customer_name: str = "",
    customer_company: str = "",
    inbox_email: str = "",
    signature: Signature = NONE,
) -> AutoMail | None:
    """The answer to the sender `to` of conversation `number` about `subject`; None for an address that cannot be
    written to. The placeholders are those of replies, without the agent's: nobody writes it.
    """
    try:
        checked(to, "to[0]")
    except ComposeError:
        return None
    facts = ReplyFacts(
        number=number,
        subject=subject,
        customer_name=customer_name,
        customer_email=to.address,
        customer_company=customer_company,
        inbox_name=inbox_name,
        inbox_email=inbox_email,
        org_name=org_name,
    )
    values = reply_values(facts) | {
        "ticket_number": str(number),
        "org_name": org_name,
        "inbox_name": inbox_name,
        "sender_name": to.name or to.address,
    }
    title = fill_line(template.subject, values)
    text = fill(template.text, values)
    page = fill_html(template.html, values) if template.html and template.html.strip() else None
    chosen = title.text[:LONGEST_SUBJECT]
    return AutoMail(
        to=to,
        subject=with_ticket_number(chosen, number) if chosen else reply_subject(subject, number),
        text=signed_text(text.text, signature),
        html=signed_html(page.text, signature) if page is not None else None,
        missing=tuple(dict.fromkeys([*title.missing, *text.missing, *(page.missing if page else ())])),
    )
