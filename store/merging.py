"""Makes two conversations one: everything of the one moves to the other, which keeps its number; the one becomes an alias.

Each message, key and note remembers the conversation it came from (`home_id`), so that `store/unmerging.py` can give it back.
Runs inside the transaction of the mail that proved it, or of the person who wants it. A second run finds nothing left to move.
"""

import uuid
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events

PAIRS = "unnest(cast(:losers as uuid[]), cast(:survivors as uuid[])) as p(loser, survivor)"
LOCK = text(
    """
    select id from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[])) order by id
    for no key update
    """
)
SUM = text(
    f"""
    update conversations s set
      message_count = s.message_count + l.message_count,
      agent_message_count = s.agent_message_count + l.agent_message_count,
      customer_message_count = s.customer_message_count + l.customer_message_count,
      unread_count = s.unread_count + l.unread_count,
      failed_sends = s.failed_sends + l.failed_sends, unknown_sends = s.unknown_sends + l.unknown_sends,
      snippet = case when l.last_message_at > s.last_message_at then l.snippet else s.snippet end,
      last_message_direction = case when l.last_message_at > s.last_message_at then l.last_message_direction
                                    else s.last_message_direction end,
      last_message_at = greatest(s.last_message_at, l.last_message_at),
      first_response_at = least(s.first_response_at, l.first_response_at),
      first_response_seconds = coalesce(s.first_response_seconds, l.first_response_seconds),
      avg_response_seconds = case when s.responses + l.responses > 0 then
        (coalesce(s.avg_response_seconds, 0) * s.responses + l.waited) / (s.responses + l.responses) end,
      responses = s.responses + l.responses,
      status = case when l.open then 'open' else s.status end,
      closed_at = case when l.open then null else s.closed_at end,
      snoozed_until = case when l.open then null else s.snoozed_until end,
      historical = s.historical and l.historical,
      created_at = least(s.created_at, l.created_at)
    from (
      select p.survivor, sum(c.message_count)::bigint as message_count,
        sum(c.agent_message_count)::bigint as agent_message_count,
        sum(c.customer_message_count)::bigint as customer_message_count, sum(c.unread_count)::bigint as unread_count,
        sum(c.failed_sends)::bigint as failed_sends, sum(c.unknown_sends)::bigint as unknown_sends,
        (array_agg(c.snippet order by c.last_message_at desc))[1] as snippet,
        (array_agg(c.last_message_direction order by c.last_message_at desc))[1] as last_message_direction,
        max(c.last_message_at) as last_message_at, min(c.first_response_at) as first_response_at,
        min(c.first_response_seconds) as first_response_seconds, sum(c.responses)::bigint as responses,
        sum(coalesce(c.avg_response_seconds, 0) * c.responses)::bigint as waited, bool_or(c.status = 'open') as open,
        bool_and(c.historical) as historical, min(c.created_at) as created_at
      from {PAIRS} join conversations c on c.tenant_id = :tenant and c.id = p.loser
      group by p.survivor
    ) l
    where s.tenant_id = :tenant and s.id = l.survivor
    returning s.id, s.version
    """
)
RETIRE = text(
    f"""
    update conversations c set merged_into = p.survivor, merged_under = p.survivor, merged_at = now(),
      unread_count = 0, failed_sends = 0, unknown_sends = 0,
      message_count = 0, agent_message_count = 0, customer_message_count = 0
    from {PAIRS} where c.tenant_id = :tenant and c.id = p.loser
    """
)
# What was merged into a loser before follows it, so that an alias always leads to a survivor in one step.
ALIASES = text(
    f"""
    update conversations c set merged_into = p.survivor
    from {PAIRS} where c.tenant_id = :tenant and c.merged_into = p.loser
    """
)
# What moved is news to whoever looks at the survivor: a reply that did not see it is asked to look again.
VERSIONS = "unnest(cast(:losers as uuid[]), cast(:survivors as uuid[]), cast(:versions as bigint[])) as p(loser, survivor, version)"
MESSAGES = text(
    f"""
    update messages m set conversation_id = p.survivor, home_id = coalesce(m.home_id, m.conversation_id),
      at_version = p.version
    from {VERSIONS}
    where m.tenant_id = :tenant and m.conversation_id = p.loser
    """
)
KEYS = text(
    f"""
    update thread_keys k set conversation_id = p.survivor, home_id = coalesce(k.home_id, k.conversation_id)
    from {PAIRS} where k.tenant_id = :tenant and k.conversation_id = p.loser
    """
)
DOCUMENTS = text(
    f"""
    update search_documents d set conversation_id = p.survivor
    from {PAIRS} where d.tenant_id = :tenant and d.conversation_id = p.loser
    """
)
NOTES = text(
    f"""
    update notes n set conversation_id = p.survivor, home_id = coalesce(n.home_id, n.conversation_id), at_version = p.version
    from {VERSIONS} where n.tenant_id = :tenant and n.conversation_id = p.loser
    """
)
FOLLOWERS = text(
    f"""
    insert into followers (tenant_id, conversation_id, user_id, reason)
    select distinct on (p.survivor, f.user_id) :tenant, p.survivor, f.user_id, f.reason
    from {PAIRS} join followers f on f.tenant_id = :tenant and f.conversation_id = p.loser
    order by p.survivor, f.user_id
    on conflict do nothing
    """
)
# Somebody who writes in both goes on in each: the draft of an alias is found under its own address.
DRAFTS = text(
    f"""
    insert into drafts (tenant_id, conversation_id, author_id, body_html, subject, recipients, attachments, updated_at)
    select distinct on (p.survivor, d.author_id) :tenant, p.survivor, d.author_id, d.body_html, d.subject, d.recipients,
      d.attachments, d.updated_at
    from {PAIRS} join drafts d on d.tenant_id = :tenant and d.conversation_id = p.loser
    order by p.survivor, d.author_id, d.updated_at desc
    on conflict do nothing
    """
)
# What people keep apart from a loser they keep apart from its survivor; the two themselves are one now.
APART = text(
    f"""
    insert into conversations_apart (tenant_id, one_id, other_id)
    select distinct :tenant, least(p.survivor, o.id), greatest(p.survivor, o.id)
    from {PAIRS} join conversations_apart a on a.tenant_id = :tenant and p.loser in (a.one_id, a.other_id)
    cross join lateral (select case when a.one_id = p.loser then a.other_id else a.one_id end as id) o
    where o.id <> p.survivor and o.id <> all(cast(:losers as uuid[]))
    on conflict do nothing
    """
)
NOT_APART = text(
    f"""
    delete from conversations_apart a using {PAIRS}
    where a.tenant_id = :tenant and a.one_id = least(p.loser, p.survivor) and a.other_id = greatest(p.loser, p.survivor)
    """
)
TAGS = text(
    f"""
    insert into conversation_tags (tenant_id, conversation_id, tag_id)
    select distinct :tenant, p.survivor, t.tag_id
    from {PAIRS} join conversation_tags t on t.tenant_id = :tenant and t.conversation_id = p.loser
    on conflict do nothing
    """
)
SUGGESTIONS = text(
    """
    delete from thread_suggestions where tenant_id = :tenant
      and (conversation_id = any(cast(:losers as uuid[])) or other_id = any(cast(:losers as uuid[])))
    """
)
# One of the two was answered automatically: the whole has been.
CLAIMS = text(
    f"""
    insert into auto_response_claims (tenant_id, conversation_id, message_id, outcome)
    select distinct on (p.survivor) :tenant, p.survivor, a.message_id, a.outcome
    from {PAIRS} join auto_response_claims a on a.tenant_id = :tenant and a.conversation_id = p.loser
    order by p.survivor, a.message_id nulls last
    on conflict do nothing
    """
)


async def merge_conversations(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    pairs: Sequence[tuple[uuid.UUID, uuid.UUID]],
    *,
    actor: str = "system",
) -> dict[uuid.UUID, int]:
    """Merge each (loser, survivor); a conversation is a loser once and never both. Returns the survivors' versions."""
    if not pairs:
        return {}
    losers, survivors = [p[0] for p in pairs], [p[1] for p in pairs]
    bound = {"tenant": tenant_id, "losers": losers, "survivors": survivors}
    await connection.execute(LOCK, {"tenant": tenant_id, "ids": [*losers, *survivors]})
    versions = {row.id: int(row.version) for row in await connection.execute(SUM, bound)}
    for statement in (MESSAGES, NOTES):
        await connection.execute(statement, {**bound, "versions": [versions[s] for s in survivors]})
    for statement in (KEYS, DOCUMENTS, FOLLOWERS, DRAFTS, TAGS, CLAIMS, APART, NOT_APART, ALIASES, RETIRE):
        await connection.execute(statement, bound)
    await connection.execute(SUGGESTIONS, {"tenant": tenant_id, "losers": losers})
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.merged",
                tenant_id,
                inbox_id=inbox_id,
                conversation_id=loser,
                actor=actor,
                payload={"into": str(survivor), "version": versions[survivor]},
            )
            for loser, survivor in pairs
        ],
    )
    return versions
