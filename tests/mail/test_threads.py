"""Thread hints: nearest parent first, no id that could join strangers, a token only when it is genuine."""

from mail.parse import parse_mail
from mail.reply_token import make_message_id
from mail.threads import thread_hints

SECRET = b"k" * 32
OURS = make_message_id("0190f5e2-7a3b-7c11-8d22-1234567890ab", 1042, "tenant-a", "desk.example.com", SECRET)


def hints(headers, tenant="tenant-a"):
    return thread_hints(
        parse_mail(f"From: ann@example.com\n{headers}\n\nHi\n".encode()), token_secret=SECRET, tenant=tenant
    )


def test_parents_are_in_reply_to_then_references_from_the_nearest():
    found = hints(
        "Message-ID: <own@x>\nIn-Reply-To: <c@x>\nReferences: <a@x> <b@x> <own@x> <c@x>\nSubject: AW: Printer on fire [#7]",
    )
    assert found.own_id == "<own@x>"
    assert found.parents == ("<c@x>", "<b@x>", "<a@x>")
    assert found.ticket_number == 7
    assert found.reply_token_number is None
    assert found.normalized_subject == "printer on fire"


def test_empty_and_malformed_ids_are_no_hints():
    found = hints('Message-ID: <>\nIn-Reply-To: <>\nReferences: <@> <a b@x"> <>')
    assert found.own_id is None
    assert not [p for p in found.parents if p in {"<>", "<@>"}]


def test_our_signed_id_gives_the_number_to_its_tenant_only():
    assert hints(f"References: <root@x> {OURS}\nIn-Reply-To: <other@x>").reply_token_number == 1042
    assert hints(f"In-Reply-To: {OURS}", tenant="tenant-b").reply_token_number is None
    assert hints(f"In-Reply-To: {OURS.replace('.1042.', '.1.')}").reply_token_number is None


def test_thousands_of_references_are_cut_to_the_nearest():
    chain = " ".join(f"<{i}@x>" for i in range(2_000))
    found = hints(f"References: {chain}")
    assert len(found.parents) == 100
    assert found.parents[0] == "<1999@x>"


def test_a_mail_without_anything_gives_nothing():
    found = hints("Subject:")
    assert (
        found.own_id,
        found.parents,
        found.reply_token_number,
        found.ticket_number,
        found.normalized_subject,
    ) == (None, (), None, None, "")
