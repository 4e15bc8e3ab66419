"""The whole stack as an operator meets it: state that survives, an end that is complete, failures that say why."""

import os
import pwd
import signal
import smtplib
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import imapclient
import psycopg
import pytest
from temporalio.client import Client

from stack.python_part import PROJECT
from tests.stack.conftest import PARTS, StackProgram

MAIL = b"From: ada@customers.example.com\r\nSubject: kept\r\n\r\nbody\r\n"
Run = Callable[..., StackProgram]


def _dsn(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _s3(manifest: dict[str, Any]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=manifest["s3_endpoint"],
        aws_access_key_id=manifest["s3_access_key"],
        aws_secret_access_key=manifest["s3_secret_key"],
        region_name=manifest["s3_region"],
        config=botocore.client.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def _write_everywhere(manifest: dict[str, Any]) -> None:
    with psycopg.connect(_dsn(manifest["database_admin_url"])) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('yes')")
    _s3(manifest).put_object(Bucket=manifest["s3_bucket"], Key="kept", Body=b"yes")
    sender, receiver = manifest["mail_accounts"][1], manifest["mail_accounts"][0]
    with smtplib.SMTP(manifest["smtp"]["host"], manifest["smtp"]["port"], local_hostname="c.example.com") as client:
        client.login(sender["address"], sender["password"])
        client.sendmail(sender["address"], [receiver["address"]], MAIL)


def _read_everywhere(manifest: dict[str, Any]) -> None:
    with psycopg.connect(_dsn(manifest["database_admin_url"])) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("yes",)]
    with psycopg.connect(_dsn(manifest["database_url"])) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("mailroom_app",)
    assert _s3(manifest).get_object(Bucket=manifest["s3_bucket"], Key="kept")["Body"].read() == b"yes"
    account = manifest["mail_accounts"][0]
    with imapclient.IMAPClient(manifest["imap"]["host"], manifest["imap"]["port"], ssl=False) as client:
        client.login(account["address"], account["password"])
        client.select_folder("INBOX")
        assert len(client.search()) == 1


async def test_a_restart_keeps_addresses_and_everything_stored(tmp_path: Path, run_stack: Run) -> None:
    data = tmp_path / "data with a space"
    first = run_stack(data)
    before = first.manifest()
    assert first.parts("ready") == {"postgres", "temporal", "s3", "demo-mail"}
    assert first.layout.manifest.stat().st_mode & 0o777 == 0o600
    _write_everywhere(before)
    client = await Client.connect(before["temporal_address"])
    handle = await client.start_workflow("Kept", id="kept", task_queue="nobody")
    assert first.interrupt() == 0
    assert first.living() == []
    assert first.parts("stopped") == {"postgres", "temporal", "s3", "demo-mail"}
    assert not first.layout.manifest.exists()

    again = run_stack(data)
    after = again.manifest()
    assert {**after, "pid": 0} == {**before, "pid": 0}
    _read_everywhere(after)
    client = await Client.connect(after["temporal_address"])
    assert (await client.get_workflow_handle("kept").describe()).run_id == handle.first_execution_run_id


def test_ports_taken_meanwhile_are_replaced(tmp_path: Path, run_stack: Run) -> None:
    first = run_stack(tmp_path)
    before = first.manifest()
    first.interrupt()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(before["s3_endpoint"].rpartition(":")[2])))
        other.listen()
        after = run_stack(tmp_path).manifest()
    assert after["s3_endpoint"] != before["s3_endpoint"]
    assert after["temporal_address"] == before["temporal_address"]
    _s3(after).put_object(Bucket=after["s3_bucket"], Key="one", Body=b"1")


def test_a_second_stack_on_the_same_data_is_refused_and_says_who_holds_it(tmp_path: Path, run_stack: Run) -> None:
    first = run_stack(tmp_path)
    manifest = first.manifest()
    second = run_stack(tmp_path)
    assert second.wait() == 1
    assert f"process {manifest['pid']}" in second.errors
    assert str(tmp_path) in second.errors
    assert "Traceback" not in second.errors
    assert first.layout.manifest.exists()
    assert sorted(first.living()) == sorted(PARTS)


@pytest.mark.parametrize("part", ["postgres", "demo-smtp"])
def test_a_crash_names_the_part_quotes_its_log_and_stops_the_rest(tmp_path: Path, run_stack: Run, part: str) -> None:
    stack = run_stack(tmp_path)
    stack.manifest()
    os.kill(stack.part_pid(part), signal.SIGKILL)
    assert stack.wait() == 1
    assert f"{part}: ended unexpectedly (killed by SIGKILL)" in stack.errors
    assert str(stack.layout.log(part)) in stack.errors
    if part == "postgres":
        assert "ready to accept connections" in stack.errors
    assert part in stack.parts("failed")
    assert stack.nothing_left(within=5)


def test_a_killed_supervisor_leaves_nobody_and_the_next_start_recovers(tmp_path: Path, run_stack: Run) -> None:
    stack = run_stack(tmp_path)
    _write_everywhere(stack.manifest())
    stack.kill()
    # Started at once, while some of the killed one's children may still be ending.
    again = run_stack(tmp_path)
    _read_everywhere(again.manifest(within=60))
    again.kill()
    assert again.nothing_left(within=20)


def test_stopping_while_it_starts_leaves_nobody(tmp_path: Path, run_stack: Run) -> None:
    stack = run_stack(tmp_path)
    while not stack.events:
        assert stack.child.poll() is None
    assert stack.interrupt() == 0
    assert stack.living() == []


def test_data_that_cannot_be_written_is_an_error_that_names_the_option(tmp_path: Path, run_stack: Run) -> None:
    (tmp_path / "file").touch()
    stack = run_stack(tmp_path / "file" / "data")
    assert stack.wait() == 1
    assert stack.errors.startswith("--data: ")


def _open_to_everybody() -> bool:
    interpreter = Path(sys.executable).resolve()
    way = (*interpreter.parents, PROJECT, *PROJECT.parents, *Path(sys.executable).parents)
    return all(directory.stat().st_mode & 0o005 == 0o005 for directory in way)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; the other tests ran as an ordinary one")
def test_an_ordinary_user_without_home_can_run_it(run_stack: Run) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    if not _open_to_everybody():
        pytest.skip("the project or its Python lies in a directory that other users may not enter")
    with tempfile.TemporaryDirectory(prefix="mailroom-nobody-") as directory:
        data = Path(directory) / "data"
        data.mkdir()
        os.chown(directory, nobody, nobody)
        os.chown(data, nobody, nobody)
        stack = run_stack(data, env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}, user=nobody)
        manifest = stack.manifest()
        assert (data / "postgres").stat().st_uid == nobody
        _write_everywhere(manifest)
        _read_everywhere(manifest)
        assert stack.interrupt() == 0
