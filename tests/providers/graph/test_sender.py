"""Sending once, whatever goes wrong: the draft keeps its id on the way to Sent."""

from email.message import EmailMessage

import pytest

from providers.errors import ProtocolBroken, Refused, TooLarge, Unreachable
from providers.graph.sender import GraphSender
from tests.providers.graph.conftest import ADDRESS, mail
from tests.servers import graph_items

OURS = mail(7, sender=ADDRESS, to="kim@example.org")
OUR_ID = "<m7@example.org>"


@pytest.fixture
def sender(account):
    return GraphSender(account)


def large(sender: str, *sizes: int) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "kim@example.org", "Files"
    message["Message-ID"], message["In-Reply-To"], message["References"] = OUR_ID, "<a@example.org>", "<r@example.org> <a@example.org>"
    message["Auto-Submitted"] = "auto-replied"
    for number in range(7):
        message[f"X-Number-{number}"] = str(number)
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content("plain words")
    message.add_alternative("<p>words <img src='cid:pic'></p>", subtype="html")
    for number, size in enumerate(sizes):
        message.add_attachment(bytes([65 + number]) * size, maintype="application", subtype="pdf", filename=f"f{number}.pdf")
    return message.as_bytes()


async def test_a_draft_of_mime_keeps_every_octet(sender, box):
    draft = await sender.prepare(OURS)
    assert box.find(draft).raw == OURS
    assert box.find(draft).is_draft
    assert not box.accepted


async def test_send_is_a_draft_that_is_found_in_sent_under_its_id(sender, box):
    draft = await sender.prepare(OURS)
    sent = await sender.submit(draft)
    assert sent.id == draft
    assert sent.message_id_header == OUR_ID
    assert sent.thread_id == graph_items.conversation(OURS)
    assert [one.immutable_id for one in box.in_folder("sentitems")] == [draft]
    assert [(one.raw, one.recipients) for one in box.accepted] == [(OURS, ("kim@example.org",))]
    assert (await sender.trace(draft, OUR_ID)).state == "sent"


async def test_sent_may_lag_and_the_mail_is_out_all_the_same(sender, box, opened):
    box.quirks.sent_looks = 5
    draft = await sender.prepare(OURS)
    sent = await sender.submit(draft)
    assert (sent.id, sent.message_id_header) == (draft, None)
    assert opened.slept == [1.0, 2.0]
    # Handed over but not filed: no draft that may be sent again.
    assert (await sender.trace(draft, OUR_ID)).state == "nowhere"
    box.release_sent()
    assert (await sender.trace(draft, OUR_ID)).state == "sent"
    assert len(box.accepted) == 1


async def test_a_sent_mail_that_is_nowhere_for_a_while_is_not_called_unsent(sender, graph, box):
    box.quirks.sent_looks, box.quirks.sent_absent = 3, True
    draft = await sender.prepare(OURS)
    graph.faults.plan("messages.send", 500, after_accept=True)
    with pytest.raises(Unreachable):
        await sender.submit(draft)
    states = [(await sender.trace(draft, OUR_ID)).state for _ in range(4)]
    assert states == ["nowhere", "nowhere", "nowhere", "sent"]
    assert len(box.accepted) == 1


@pytest.mark.parametrize("how", [{"status": 500}, {"status": 503}, {"reset": True}])
async def test_an_ambiguous_answer_after_accept_is_decided_by_the_trace(sender, graph, box, how):
    draft = await sender.prepare(OURS)
    graph.faults.plan("messages.send", **how, after_accept=True)
    with pytest.raises(Unreachable) as caught:
        await sender.submit(draft)
    assert caught.value.transient
    trace = await sender.trace(draft, OUR_ID)
    assert trace.state == "sent"
    assert trace.mail.message_id_header == OUR_ID
    assert len(box.accepted) == 1
    assert graph.count("messages.send") == 1


@pytest.mark.parametrize("how", [{"status": 500}, {"reset": True}])
async def test_a_fault_before_accept_leaves_a_draft_that_may_be_sent_again(sender, graph, box, how):
    draft = await sender.prepare(OURS)
    graph.faults.plan("messages.send", **how)
    with pytest.raises(Unreachable):
        await sender.submit(draft)
    assert (await sender.trace(draft, OUR_ID)).state == "draft"
    await sender.submit(draft)
    assert len(box.accepted) == 1


async def test_submitting_twice_is_not_sending_twice(sender, box):
    draft = await sender.prepare(OURS)
    await sender.submit(draft)
    with pytest.raises(ProtocolBroken) as caught:
        await sender.submit(draft)
    assert caught.value.reason == "draft_gone"
    assert caught.value.transient
    assert len(box.accepted) == 1


async def test_a_vanished_draft_proves_nothing(sender, box):
    draft = await sender.prepare(OURS)
    box.vanish(draft)
    with pytest.raises(ProtocolBroken) as caught:
        await sender.submit(draft)
    assert caught.value.reason == "draft_gone"
    assert (await sender.trace(draft, OUR_ID)).state == "nowhere"
    assert not box.accepted


async def test_a_sent_mail_without_a_copy_is_nowhere_or_found_by_its_message_id(sender, box):
    box.quirks.sent_vanishes = True
    draft = await sender.prepare(OURS)
    assert (await sender.submit(draft)).message_id_header is None
    assert (await sender.trace(draft, OUR_ID)).state == "nowhere"
    copy = box.deliver(OURS, "archive")
    trace = await sender.trace(draft, OUR_ID)
    assert (trace.state, trace.mail.id) == ("sent", copy.immutable_id)


async def test_a_draft_with_our_message_id_is_no_proof_of_sending(sender, box):
    draft = await sender.prepare(OURS)
    other = await sender.prepare(OURS)
    box.vanish(draft)
    assert (await sender.trace(draft, OUR_ID)).state == "nowhere"
    assert box.find(other).is_draft


async def test_a_rewritten_message_id_is_read_back(sender, box):
    box.quirks.rewrite_message_id = True
    sent = await sender.submit(await sender.prepare(OURS))
    assert sent.message_id_header.endswith("@eurprd01.prod.example.com>")


async def test_throttling_of_send_is_waited_for_and_sent_once(sender, graph, box, opened):
    draft = await sender.prepare(OURS)
    graph.faults.plan("messages.send", 429, headers={"Retry-After": "4"})
    await sender.submit(draft)
    assert any(3 < one <= 4 for one in opened.slept)
    assert len(box.accepted) == 1


async def test_thirty_mails_a_minute_is_a_throttle_not_a_failure(sender, graph, box, opened):
    draft = await sender.prepare(OURS)
    graph.faults.plan("messages.send", 400, code="ErrorExceededMessageLimit", times=1)
    await sender.submit(draft)
    assert opened.slept
    assert len(box.accepted) == 1


async def test_mime_ignores_from_so_a_shared_mailboxs_from_goes_as_json(sender, box):
    box.send_as.add("team@example.com")
    draft = await sender.prepare(large("team@example.com", 1000))
    await sender.submit(draft)
    [out] = box.accepted
    assert out.sender == "team@example.com"
    header = lambda name: graph_items.header(out.raw, name)  # noqa: E731
    assert header("Message-ID") == OUR_ID
    assert header("In-Reply-To") == "<a@example.org>"
    assert header("References") == "<r@example.org> <a@example.org>"
    assert header("Auto-Submitted") == "auto-replied"
    assert header("X-Auto-Response-Suppress") == "All"
    parsed = graph_items.parsed(out.raw)
    assert "<p>words" in parsed.get_body(("html",)).get_content()
    assert [one.get_content() for one in parsed.iter_attachments()] == [b"A" * 1000]


async def test_json_carries_five_headers_of_our_own(sender, box):
    draft = await sender.prepare(large("team@example.com"))
    names = [one["name"] for one in box.find(draft).properties["internetMessageHeaders"]]
    assert len(names) == 5
    assert names[0] == "X-Auto-Response-Suppress"


async def test_a_from_that_is_not_granted_is_refused(sender, box):
    draft = await sender.prepare(large("boss@example.com"))
    with pytest.raises(Refused) as caught:
        await sender.submit(draft)
    assert caught.value.reason == "send_as_denied"
    assert not box.accepted


async def test_attachments_over_three_megabytes_go_by_upload_session(sender, graph, box):
    draft = await sender.prepare(large(ADDRESS, 3_400_000, 200))
    await sender.submit(draft)
    files = [one.get_content() for one in graph_items.parsed(box.accepted[0].raw).iter_attachments()]
    assert {(len(one), one[:1]) for one in files} == {(3_400_000, b"A"), (200, b"B")}
    assert graph.count("attachments.session") == 1
    assert graph.count("attachments.create") == 1


async def test_a_broken_upload_leaves_no_draft(sender, graph, box):
    graph.faults.plan("upload", 500)
    with pytest.raises(Unreachable):
        await sender.prepare(large(ADDRESS, 3_400_000))
    assert box.in_folder("drafts") == []


async def test_a_mail_that_is_too_large_for_the_mailbox_says_so(sender, graph, box):
    graph.faults.plan("messages.create", 413, code="ErrorMessageSizeExceeded")
    with pytest.raises(TooLarge):
        await sender.prepare(OURS)


async def test_discard_takes_drafts_only(sender, box):
    draft = await sender.prepare(OURS)
    await sender.discard(draft)
    await sender.discard(draft)
    assert box.in_folder("drafts") == []
    sent = (await sender.submit(await sender.prepare(OURS))).id
    with pytest.raises(Refused) as caught:
        await sender.discard(sent)
    assert caught.value.reason == "not_a_draft"
    assert [one.immutable_id for one in box.in_folder("sentitems")] == [sent]


async def test_a_shared_mailbox_sends_mime_as_itself(graph, box, opened):
    shared = graph.mailbox("team@example.com")
    shared.delegates.add(ADDRESS)
    raw = mail(8, sender="team@example.com", to=ADDRESS)
    sender = GraphSender(opened("team@example.com"))
    await sender.submit(await sender.prepare(raw))
    assert shared.accepted[0].raw == raw
    assert box.in_folder("inbox")[0].raw == raw


async def test_a_read_back_that_fails_does_not_unsend(sender, graph, box):
    draft = await sender.prepare(OURS)
    graph.faults.plan("messages.get", 403, times=5)
    assert (await sender.submit(draft)).id == draft
    assert len(box.accepted) == 1
