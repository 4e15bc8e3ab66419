"""The desk's first reactor: looks at each mail that comes in, and at each change of a conversation, with the tenant's rules.

What it does stands in the transaction that counts the events as read. Run twice, it finds its look and its hits and does
nothing; run late, it sees the conversation as it is by then. A rule that a chain of reactions has led to is not followed
beyond depth ten (integrity L-10).
"""

import datetime as dt
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.desk_heads import DeskHeads, ReadRaw
from activities.rule_drafts import draft_for_assignee
from contracts.desk import Followup, FollowupKind
from rules.routing import DEEPEST_CHAIN, Facts, Rule, Verdict, evaluate, read_rule
from rules.routing_conditions import RuleProblem, asks_language, calendars, reads_headers
from rules.routing_facts import facts_of, hours_at
from store.event_log import LoggedEvent
from store.routing_rules import RuleRow, list_rules
from store.rule_actions import OnBehalf, do_actions, lock_conversations
from store.rule_facts import MailFacts, facts_of_conversations, facts_of_messages
from store.rule_hits import Hit, begin_look, end_chain, known_causes, record_hits
from store.sla_settings import list_hours
from store.unit_of_work import Database

log = logging.getLogger(__name__)

AT_ONCE = 50  # mails whose texts are in memory together
# Changes that rules may be waiting for. Who is shown as reading, a new snippet and the like are none.
WATCHED = frozenset({"status", "tags", "category", "priority", "assigned_to", "team_id", "subject"})


class DeskRoute:
    """`read_raw` is the bucket, which is asked only where a rule asks about header lines, and before the transaction begins.
    While it is away such a tenant's desk is tried again later; nobody else's waits.
    """

    name = "routing"

    def __init__(self, read_raw: ReadRaw) -> None:
        self._heads = DeskHeads(read_raw)
        self._read: dict[tuple[uuid.UUID, int], Rule] = {}

    def prepares(self, tenant_id: uuid.UUID) -> bool:
        return self._heads.are_asked(tenant_id)

    async def prepare(self, database: Database, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]) -> None:
        """Read the header lines of what came in and of what speaks for a changed conversation, for the rules that ask."""
        places: dict[uuid.UUID, tuple[uuid.UUID, str, int, int]] = {}

        def note(mails: Iterable[MailFacts]) -> None:  # only the places: a whole batch's texts are too much at once
            for mail in mails:
                if mail.raw_key is not None:
                    places[mail.id] = (mail.id, mail.raw_key, mail.raw_offset, mail.raw_length)

        async with database.unit_of_work(tenant_id) as connection:
            rows = await list_rules(connection, tenant_id, active=True)
            if _ask_headers(self._rules(r for r in rows if r.said.trigger == "message")):
                for ids in _chunks([e.message_id for e in events if _came_in(e) and e.message_id is not None]):
                    note(await facts_of_messages(connection, tenant_id, ids))
            if _ask_headers(self._rules(r for r in rows if r.said.trigger == "change")):
                for ids in _chunks([e.conversation_id for e in events if _was_changed(e) and e.conversation_id is not None]):
                    note((await facts_of_conversations(connection, tenant_id, ids)).values())
        await self._heads.read(tenant_id, list(places.values()))

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        came = {e.message_id: e for e in events if _came_in(e) and e.message_id is not None}
        changed = {e.conversation_id: e for e in events if _was_changed(e) and e.conversation_id is not None}
        if not came and not changed:
            return ()
        rows = await list_rules(connection, tenant_id, active=True)
        on_mail = self._rules(r for r in rows if r.said.trigger == "message")
        on_change = self._rules(r for r in rows if r.said.trigger == "change")
        self._heads.ask(tenant_id, _ask_headers([*on_mail, *on_change]))
        answers: dict[Followup, None] = {}
        if on_mail:
            for ids in _chunks(list(came)):
                answers |= dict.fromkeys(await self._mails(connection, tenant_id, on_mail, came, ids))
        if on_change:
            for ids in _chunks(list(changed)):
                answers |= dict.fromkeys(await self._changes(connection, tenant_id, on_change, changed, ids))
        return list(answers)

    async def _mails(
        self,
        connection: AsyncConnection,
        tenant_id: uuid.UUID,
        rules: Sequence[Rule],
        events: Mapping[uuid.UUID, LoggedEvent],
        ids: Sequence[uuid.UUID],
    ) -> list[Followup]:
        mails = await facts_of_messages(connection, tenant_id, ids)
        await lock_conversations(connection, tenant_id, [m.conversation_id for m in mails])
        facts = await self._facts(connection, tenant_id, rules, mails, [m.received_at for m in mails])
        answers: list[Followup] = []
        for mail, known in zip(mails, facts, strict=True):
            looked = [(uuid.UUID(r.id), r.version) for r in rules]
            if await begin_look(connection, tenant_id, mail.id, rules=looked, facts=_kept(mail, known)):
                answers += await self._follow(connection, tenant_id, rules, mail, known, events[mail.id], "m")
        return answers

    async def _changes(
        self,
        connection: AsyncConnection,
        tenant_id: uuid.UUID,
        rules: Sequence[Rule],
        events: Mapping[uuid.UUID, LoggedEvent],
        ids: Sequence[uuid.UUID],
    ) -> list[Followup]:
        """Several changes of one conversation in a batch are one look, at how it stands now: chains cannot branch."""
        await lock_conversations(connection, tenant_id, ids)
        by_conversation = await facts_of_conversations(connection, tenant_id, ids)
        mails = list(by_conversation.values())
        done = await known_causes(connection, tenant_id, [m.id for m in mails])
        causes = {(message, cause) for _, message, cause in done}
        at = [events[m.conversation_id].at for m in mails]
        facts = await self._facts(connection, tenant_id, rules, mails, at)
        answers: list[Followup] = []
        for mail, known in zip(mails, facts, strict=True):
            event = events[mail.conversation_id]
            cause = f"e{event.cursor.id}"
            if (mail.id, cause) in causes:
                continue
            if _depth(event) >= DEEPEST_CHAIN:
                for verdict in evaluate(rules, known).hits[:1]:
                    place = {"message_id": mail.id, "conversation_id": mail.conversation_id, "inbox_id": mail.inbox_id}
                    await end_chain(connection, _behalf(tenant_id, verdict, event), **place)
                continue
            answers += await self._follow(connection, tenant_id, rules, mail, known, event, cause)
        return answers

    async def _follow(
        self,
        connection: AsyncConnection,
        tenant_id: uuid.UUID,
        rules: Sequence[Rule],
        mail: MailFacts,
        facts: Facts,
        event: LoggedEvent,
        cause: str,
    ) -> list[Followup]:
        """Does what the rules say and records it; the conversation, where one asks for an automatic answer, and who is to be told."""
        hits: list[Hit] = []
        answers: list[Followup] = []
        for verdict in evaluate(rules, facts).hits:
            outcomes: Sequence[Mapping[str, Any]] = ()
            if not verdict.rule.shadow:
                behalf = _behalf(tenant_id, verdict, event, mail.id)
                done = await do_actions(connection, behalf, mail.conversation_id, verdict.rule.actions)
                outcomes = await self._drafted(connection, tenant_id, mail.conversation_id, done.outcomes)
                if done.answer:
                    answers.append(Followup(FollowupKind.ANSWER, str(mail.conversation_id), str(mail.inbox_id)))
                answers += [Followup(FollowupKind.WEBHOOK, str(endpoint)) for endpoint in done.endpoints]
            rule_id, version = uuid.UUID(verdict.rule.id), verdict.rule.version
            shadow = verdict.rule.shadow
            stopped = verdict.rule.stop and not shadow
            hits.append(Hit(rule_id, version, mail.id, cause, shadow=shadow, stopped=stopped, outcomes=outcomes))
        await record_hits(connection, tenant_id, hits)
        return answers

    @staticmethod
    async def _drafted(
        connection: AsyncConnection,
        tenant_id: uuid.UUID,
        conversation_id: uuid.UUID,
        outcomes: Sequence[Mapping[str, Any]],
    ) -> list[Mapping[str, Any]]:
        """The outcomes, once what they ask to be drafted is drafted for whoever has the conversation by then."""
        told: list[Mapping[str, Any]] = []
        for outcome in outcomes:
            if outcome["type"] == "draft" and outcome["done"]:
                why = await draft_for_assignee(connection, tenant_id, conversation_id, uuid.UUID(outcome["template"]))
                told.append(outcome if why is None else {**outcome, "done": False, "why": why})
            else:
                told.append(outcome)
        return told

    def _rules(self, rows: Iterable[RuleRow]) -> list[Rule]:
        """Read once for each version. One that this program can no longer read is left out and told to the operator."""
        rules: list[Rule] = []
        for row in rows:
            key = (row.id, row.version)
            if key not in self._read:
                said = row.said
                try:
                    self._read[key] = read_rule(
                        str(row.id), row.version, said.name, said.condition, said.actions, stop=said.stop, shadow=said.shadow
                    )
                except RuleProblem as wrong:
                    log.error("a routing rule cannot be read", extra={"rule": str(row.id), "field": wrong.field})  # noqa: TRY400 - what it says may quote the rule
                    continue
            rules.append(self._read[key])
        if len(self._read) > 5000:
            self._read.clear()
        return rules

    async def _facts(
        self,
        connection: AsyncConnection,
        tenant_id: uuid.UUID,
        rules: Sequence[Rule],
        mails: Sequence[MailFacts],
        at: Sequence[dt.datetime],
    ) -> list[Facts]:
        asked = _ask_headers(rules)
        wanted = {c for r in rules for c in calendars(r.condition)}
        rows = await list_hours(connection, tenant_id) if wanted else []
        language = any(asks_language(r.condition) for r in rules)
        return [
            facts_of(
                mail,
                headers=self._heads.of(tenant_id, mail) if asked else None,
                hours=hours_at(rows, wanted, moment),
                language=language,
            )
            for mail, moment in zip(mails, at, strict=True)
        ]


def _ask_headers(rules: Iterable[Rule]) -> bool:
    return any(reads_headers(r.condition) for r in rules)


def _came_in(event: LoggedEvent) -> bool:
    """A live mail in a conversation. One of a flood is quiet, and starts nothing (integrity L-9)."""
    return event.type == "message.received" and event.conversation_id is not None and not event.payload.get("quiet")


def _was_changed(event: LoggedEvent) -> bool:
    return event.type == "conversation.updated" and not WATCHED.isdisjoint(event.payload.get("changed") or ())


def _depth(event: LoggedEvent) -> int:
    depth = event.causality.get("depth", 0)
    return depth if isinstance(depth, int) else 0


def _behalf(
    tenant_id: uuid.UUID, verdict: Verdict, event: LoggedEvent, message_id: uuid.UUID | None = None
) -> OnBehalf:
    root = event.causality.get("root")
    return OnBehalf(
        tenant_id,
        uuid.UUID(verdict.rule.id),
        verdict.rule.name,
        verdict.rule.version,
        _depth(event) + 1,
        root if isinstance(root, int) else event.cursor.id,
        event.cursor.id,
        message_id,
    )


def _kept(mail: MailFacts, facts: Facts) -> dict[str, object]:
    """What an explanation needs later and nobody can look up then. Ids and words of the desk, none of the mail."""
    return {
        "status": mail.status,
        "priority": mail.priority,
        "category": mail.category,
        "tags": mail.tags,
        "vip": mail.vip,
        "first": mail.first,
        "hours": dict(facts.hours),
    }


def _chunks(ids: Sequence[uuid.UUID]) -> Iterable[Sequence[uuid.UUID]]:
    return (ids[i : i + AT_ONCE] for i in range(0, len(ids), AT_ONCE))
