"""What the placeholders of a reply mean in one conversation. A value that is blank is none: it is said, not sent as a hole. Pure."""

from dataclasses import dataclass

from rules.templates import first_name


@dataclass(frozen=True, slots=True)
class ReplyFacts:
    """As the rows have them; "" where there is nothing. An automatic answer has no agent."""

    number: int
    subject: str
    customer_name: str
    customer_email: str
    customer_company: str
    inbox_name: str
    inbox_email: str
    org_name: str
    agent_name: str = ""
    agent_email: str = ""


def reply_values(facts: ReplyFacts) -> dict[str, str]:
    """By placeholder, without those that have no value."""
    name = "" if "@" in facts.customer_name else facts.customer_name
    values = {
        "customer.name": name,
        "customer.first_name": first_name(name),
        "customer.email": facts.customer_email,
        "customer.company": facts.customer_company,
        "conversation.number": str(facts.number),
        "conversation.subject": facts.subject,
        "agent.name": facts.agent_name,
        "agent.first_name": first_name(facts.agent_name),
        "agent.email": facts.agent_email,
        "inbox.name": facts.inbox_name,
        "inbox.email": facts.inbox_email,
        "org.name": facts.org_name,
        "ticket_number": str(facts.number),
        "org_name": facts.org_name,
        "inbox_name": facts.inbox_name,
        "sender_name": name or facts.customer_email,
    }
    return {placeholder: value for placeholder, value in values.items() if value.strip()}
