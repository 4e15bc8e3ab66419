"""What the tests of submissions share: an account on the scripted server, a mail, and a record of stages."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from providers.egress import EgressPolicy
from providers.secret import Secret
from providers.smtp.account import SmtpAccount
from providers.smtp.outcome import Stage, SubmitOutcome
from providers.smtp.sender import SmtpSender
from tests.servers.scripted_smtp import (
    ScriptedSmtp,
)

POLICY = EgressPolicy(allow=(ip_network("127.0.0.0/8"),), check_ports=False)
RAW = (
    b"From: support@example.com\r\nTo: ann@example.org\r\nMessage-ID: <one@example.com>\r\n\r\n"
    b"Hello\r\n.\r\n..two dots\r\n.leading\r\nend\r\n"
)
TO = ("ann@example.org", "bob@example.org")


def account_for(server: ScriptedSmtp, **changes: Any) -> SmtpAccount:
    server.users = {"agent": "right"}
    account = SmtpAccount(
        server.host,
        server.port,
        "plain",
        "agent",
        Secret("right"),
        command_timeout=10.0,
        connect_timeout=10.0,
        dot_timeout=10.0,
    )
    return replace(account, **changes)


class Stages:
    """Records what was committed before each stage, and fails where a test wants it to."""

    def __init__(
        self,
        fail_at: Stage | None = None,
        error: BaseException | None = None,
        *,
        pause_before_dot: float = 0.0,
    ) -> None:
        self._pause = pause_before_dot
        self.seen: list[Stage] = []
        self._fail_at = fail_at
        self._error = error or RuntimeError("the stage could not be committed")

    async def __call__(self, stage: Stage) -> None:
        if stage is self._fail_at:
            raise self._error
        if stage is Stage.DOT:
            await asyncio.sleep(self._pause)  # a commit takes its time, and the server may speak meanwhile
        self.seen.append(stage)


async def submit(server: ScriptedSmtp, stages: Stages | None = None, **changes: Any) -> SubmitOutcome:
    sender = SmtpSender(account_for(server, **changes), POLICY)
    return await sender.submit(RAW, "support@example.com", TO, stages or Stages())


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in two seconds")
