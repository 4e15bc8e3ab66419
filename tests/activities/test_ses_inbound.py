"""Mail that SES puts into its bucket: by notice or found there, once each, in its inboxes or kept until there is one."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.parser_pool import ParserPool
from activities.ses_spool import SesSpool
from providers.s3.blobs import BlobStore
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.receipts import ReceiptBucket
from store.ses_receipts import claim_again, route_receipt
from store.unit_of_work import Database
from tests.activities.mail_room import letter
from tests.activities.ses_mail_room import SesMailRoom
from tests.conftest import S3Server
from tests.servers.ses_payloads import SENT, ses_id


@pytest_asyncio.fixture
async def room(
    mail_database: Database, blobs: BlobStore, parsers: ParserPool, s3_server: S3Server
) -> AsyncIterator[SesMailRoom]:
    made = await SesMailRoom(mail_database, blobs, parsers, port=1, user="", password="", s3=s3_server).open()
    yield made
    await made.close()


def mail(room: SesMailRoom, n: int, subject: str, **how: object) -> bytes:
    return letter(n, subject=subject, to=f"desk@{room.domain}", **how)


async def test_a_noticed_mail_becomes_a_message_once(room: SesMailRoom) -> None:
    raw = mail(room, 1, "told")
    object_id = await room.put(raw, f"Desk@{room.domain}")
    assert await room.route() == 1
    assert (await room.ledger())[object_id]["state"] == "seen"
    await room.settle()
    message = object_id.rpartition("/")[2]
    for _ in range(2):
        await room.tell(message, f"desk@{room.domain}")
        await room.route()
    await room.look()
    await room.settle()
    assert await room.subjects() == ["told"]
    row = (await room.ledger())[object_id]
    assert (row["state"], row["role"], row["historical"]) == ("ingested", "inbox", False)
    stored = await room.blobs.get(row["raw_key"], row["raw_offset"], row["raw_length"])
    assert stored.endswith(raw)
    assert (await room.receipts())[object_id]["recipients"] == [], "addresses are not kept"


async def test_a_lost_notice_is_made_up_for_by_the_bucket(room: SesMailRoom) -> None:
    lost = [await room.put(mail(room, n, f"lost {n}"), f"desk+x{n}@{room.domain}", told=False) for n in range(5)]
    await room.blobs.put(f"{room.prefix}AMAZON_SES_SETUP_NOTIFICATION", b"Hi")
    assert await room.look() == 1
    await room.settle()
    assert sorted(await room.subjects()) == [f"lost {n}" for n in range(5)]
    rows = await room.ledger()
    assert set(rows) == set(lost)
    assert not any(row["historical"] for row in rows.values())
    assert await room.look() == 0, "what is known is not given again"


async def test_mail_from_before_the_inbox_is_history(room: SesMailRoom) -> None:
    object_id = await room.put(mail(room, 1, "old"), f"desk@{room.domain}", told=False)
    await room.tell(object_id.rpartition("/")[2], f"desk@{room.domain}", at=SENT)
    await room.route()
    await room.settle()
    assert (await room.message("old"))["historical"]


async def test_a_blind_copy_whose_notice_was_lost_is_found_by_the_line_of_ses(room: SesMailRoom) -> None:
    raw = letter(1, subject="hidden", to="someone@customer.example.com")
    await room.put(raw, f"desk@{room.domain}", told=False)
    await room.look()
    await room.settle()
    assert await room.subjects() == ["hidden"]


async def test_mail_for_nobody_is_kept_told_and_given_to_the_catch_all_later(room: SesMailRoom) -> None:
    object_id = await room.put(mail(room, 1, "for whom"), f"sales@{room.domain}")
    assert await room.route() == 0
    assert (await room.receipts())[object_id]["state"] == "unclaimed"
    assert await room.unclaimed() == 1
    told = await room.rows("select payload from events where type = 'domain.updated' order by id desc limit 1")
    assert told[0]["payload"]["notice"] == "unclaimed_mail"
    assert await room.look() == 0
    assert await room.unclaimed() == 1, "looking again counts nothing"
    await room.rows("update inboxes set updated_at = now() where id = :i", i=room.inbox_id)
    assert await room.look() == 0
    assert await room.unclaimed() == 1, "it is the same mail"
    await room.rows("update inboxes set is_catchall = true, updated_at = now() where id = :i", i=room.inbox_id)
    assert await room.look() == 1
    await room.settle()
    assert await room.subjects() == ["for whom"]
    assert (await room.receipts())[object_id]["state"] == "routed"


async def test_a_stranger_to_all_domains_is_kept_without_a_word_to_tenants(room: SesMailRoom) -> None:
    object_id = await room.put(mail(room, 1, "lost"), "x@nowhere.example.com")
    assert await room.route() == 0
    assert (await room.receipts())[object_id]["state"] == "unclaimed"
    assert await room.unclaimed() == 0
    async with room.database.system_unit_of_work() as connection:
        await claim_again(connection, now=dt.datetime.now(dt.UTC) + dt.timedelta(days=91))
    assert (await room.receipts())[object_id]["recipients"] == [], "after ninety days nobody needs the address"


async def test_an_object_that_is_not_there_is_tried_again_and_then_quarantined(room: SesMailRoom) -> None:
    message = ses_id()
    await room.tell(message, f"desk@{room.domain}")
    await room.route()
    states = []
    for _ in range(3):
        assert (await room.fetch()).failure is None
        (row,) = (await room.ledger()).values()
        states.append(row["state"])
    assert states == ["seen", "seen", "quarantined"]
    assert len(await room.rows("select 1 from quarantine where ledger_id = :l", l=row["id"])) == 1


async def test_an_object_that_comes_late_is_taken(room: SesMailRoom) -> None:
    message = ses_id()
    await room.tell(message, f"desk@{room.domain}")
    await room.route()
    await room.fetch()
    await room.blobs.put(f"{room.prefix}{message}", mail(room, 1, "late"))
    await room.settle()
    assert await room.subjects() == ["late"]


async def test_a_notice_of_another_bucket_reads_nothing_from_it(room: SesMailRoom) -> None:
    async with room.database.system_unit_of_work() as connection:
        from_elsewhere = "elsewhere/key"
        await connection.exec_driver_sql(
            "insert into ses_receipts (object_id, recipients) values (%s, %s)", (from_elsewhere + uuid.uuid4().hex, [f"desk@{room.domain}"])
        )
    await room.route()
    for _ in range(3):
        await room.fetch()
    (row,) = (await room.ledger()).values()
    assert row["state"] == "quarantined"


async def test_the_sheet_balances_and_an_emptied_bucket_takes_nothing_back(room: SesMailRoom) -> None:
    ids = [await room.put(mail(room, n, f"kept {n}"), f"desk@{room.domain}") for n in range(3)]
    await room.route()
    await room.settle()
    await room.blobs.delete([i.partition("/")[2] for i in ids])
    await room.rows("update inboxes set audit_due_at = now() - interval '1 hour' where id = :i", i=room.inbox_id)
    await room.settle()
    (audit,) = await room.rows("select * from audits where inbox_id = :i order by id desc limit 1", i=room.inbox_id)
    assert (audit["at_provider"], audit["ingested"], audit["missing"], audit["gone"]) == (3, 3, 0, 0)
    assert all(row["gone_at"] is None for row in (await room.ledger()).values())


async def test_a_row_that_was_lost_is_a_gap_that_the_audit_fills(room: SesMailRoom) -> None:
    object_id = await room.put(mail(room, 1, "found again"), f"desk@{room.domain}")
    await room.route()
    await room.settle()
    await room.rows("delete from ledger where inbox_id = :i", i=room.inbox_id)
    await room.rows("update inboxes set audit_due_at = now() - interval '1 hour' where id = :i", i=room.inbox_id)
    await room.settle()
    assert (await room.ledger())[object_id]["raw_key"] is not None
    (gap,) = await room.gaps()
    assert (gap["missing"], gap["refilled"], gap["closed_at"] is not None) == (1, 1, True)


async def test_many_at_once_route_each_mail_once(room: SesMailRoom) -> None:
    for n in range(12):
        await room.put(mail(room, n, f"burst {n}"), f"desk@{room.domain}", f"desk+again@{room.domain}")
    await asyncio.gather(*(room.route() for _ in range(4)))
    await room.settle()
    assert len(await room.subjects()) == 12
    assert len(await room.ledger()) == 12


async def test_dying_before_the_commit_leaves_the_mail_to_the_next_round(room: SesMailRoom) -> None:
    object_id = await room.put(mail(room, 1, "again"), f"desk@{room.domain}")

    async def dies() -> None:
        async with room.database.system_unit_of_work() as connection:
            assert await route_receipt(connection, (await room.receipts())[object_id]["id"], now=dt.datetime.now(dt.UTC))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await dies()
    assert (await room.ledger(), (await room.receipts())[object_id]["state"]) == ({}, "waiting")
    await room.look()
    await room.settle()
    assert await room.subjects() == ["again"]


async def test_a_mail_that_breaks_the_step_holds_up_no_other(room: SesMailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = await room.put(mail(room, 1, "bad"), f"desk@{room.domain}")
    await room.put(mail(room, 2, "good"), f"desk@{room.domain}")
    poison = (await room.receipts())[bad]["id"]

    async def breaks(connection: object, receipt_id: uuid.UUID, *, now: dt.datetime) -> object:
        if receipt_id == poison:
            raise ValueError("unforeseen")
        return await route_receipt(connection, receipt_id, now=now)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("activities.ses_spool.route_receipt", breaks)
        assert await room.route() == 1
    assert (await room.receipts())[bad]["attempts"] == 1
    await room.route()
    await room.settle()
    assert sorted(await room.subjects()) == ["bad", "good"]


async def test_a_bucket_that_is_away_holds_up_nothing_else(room: SesMailRoom, caplog: pytest.LogCaptureFixture) -> None:
    await room.put(mail(room, 1, "told before"), f"desk@{room.domain}")
    account = SesAccount("us-east-1", "AKIAEXAMPLE", Secret("wrong"))
    broken = ReceiptBucket(account, room.s3.bucket, room.prefix, endpoint=room.s3.endpoint)
    spool = SesSpool(room.database, broken, every=0.0)
    assert len(await spool.look(now=dt.datetime.now(dt.UTC))) == 1
    assert "bucket_refused" in caplog.text
    broken.close()


async def test_what_the_spam_filter_of_ses_says_is_believed(room: SesMailRoom) -> None:
    await room.put(b"X-SES-Spam-Verdict: FAIL\r\n" + mail(room, 1, "cheap"), f"desk@{room.domain}")
    await room.route()
    await room.settle()
    assert (await room.ledger()).popitem()[1]["classification"] == "spam"
