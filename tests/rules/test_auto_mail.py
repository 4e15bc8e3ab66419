"""The automatic answer's words: the ticket number once, one line, a name that is text, nobody who cannot be written to."""

from hypothesis import given
from hypothesis import strategies as st

from mail.values import Address
from rules.auto_mail import AutoMail, AutoTemplate, automatic_mail


def answer(template: AutoTemplate, to: Address) -> AutoMail | None:
    return automatic_mail(
        template, number=42, subject="AW: Printer", org_name="Example Org", inbox_name="Desk", to=to
    )


def test_without_a_subject_it_is_a_reply() -> None:
    mail = answer(AutoTemplate("", "Hi {{sender_name}}", None), Address("a@example.com"))
    assert mail is not None
    assert (mail.subject, mail.text, mail.html) == ("Re: Printer [#42]", "Hi a@example.com", None)


def test_the_number_stands_in_the_subject_once() -> None:
    mail = answer(
        AutoTemplate("Got it [#{{ticket_number}}] {{x}}", "t", "<b>{{y}}</b>"), Address("a@example.com")
    )
    assert mail is not None
    assert mail.subject == "Got it {{x}} [#42]"
    assert mail.missing == ("x", "y")


def test_an_address_that_cannot_be_written_to_gets_nothing() -> None:
    assert answer(AutoTemplate("s", "t", None), Address("a@-bad-.example..com")) is None
    assert answer(AutoTemplate("s", "t", None), Address("a@example.com\r\nBcc: b@example.com")) is None


@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_no_name_breaks_subject_or_markup(name: str) -> None:
    mail = answer(
        AutoTemplate("{{sender_name}}", "t", "<p>{{sender_name}}</p>"), Address("a@example.com", name)
    )
    assert mail is not None
    assert mail.html is not None
    assert mail.subject.endswith("[#42]")
    assert mail.html.count("<") == mail.html.count(">") == 2
    assert not set(mail.subject) & {"\r", "\n", "\0"}
