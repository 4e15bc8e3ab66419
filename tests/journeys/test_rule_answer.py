"""A routing rule asks for an automatic answer: it arrives, filled, threaded and marked, and goes once however often the customer writes."""

import uuid
from typing import Any

from tests.journeys.driver import Mailbox, Mailroom, letter, until


async def test_the_answer_that_a_rule_asks_for_arrives_once(mailroom: Mailroom, pymap_box: Mailbox, customer: Mailbox, demo_mail, smtp) -> None:
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    word = f"warranty{uuid.uuid4().hex[:6]}"
    template = await mailroom.post("/v1/templates", {"name": f"Got it {word}", "text": "Hello {{customer.first_name}}, we have it as {{ticket_number}}."}, status=201)
    rule = await mailroom.post("/v1/rules", {
        "name": f"Acknowledge {word}",
        "condition": {"all": [{"field": "subject", "op": "contains", "value": word}]},
        "actions": [{"type": "auto_response", "template": template["id"]}, {"type": "tag", "names": ["acknowledged"]}],
    }, status=201)  # fmt: skip

    def written(sender: str, subject: str, text: str, **more: Any) -> bytes:
        """With the line that the last server adds: nobody answers automatically whom no server vouches for."""
        return b"Return-Path: <%b>\r\n" % sender.encode() + letter(f"Ada Lovelace <{sender}>", pymap_box.address, subject, text, **more).as_bytes()

    question = written(customer.address, f"My {word}", "Does it end?")
    pymap_box.put(question)
    conversation = await mailroom.conversation_about(f"My {word}", inbox)

    async def answered() -> Any:
        return customer.letters() or None

    (automatic,) = await until("the answer of the rule arrives", answered, within=120)
    assert automatic["Auto-Submitted"] == "auto-replied"
    assert automatic["In-Reply-To"] is not None
    said = automatic.get_body(("plain",)).get_content()
    assert "Hello Ada" in said
    assert str(conversation["number"]) in said

    # The customer answers the answer; the rule fits again.
    pymap_box.put(written(customer.address, f"Re: My {word}", "And how long?", answers=automatic["Message-ID"]))

    async def hit_twice() -> Any:
        told = await mailroom.get(f"/v1/conversations/{conversation['id']}/rules")
        mails = [m for m in told["messages"] if any(r["rule_id"] == rule["id"] and r["hit"] for r in m["rules"])]
        return mails if len(mails) == 2 else None

    await until("the rule has met both mails", hit_twice, within=120)
    # Somebody else's mail behind it is answered, so whatever the second one had started has had its turn.
    other = demo_mail.add_account(f"customer-{uuid.uuid4().hex[:8]}@customers.example.com")
    pymap_box.put(written(other.address, f"Another {word}", "Mine too?"))
    later = await mailroom.conversation_about(f"Another {word}", inbox)

    async def also_answered() -> Any:
        return [m for m in await mailroom.messages(later["id"]) if m["kind"] == "auto_response" and m["send"]["status"] == "sent"]

    await until("the mail behind it is answered", also_answered, within=120)
    kinds = [m["kind"] for m in await mailroom.messages(conversation["id"])]
    assert kinds.count("auto_response") == 1
    assert len(customer.letters()) == 1
    removed = await mailroom.api.delete(f"/v1/rules/{rule['id']}")
    assert removed.status_code == 204
