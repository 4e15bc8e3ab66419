"""Builds the full text index a moment after the rows, in batches: it costs more than all other rows of a mail together.

A message without `indexed_at` is not searchable yet; whoever comes next indexes it, so a crash only delays the search. Documents that an
earlier version built (`form`) are searchable as they are and built anew by the sweep, a slice at a time.
"""

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.search_folding import folded
from store.search_forms import PAIRED as PAIRED_SCRIPTS

# Scripts without spaces between words (those of store/search_forms.py): a run of them is kept as its pairs of characters too, in order.
PAIRED = "[" + PAIRED_SCRIPTS.encode("ascii", "backslashreplace").decode() + "]+"
PAIRED_MOST = 20_000  # characters of a text


def _pairs(value: str) -> str:
    """SQL for the pairs in a text; for texts of one byte a character it costs nothing."""
    return f"""
      coalesce((
        select string_agg('''' || g.pair || ''':' || least(g.place, 16000), ' ')::tsvector from (
          select c.letter || coalesce(lead(c.letter) over (partition by r.n order by c.n), '') as pair,
            row_number() over (order by r.n, c.n) + r.n as place
          from regexp_matches(left({value}, {PAIRED_MOST}), '{PAIRED}', 'g') with ordinality as r(run, n),
            regexp_split_to_table(r.run[1], '') with ordinality as c(letter, n)
          where octet_length({value}) <> length({value})) g), '')
    """


# What a document is made like. Counted up with every change, and the predicate of `ix_search_documents_older` with it.
FORM = 1


def document_of(value: str) -> str:
    """SQL for the words of a text that is folded already."""
    return f"to_tsvector('simple', {value}) || {_pairs(value)}"


def marked_as(place: str, words: str) -> str:
    """SQL for the same words once more, to be asked for in this place alone."""
    return f"array_to_tsvector(array(select '{place}=' || t from unnest(tsvector_to_array({words})) t))"


# Weights say where a word stands: A the subject, B the sender, C the recipients. Words of subjects and file names stand there twice, plain
# and as `subject=word` and `file=word`: the index knows no weights, and for a word of many bodies it would fetch them all. A tsvector
# holds 1 MB; with the cuts below no text reaches it (each word costs up to six bytes beside its letters).
SOURCE = f"""
    select m.tenant_id, m.id, m.conversation_id,
      setweight(s.words, 'A') || {marked_as("subject", "s.words")}
      || setweight(to_tsvector('simple', concat_ws(' ', w.sender, m.from_address, translate(m.from_address, '@.', '  ')))
           || {_pairs("w.sender")}, 'B')
      || setweight(to_tsvector('simple', coalesce(p.people, '')), 'C')
      || coalesce(f.document, '')
      || {document_of("b.body")} as document
    from picked join messages m on m.tenant_id = picked.tenant_id and m.id = picked.id
    cross join lateral (
      select m.subject, m.from_name, case when octet_length(m.body_text) > 300000 then 60000 else 200000 end as most offset 0) l
    cross join lateral (select left(m.body_text, l.most) as body offset 0) r
    cross join lateral (select {folded("l.subject")} as subject, {folded("l.from_name")} as sender offset 0) w
    cross join lateral (select {document_of("w.subject")} as words offset 0) s
    cross join lateral (select left({folded("r.body")}, l.most) as body offset 0) b
    left join lateral (
      select {folded("n.people")} as people from (
        select left(string_agg(concat_ws(' ', r.name, r.address, translate(r.address, '@.', '  ')), ' '), 50000) as people
        from message_recipients r where r.tenant_id = m.tenant_id and r.message_id = m.id offset 0) n) p on true
    left join lateral (
      select w.words || {marked_as("file", "w.words")}
        || case when n.attached then array_to_tsvector(array['has=attachment']) else '' end as document
      from (
        select left(string_agg(concat_ws(' ', a.filename, translate(a.filename, '._-', '   ')), ' '), 50000) as names,
          bool_or(a.disposition = 'attachment') as attached
        from attachments a where a.tenant_id = m.tenant_id and a.message_id = m.id) n
      cross join lateral (select to_tsvector('simple', {folded("n.names")}) as words offset 0) w
      where n.names is not null) f on true
"""
WRITE = f"""
    , written as (
      insert into search_documents (tenant_id, message_id, conversation_id, document, form)
      select tenant_id, id, conversation_id, document, {FORM} from ({SOURCE}) s
      on conflict (tenant_id, message_id) do update set document = excluded.document,
        conversation_id = excluded.conversation_id, form = excluded.form
      returning 1
    )
    update messages m set indexed_at = now() from picked
    where m.tenant_id = picked.tenant_id and m.id = picked.id
"""
# `skip locked`: two writers index different messages instead of waiting for each other.
OF_TENANT = text(
    f"""
    with picked as materialized (
      select tenant_id, id from messages where tenant_id = :tenant and indexed_at is null
      order by id limit :limit for no key update skip locked
    ) {WRITE}
    """
)
OF_ALL = text(
    f"""
    with picked as materialized (
      select tenant_id, id from messages where indexed_at is null limit :limit for no key update skip locked
    ) {WRITE}
    """
)
# The conversation stays as the document has it: only a merge or a split moves it, and may do so at this moment. A message whose words
# change is marked as unindexed by that.
OLDER = text(
    f"""
    with picked as materialized (
      select m.tenant_id, m.id from search_documents d join messages m on m.tenant_id = d.tenant_id and m.id = d.message_id
      where d.form < {FORM} limit :limit for no key update of m skip locked
    )
    update search_documents d set document = s.document, form = {FORM} from ({SOURCE}) s
    where d.tenant_id = s.tenant_id and d.message_id = s.id
    """
)


async def index_messages(connection: AsyncConnection, tenant_id: uuid.UUID, *, limit: int = 500) -> int:
    """Index the oldest messages of the tenant that are not searchable yet; how many it was."""
    return int((await connection.execute(OF_TENANT, {"tenant": tenant_id, "limit": limit})).rowcount)


async def index_all_tenants(connection: AsyncConnection, *, limit: int = 500) -> int:
    """As the system: index what any tenant's search lacks, for instance what a crash left behind."""
    return int((await connection.execute(OF_ALL, {"limit": limit})).rowcount)


async def rebuild_documents(connection: AsyncConnection, *, limit: int = 500) -> int:
    """As the system: build some documents of an earlier form anew, of any tenant; how many it was. Twice does the next ones; if it dies
    here, those of this call are built again.
    """
    return int((await connection.execute(OLDER, {"limit": limit})).rowcount)
