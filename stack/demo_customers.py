"""The demo's customers: they send the letters through real SMTP, write now and then, and answer when they are answered.

Everything they do goes through the demo servers like real mail. They stop when their task is cancelled; a server that is
away for a moment is tried again at the next turn.
"""

import asyncio
import contextlib
import datetime as dt
import email
import email.policy
import email.utils
import random
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

from stack.demo_letters import ADA, BARBARA, GRACE, LINUS, SHOP, Letter, answer_to, arrivals, small_talk
from stack.demo_mail import DemoMail

BETWEEN_LETTERS = (35.0, 90.0)  # seconds
LOOK_EVERY = 4.0
THINK = (6.0, 15.0)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class DemoCustomers:
    """`write_on` runs until cancelled. `report` hears one line for each letter, without any content."""

    def __init__(
        self, mail: DemoMail, *, seed: int | None = None, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self._mail = mail
        self._chance = random.Random(seed)  # noqa: S311  # small talk, not secrets
        self._report = report
        self._sent = 0
        self._read: dict[str, set[str]] = {}

    def deliver_history(self, letters: list[Letter]) -> None:
        """Put letters of the past straight into the mailbox, with the time at which they came."""
        for letter in letters:
            self._mail.deliver(
                SHOP, letter.raw, folder=letter.folder, received=now() - letter.age, seen=letter.seen
            )

    async def write_arrivals(self) -> int:
        """Send each arrival once through SMTP. Returns how many went."""
        letters = list(arrivals(now()))
        for letter in letters:
            await asyncio.to_thread(self._submit, letter.raw)
        return len(letters)

    async def write_on(self) -> None:
        for customer in (ADA, GRACE, LINUS, BARBARA):
            self._read[customer[1]] = {name for name, _ in self._mailbox(customer[1])}
        await asyncio.gather(self._ask_now_and_then(), self._answer_when_answered())

    async def _ask_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(*BETWEEN_LETTERS))
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._sent += 1
                await asyncio.to_thread(self._submit, small_talk(now(), self._chance, self._sent))
                self._report("a customer wrote")

    async def _answer_when_answered(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for customer in (ADA, GRACE, LINUS, BARBARA):
                for name, raw in self._mailbox(customer[1]):
                    if name in self._read[customer[1]]:
                        continue
                    self._read[customer[1]].add(name)
                    received = email.message_from_bytes(raw, policy=email.policy.default)
                    if isinstance(received, EmailMessage) and not received.get("Auto-Submitted"):
                        await asyncio.sleep(self._chance.uniform(*THINK))
                        with contextlib.suppress(OSError, smtplib.SMTPException):
                            answer = answer_to(received, customer, now(), self._chance)
                            await asyncio.to_thread(self._submit, answer)
                            self._report("a customer answered")

    def _mailbox(self, address: str) -> list[tuple[str, bytes]]:
        """Unread and read letters of a customer's maildir, by unique name (what stands before the flags)."""
        base = self._mail.accounts[address].maildir
        found = []
        for folder in ("new", "cur"):
            for path in sorted((base / folder).glob("*")):
                with contextlib.suppress(
                    FileNotFoundError
                ):  # moved from new to cur between listing and reading
                    found.append((path.name.partition(":")[0], path.read_bytes()))
        return found

    def _submit(self, raw: bytes) -> None:
        letter = email.message_from_bytes(raw)
        sender = email.utils.parseaddr(str(letter["From"]))[1]
        envelope = "" if letter.get("Return-Path") == "<>" else sender
        with smtplib.SMTP(self._mail.host, self._mail.smtp_port, timeout=10) as smtp:
            smtp.sendmail(envelope, [SHOP], raw)
