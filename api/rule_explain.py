"""Which rules looked at the mails of a conversation, which hit or missed, and why: read from what was recorded then, the
reasons worked out again from the very versions.
"""

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import not_found
from api.rule_facts import facts_for
from api.schemas.rules import ConversationRules
from rules.routing import Facts, Reason, Rule, Verdict, evaluate, read_rule
from rules.routing_conditions import RuleProblem
from store.conversations import get_conversation
from store.routing_rules import RuleRow, exact_versions
from store.rule_facts import EXEMPT, MailFacts, facts_of_conversation
from store.rule_hits import HitRow, Look, hits_of_conversation, looks_of

MOST_MAILS = 50


async def explain_conversation(call: Call[Empty, None]) -> ConversationRules:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    tenant_id = viewer.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        if await get_conversation(connection, viewer, conversation_id) is None:
            raise not_found()
        mails = await facts_of_conversation(connection, tenant_id, conversation_id, limit=MOST_MAILS)
        looks = await looks_of(connection, tenant_id, [m.id for m in mails])
        hits = await hits_of_conversation(connection, tenant_id, conversation_id)
        known = await exact_versions(connection, tenant_id, sorted({r for look in looks.values() for r in look.rules}))
        rules = {key: rule for key, row in known.items() if (rule := _rule(row)) is not None}
        mails = [_as_then(mail, looks.get(mail.id)) for mail in mails]
        facts = await facts_for(connection, call.deps, tenant_id, list(rules.values()), mails)
    items = [_message(mail, known_facts, looks.get(mail.id), rules, hits) for mail, known_facts in zip(mails, facts, strict=True)]
    changes = [_change(h) for h in hits if h.cause != "m"]
    return ConversationRules.model_validate({"messages": items, "changes": changes})


def _rule(row: RuleRow) -> Rule | None:
    said = row.said
    try:
        return read_rule(
            str(row.id), row.version, said.name, said.condition, said.actions, stop=said.stop, shadow=said.shadow
        )
    except RuleProblem:  # written by a version of this program that knew more
        return None


def _as_then(mail: MailFacts, look: Look | None) -> MailFacts:
    """With those facts of the look that may have changed since."""
    if look is None:
        return mail
    then = {n: look.facts[n] for n in ("status", "priority", "category", "tags", "vip", "first") if n in look.facts}
    return dataclasses.replace(mail, **then)


def _message(
    mail: MailFacts,
    facts: Facts,
    look: Look | None,
    rules: Mapping[tuple[uuid.UUID, int], Rule],
    hits: Sequence[HitRow],
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "message_id": str(mail.id),
        "received_at": mail.received_at,
        "looked_at": look.at if look else None,
        "why_not": None if look else _why_not(mail),
        "rules": [],
    }
    if look is None:
        return shown
    if look.facts.get("hours"):
        facts = dataclasses.replace(facts, hours=look.facts["hours"])
    recorded = {(h.rule_id, h.version): h for h in hits if h.message_id == mail.id and h.cause == "m"}
    walked = evaluate([rules[key] for key in look.rules if key in rules], facts)
    for verdict in walked.verdicts:
        hit = recorded.get((uuid.UUID(verdict.rule.id), verdict.rule.version))
        shown["rules"].append(_verdict(verdict, hit))
    return shown


def _verdict(verdict: Verdict, hit: HitRow | None) -> dict[str, Any]:
    return {
        "rule_id": verdict.rule.id,
        "version": verdict.rule.version,
        "name": verdict.rule.name,
        "shadow": verdict.rule.shadow,
        "hit": hit is not None,
        "differs": (hit is not None) is not verdict.hit,
        "stopped_by": verdict.stopped_by,
        "outcomes": list(hit.outcomes) if hit is not None else [],
        "reason": _reason(verdict.reason) if verdict.reason is not None else None,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kind": reason.kind,
        "result": reason.result,
        "found": reason.found,
        "parts": [_reason(part) for part in reason.parts],
    }
    if reason.leaf is not None:
        leaf = reason.leaf
        shown |= {"field": leaf.field, "op": leaf.op, "name": leaf.name or None, "value": leaf.written}
    return shown


def _why_not(mail: MailFacts) -> str:
    if mail.historical:
        return "historical"
    if mail.silence_reason in EXEMPT:
        return mail.silence_reason or "exempt"
    return "no-rules"


def _change(hit: HitRow) -> dict[str, Any]:
    return {
        "rule_id": str(hit.rule_id),
        "version": hit.version,
        "name": hit.name,
        "shadow": hit.shadow,
        "stopped": hit.stopped,
        "at": hit.at,
        "outcomes": list(hit.outcomes),
    }


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/conversations/{conversation_id}/rules",
        explain_conversation,
        Access.VIEWER,
        "Which rules looked at its mails, and why they did or did not act",
        response=ConversationRules,
    ),
)
