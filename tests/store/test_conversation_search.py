"""The search functions pass row-level security and still give a tenant its own rows only, whatever the caller tries."""

import uuid

import psycopg
import pytest

SEARCH = "select count(*) from mailroom_search('printer')"


@pytest.fixture
def two(database):
    """Two tenants with one message each that says `printer`; gives (database, tenant one, tenant two)."""
    tenants = [uuid.uuid4(), uuid.uuid4()]
    with psycopg.connect(database.admin_dsn) as connection:
        for tenant in tenants:
            inbox, conversation, message = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
            connection.execute("insert into tenants (id, name, slug) values (%s, 'x', %s)", (tenant, tenant.hex))
            connection.execute("insert into inboxes (tenant_id, id, name, email_address) values (%s, %s, 'x', 'x@example.com')", (tenant, inbox))
            connection.execute("insert into conversations (tenant_id, id, number, inbox_id) values (%s, %s, 1, %s)", (tenant, conversation, inbox))
            connection.execute(
                "insert into messages (tenant_id, id, conversation_id, inbox_id, direction, sender_type, classification, sent_at)"
                " values (%s, %s, %s, %s, 'inbound', 'customer', 'message', now())",
                (tenant, message, conversation, inbox),
            )
            connection.execute(
                "insert into search_documents (tenant_id, message_id, conversation_id, document) values (%s, %s, %s, 'printer')",
                (tenant, message, conversation),
            )
    return database, *tenants


def found(connection: psycopg.Connection, statement: str = SEARCH) -> int:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def test_a_tenant_finds_its_own_rows_only(two) -> None:
    database, one, other = two
    with psycopg.connect(database.dsn) as connection:
        ids = []
        for tenant in (one, other):
            connection.execute("select set_config('app.tenant', %s, true)", (str(tenant),))
            ids.append({row[0] for row in connection.execute("select mailroom_search('printer')")})
            assert ids[-1] == {row[0] for row in connection.execute("select id from conversations")}
            connection.rollback()
    assert len(ids[0]) == len(ids[1]) == 1
    assert not ids[0] & ids[1]


@pytest.mark.parametrize("setting", [None, ""])
def test_without_a_tenant_nothing_is_found(two, setting) -> None:
    database, *_ = two
    with psycopg.connect(database.dsn) as connection:
        if setting is not None:
            connection.execute("select set_config('app.tenant', %s, true)", (setting,))
        assert found(connection) == 0


def test_the_tenant_of_the_transaction_before_is_forgotten(two) -> None:
    database, one, _ = two
    with psycopg.connect(database.dsn) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", (str(one),))
        assert found(connection) == 1
        connection.commit()
        assert found(connection) == 0


def test_objects_of_the_caller_do_not_stand_in_for_ours(two) -> None:
    """The functions run with more rights than their caller, so they may look up no name that the caller can make."""
    database, one, _ = two
    with psycopg.connect(database.dsn) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", (str(one),))
        connection.execute("create temp table search_documents (tenant_id uuid, conversation_id uuid, document tsvector)")
        connection.execute("set local search_path = pg_temp, public")
        assert found(connection, SEARCH.replace("mailroom", "public.mailroom")) == 1


def test_a_query_cannot_carry_a_statement(two) -> None:
    """The expectation is asked by EXPLAIN of a text that holds the query."""
    database, one, _ = two
    nasty = "'; drop table tags; --' & 'x''y' & 'back\\slash'"
    with psycopg.connect(database.dsn) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", (str(one),))
        row = connection.execute("select mailroom_search_expected(plainto_tsquery('simple', %s)), mailroom_search_expected($$'a\\\\b''c%%L'$$)", (nasty,)).fetchone()
        assert row is not None
        assert min(row) >= 0
        assert found(connection, "select count(*) from tags") == 0


def test_only_the_application_may_call_them(two) -> None:
    database, *_ = two
    with psycopg.connect(database.admin_dsn) as connection:
        rows = connection.execute(
            "select p.proname, r.rolname, p.prosecdef, p.proconfig::text, has_function_privilege('public', p.oid, 'execute')"
            " from pg_proc p join pg_roles r on r.oid = p.proowner where p.proname like 'mailroom_search%'"
        ).fetchall()
        makes = connection.execute("select has_schema_privilege('mailroom_system', 'public', 'create')").fetchone()
    assert {r[0] for r in rows} == {"mailroom_search", "mailroom_search_expected"}
    for _, owner, definer, config, everybody in rows:
        assert (owner, definer, everybody) == ("mailroom_system", True, False)
        assert "search_path=pg_catalog, public, pg_temp" in config
    assert makes == (False,)
