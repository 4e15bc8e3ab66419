"""Every version goes up and back down again, under timeouts, and ends where the models are."""

import time
import uuid

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from commands.schema import alembic_config


@pytest.fixture
def empty(postgres_server):
    """The URL of a new empty database on the session's server."""
    name = f"m_{uuid.uuid4().hex}"
    server = create_engine(_sqlalchemy(postgres_server), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"create database {name}"))
    url = server.url.set(database=name).render_as_string(hide_password=False)
    yield url
    with server.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))
    server.dispose()


def _sqlalchemy(server) -> str:
    url = server if isinstance(server, str) else server.admin_url
    return url.replace("postgresql://", "postgresql+psycopg://")


def tables(url: str) -> set[str]:
    """All tables but the monthly partitions, which come and go by a function."""
    engine = create_engine(url)
    try:
        return {t for t in inspect(engine).get_table_names() if not t.startswith("events_")} - {"alembic_version"}
    finally:
        engine.dispose()


def test_each_version_goes_up_and_down(empty) -> None:
    config = alembic_config(empty)
    versions = [v.revision for v in reversed(list(ScriptDirectory.from_config(config).walk_revisions()))]
    seen = [tables(empty)]
    for version in versions:
        command.upgrade(config, version)
        seen.append(tables(empty))
    assert len(seen[-1]) > 30
    for version, before in zip(["base", *versions[:-1]][::-1], seen[:-1][::-1], strict=True):
        command.downgrade(config, version)
        assert tables(empty) == before
    command.upgrade(config, "head")
    assert tables(empty) == seen[-1]


def test_models_and_migrations_agree(empty) -> None:
    command.upgrade(alembic_config(empty), "head")
    command.check(alembic_config(empty))


def test_a_migration_gives_up_instead_of_queueing(empty) -> None:
    """A reader that holds a lock must not be stood behind for ever, with everybody else behind us."""
    command.upgrade(alembic_config(empty), "0002")
    engine = create_engine(empty)
    with engine.connect() as holder:
        holder.execute(text("lock table tags in access exclusive mode"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            command.upgrade(alembic_config(empty), "head")
    engine.dispose()


@pytest.fixture
def migrated(empty):
    command.upgrade(alembic_config(empty), "head")
    engine = create_engine(empty)
    yield engine
    engine.dispose()


def an_inbox(connection):
    """A tenant and its inbox, by id."""
    tenant = connection.execute(text("insert into tenants (name, slug) values ('t', 't') returning id")).scalar_one()
    inbox = connection.execute(text("insert into inboxes (tenant_id, name, email_address) values (:t, 'i', 'i@example.com') returning id"), {"t": tenant}).scalar_one()
    return tenant, inbox


def a_folder(connection, tenant, inbox):
    """Its INBOX, read up to UID 100."""
    return connection.execute(text("insert into folders (tenant_id, inbox_id, name, path, uidvalidity, last_uid) values (:t, :i, 'INBOX', 'INBOX', 7, 100) returning id"), {"t": tenant, "i": inbox}).scalar_one()


def test_a_cursor_may_not_go_back_within_a_uidvalidity(migrated) -> None:
    with migrated.begin() as connection:
        tenant, inbox = an_inbox(connection)
        folder = a_folder(connection, tenant, inbox)
    with pytest.raises(DBAPIError, match="may not go back"), migrated.begin() as connection:
        connection.execute(text("update folders set last_uid = 99 where id = :f"), {"f": folder})
    with migrated.begin() as connection:
        connection.execute(text("update folders set uidvalidity = 8, last_uid = 3 where id = :f"), {"f": folder})
        connection.execute(text("update folders set last_uid = 4 where id = :f"), {"f": folder})


def test_an_empty_thread_key_is_refused(migrated) -> None:
    """An empty Message-ID once joined every later mail of a desk to one conversation."""
    with migrated.begin() as connection:
        tenant, inbox = an_inbox(connection)
        conversation = connection.execute(text("insert into conversations (tenant_id, number, inbox_id) values (:t, 1, :i) returning id"), {"t": tenant, "i": inbox}).scalar_one()
    with pytest.raises(DBAPIError, match="key_not_empty"), migrated.begin() as connection:
        connection.execute(text("insert into thread_keys (tenant_id, inbox_id, key, kind, conversation_id) values (:t, :i, '<>', 'message_id', :c)"), {"t": tenant, "i": inbox, "c": conversation})


def test_event_partitions_are_made_ahead_and_once(migrated) -> None:
    with migrated.begin() as connection:
        assert connection.execute(text("select mailroom_ensure_event_partitions(14)")).scalar_one() == 2
        assert connection.execute(text("select mailroom_ensure_event_partitions(14)")).scalar_one() == 0


def test_uuidv7_grows_with_time(migrated) -> None:
    with migrated.connect() as connection:
        rows = connection.execute(text("select uuidv7() as id, pg_sleep(0.00002) from generate_series(1, 200)")).all()
    ids = [uuid.UUID(str(row.id)) for row in rows]
    assert {made.version for made in ids} == {7}
    assert {made.variant for made in ids} == {uuid.RFC_4122}
    assert ids == sorted(ids), "two ids that a microsecond lies between sort in the order of their making"
    assert abs(time.time() - (ids[-1].int >> 80) / 1000) < 60


def test_what_an_inbox_writes_back_becomes_a_list_and_a_word_again(empty) -> None:
    config, engine = alembic_config(empty), create_engine(empty)
    command.upgrade(config, "0026")

    def told() -> list[object]:
        with engine.begin() as connection:
            return list(connection.execute(text("select settings -> 'write_back' from inboxes order by name")).scalars())

    with engine.begin() as connection:
        tenant = connection.execute(text("insert into tenants (name, slug) values ('t', 't') returning id")).scalar_one()
        for name, settings in (("a", '{"write_back": "read"}'), ("b", '{"write_back": "off"}'), ("c", "{}")):
            connection.execute(
                text("insert into inboxes (tenant_id, name, email_address, settings) values (:t, :n, :n || '@example.com', cast(:s as jsonb))"),
                {"t": tenant, "n": name, "s": settings},
            )
    command.upgrade(config, "0027")
    assert told() == [["read"], [], None]
    command.downgrade(config, "0026")
    assert told() == ["read", "off", None]
    engine.dispose()


FOREIGN_KEYS = text(
    """
    select k.conname::text as name, k.confrelid::regclass::text as named,
      array(select a.attname::text from unnest(k.confkey) with ordinality as n(number, place)
            join pg_attribute a on a.attrelid = k.confrelid and a.attnum = n.number order by n.place) as columns
    from pg_constraint k
    join pg_class t on t.oid = k.confrelid and t.relkind = 'r'
    where k.contype = 'f' and k.conparentid = 0
    """
)


def test_foreign_keys_are_checked_by_their_keys_before_anybody_has_analysed(migrated) -> None:
    """By an index that only begins with the tenant each check would read all rows that there are, until the connection ends."""
    with migrated.begin() as connection:
        keys = connection.execute(FOREIGN_KEYS).all()
        assert len(keys) > 60
        connection.exec_driver_sql("set local plan_cache_mode = force_generic_plan")
        slow = []
        for number, key in enumerate(keys):
            where = " and ".join(f"x.{column} = ${n}" for n, column in enumerate(key.columns, 1))
            connection.exec_driver_sql(f"prepare check_{number} as select 1 from only {key.named} x where {where} for key share of x")
            plan = "\n".join(connection.exec_driver_sql(f"explain execute check_{number} ({', '.join(['null'] * len(key.columns))})").scalars())
            conditions = " ".join(line for line in plan.splitlines() if "Index Cond:" in line)
            if not all(f"({column} = ${n})" in conditions for n, column in enumerate(key.columns, 1)):
                slow.append(f"{key.name}: {plan}")
        assert not slow, "\n".join(slow)


def test_a_ledger_row_that_was_just_written_changes_without_touching_an_index(migrated) -> None:
    """Counted as started, then settled: without room on their pages the new versions would go into every index once more."""
    with migrated.begin() as connection:
        tenant, inbox = an_inbox(connection)
        folder = a_folder(connection, tenant, inbox)
        connection.execute(
            text(
                "insert into ledger (tenant_id, inbox_id, folder_id, uidvalidity, uid, state, raw_key, raw_sha256)"
                " select :t, :i, :f, 7, n, 'stored', repeat('k', 90), repeat('h', 64) from generate_series(1, 400) n"
            ),
            {"t": tenant, "i": inbox, "f": folder},
        )
    with migrated.begin() as connection:
        connection.execute(text("update ledger set attempts = attempts + 1, updated_at = now()"))
        assert connection.execute(text("select pg_stat_get_xact_tuples_hot_updated('ledger'::regclass)")).scalar_one() == 400
