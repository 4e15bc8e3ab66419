"""The commands against a running stack, as an operator types them."""

import asyncio
import json
import os
import subprocess
import sys

from tests.journeys.driver import PROJECT, Mailbox, Mailroom


async def mailroom_command(mailroom: Mailroom, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILROOM_")} | {"PYTHONPATH": str(PROJECT), "COLUMNS": "160", **env}
    return await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "cli", *arguments, "--data", str(mailroom.data)],
        cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=90, check=False,
    )


async def test_an_inbox_from_adding_to_pausing(mailroom: Mailroom, pymap_box: Mailbox, demo_mail) -> None:
    name = pymap_box.address.partition("@")[0]
    common = ("--imap-host", demo_mail.host, "--imap-port", str(demo_mail.imap_port), "--imap-security", "plain",
              "--smtp-host", demo_mail.host, "--smtp-port", str(demo_mail.smtp_port), "--smtp-security", "plain")
    wrong = await mailroom_command(mailroom, "inbox", "add", pymap_box.address, *common, "--name", f"{name}-x", MAILROOM_INBOX_PASSWORD="wrong")
    assert wrong.returncode == 1
    assert "password" in wrong.stderr.lower()
    added = await mailroom_command(mailroom, "inbox", "add", pymap_box.address, *common, "--name", name, MAILROOM_INBOX_PASSWORD=pymap_box.password)
    assert added.returncode == 0, added.stderr + added.stdout
    assert "is connected" in added.stdout
    listed = await mailroom_command(mailroom, "inbox", "list")
    assert name in listed.stdout
    status = await mailroom_command(mailroom, "inbox", "status", name)
    assert status.returncode == 0, status.stderr
    assert "INBOX" in status.stdout
    assert (await mailroom_command(mailroom, "inbox", "pause", name)).returncode == 0
    assert "paused" in (await mailroom_command(mailroom, "inbox", "list")).stdout
    assert (await mailroom_command(mailroom, "inbox", "resume", name)).returncode == 0
    resync = await mailroom_command(mailroom, "inbox", "resync", name, "--scope", "all")
    assert resync.returncode == 0, resync.stderr
    for text in (wrong, added, status):
        assert pymap_box.password not in text.stdout + text.stderr


async def test_a_person_can_be_added_and_sign_in(mailroom: Mailroom) -> None:
    added = await mailroom_command(mailroom, "user", "add", "casey@example.com", "--name", "Casey", "--role", "agent")
    assert added.returncode == 0, added.stderr
    password = added.stdout.strip().splitlines()[-1].removeprefix("Password: ")
    origin = {"Origin": mailroom.stack["web_url"], "X-Mailroom": "1"}
    signed = await mailroom.api.post("/v1/session", json={"email": "casey@example.com", "password": password}, headers=origin)
    assert signed.status_code == 200, signed.text
    again = await mailroom_command(mailroom, "user", "add", "casey@example.com")
    assert again.returncode == 1
    assert "--reset" in again.stderr


async def test_the_doctor_finds_a_running_stack_well(mailroom: Mailroom) -> None:
    result = await mailroom_command(mailroom, "doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All is well" in result.stdout


async def test_a_second_stack_over_the_same_data_is_refused(mailroom: Mailroom) -> None:
    result = await mailroom_command(mailroom, "up", "--json")
    assert result.returncode == 1
    assert "in use by a running stack" in result.stderr


async def test_the_manifest_lets_scripts_drive_the_stack(mailroom: Mailroom) -> None:
    stack = json.loads((mailroom.data / "stack.json").read_text())
    for key in ("api_url", "web_url", "api_key", "temporal_address", "temporal_ui_url", "s3_endpoint", "database_url"):
        assert stack[key], key
    assert set(stack["sign_in"]) == {"email", "password"}
    assert (mailroom.data / "stack.json").stat().st_mode & 0o077 == 0
