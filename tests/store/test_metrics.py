"""The figures that operators watch: counted over all tenants, with ages, and by index."""

import pytest
from sqlalchemy import text

from store.metrics import GAPS, OPEN_SENDS, PUSHED, QUARANTINED, WAITING, read_figures
from store.unit_of_work import Database
from tests.store.desk import open_desk


@pytest.fixture
async def house(database):
    opened = Database(database.url, pool_size=2)
    yield opened
    await opened.close()


async def test_an_empty_house_has_zeros(house) -> None:
    async with house.system_unit_of_work() as connection:
        figures = await read_figures(connection)
    assert figures.ledger == {"seen": 0, "stored": 0}
    assert set(figures.sends) == {"scheduled", "queued", "sending", "unknown"}
    assert figures.inboxes == {"connecting": 0, "ok": 0, "degraded": 0, "auth_failed": 0, "paused": 0}
    assert set(figures.used_up.values()) == {0}
    assert "correspondent" in figures.used_up
    assert (figures.sends_overdue, figures.ledger_oldest, figures.gaps, figures.quarantined) == (0.0, 0.0, 0, 0)


async def test_what_waits_is_counted_and_has_an_age(house) -> None:
    desk = await open_desk(house)
    bound = {"t": desk.tenant_id, "i": desk.inbox_id}
    async with house.system_unit_of_work() as connection:

        async def run(statement: str) -> None:
            await connection.execute(text(statement), bound)

        await run(
            "insert into ledger (tenant_id, inbox_id, provider_message_id, raw_key, state, historical, created_at) values"
            " (:t, :i, 'a', 'k', 'stored', false, now() - interval '90 s'), (:t, :i, 'b', 'k', 'stored', true, now() - interval '1 day'),"
            " (:t, :i, 'c', 'k', 'ingested', false, now() - interval '1 day')"
        )
        await run("insert into quarantine (tenant_id, ledger_id, reason, first_at) select :t, id, 'depth', now() - interval '1 hour' from ledger where provider_message_id = 'a'")
        await run("insert into gaps (tenant_id, inbox_id, cause, opened_at) values (:t, :i, 'missed', now() - interval '2 hours')")
        await run("insert into gaps (tenant_id, inbox_id, cause, closed_at) values (:t, :i, 'missed', now())")
        await run(
            "insert into messages (tenant_id, inbox_id, sent_at, received_at, direction, kind, sender_type, send_status, send_stage, undo_until, unknown_since) values"
            " (:t, :i, now(), now(), 'outbound', 'message', 'agent', 'queued', null, now() - interval '10 min', null),"
            " (:t, :i, now(), now(), 'outbound', 'message', 'agent', 'scheduled', null, now() + interval '10 min', null),"
            " (:t, :i, now(), now(), 'outbound', 'message', 'agent', 'unknown', 'dot', now() - interval '9 hours', now() - interval '3 hours')"
        )
        await run(
            "insert into loop_breaches (tenant_id, inbox_id, budget, correspondent_key, opened_at, last_at, paused_until) values"
            " (:t, :i, 'inbox', '', now(), now(), now() + interval '1 min'), (:t, :i, 'tenant', '', now(), now(), now() - interval '1 s')"
        )
        figures = await read_figures(connection)
    assert figures.ledger == {"seen": 0, "stored": 2}
    assert {budget for budget, n in figures.used_up.items() if n} == {"inbox"}
    assert figures.ledger_oldest == pytest.approx(90, abs=20), "history may wait"
    assert (figures.quarantined, figures.gaps) == (1, 1)
    assert figures.quarantine_oldest == pytest.approx(3600, abs=20)
    assert figures.gaps_oldest == pytest.approx(7200, abs=20)
    assert {k: figures.sends[k] for k in ("queued", "scheduled", "unknown")} == {"queued": 1, "scheduled": 1, "unknown": 1}
    assert figures.sends_overdue == pytest.approx(600, abs=20)
    assert figures.sends_oldest["unknown"] == pytest.approx(3 * 3600, abs=20)
    assert sum(figures.inboxes.values()) == 1


@pytest.mark.parametrize(("statement", "index"), [(WAITING, "ix_ledger_pending"), (OPEN_SENDS, "ix_messages_open_sends"), (QUARANTINED, "ix_quarantine_open"), (GAPS, "gaps_open"), (PUSHED, "ix_push_hours_hour")])
async def test_each_question_can_use_an_index(house, statement, index) -> None:
    async with house.system_unit_of_work() as connection:
        await connection.execute(text("set local enable_seqscan = off"))
        plan = "\n".join(row[0] for row in await connection.execute(text(f"explain {statement.text}")))
    assert index in plan, plan


async def test_announcements_are_counted_by_state_with_what_they_lost(house) -> None:
    desk = await open_desk(house)
    async with house.system_unit_of_work() as connection:
        rows = [("on", "now() + interval '2 hours'", 0, "now() - interval '1 hour'"), ("on2", "now() + interval '3 days'", 1, "now() - interval '5 hours'"),
                ("refused", "null", 2, "null"), ("lapsed", "now() - interval '1 s'", 0, "now() - interval '9 days'"), ("none", "null", 0, "null")]  # fmt: skip
        for name, ends, failures, renewed in rows:
            await connection.execute(
                text(
                    "insert into inboxes (tenant_id, name, provider, email_address, connected_at, gmail_watch_expires_at, watch_failures, watch_renewed_at)"
                    f" values (:t, :n, 'gmail', 'x@example.com', now(), {ends}, :f, {renewed})"
                ),
                {"t": desk.tenant_id, "n": name, "f": failures},
            )
        await connection.execute(
            text(
                "insert into push_hours (tenant_id, inbox_id, hour, found, missed)"
                " values (:t, :i, date_trunc('hour', now()), 9, 2), (:t, :i, date_trunc('hour', now()) - interval '3 hours', 50, 50)"
            ),
            {"t": desk.tenant_id, "i": desk.inbox_id},
        )
        figures = await read_figures(connection)
    assert figures.watches == {"on": 2, "refused": 1, "lapsed": 1, "none": 1}
    assert figures.watch_left == pytest.approx(7200, abs=20)
    assert figures.watch_renewed == pytest.approx(5 * 3600, abs=20)
    assert figures.pushed == {"announced": 7, "missed": 2}
