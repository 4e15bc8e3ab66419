"""Mailroom beside other programs: the same generated mails, the same Dovecot, one run after another on one machine.

    python -m benchmarks.peers --mails 2000 [--programs /tmp/peers/venv/bin] [--patience 300] [--json result.json]

A peer that is not installed is named as such; Mailroom needs none of them. To have them all:

    apt-get install --no-remove isync notmuch
    python3 -m venv /tmp/peers/venv
    /tmp/peers/venv/bin/pip install django-helpdesk getmail6
    python3 -m venv /tmp/peers/hyperkitty
    /tmp/peers/hyperkitty/bin/pip install HyperKitty

The plain socket reads and drops; mbsync and getmail copy to files; notmuch indexes and threads files and fetches nothing;
django-helpdesk makes tickets, on SQLite; HyperKitty imports an mbox to SQLite with threads and without search. Mailroom's figure
is from connecting an inbox to the last mail threaded, stored and searchable. Each is counted by what it really stored.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import ingest, peer_tools
from benchmarks.mailbox import mails
from benchmarks.peer_tools import Ran
from benchmarks.served import Mailbox, mailroom, served_by_dovecot, submission
from benchmarks.yardsticks import fetch_and_drop
from stack.ports import PortBook
from tests.servers.dovecot import Dovecot

OURS = "Mailroom"
# At least so many times as fast as the peer.
TARGETS = {
    "django-helpdesk": (10, 28),
    "HyperKitty": (8, 20),
    "notmuch new": (1.5, 4),
    "mbsync": (0.10, 0.26),
}


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    stored: int
    seconds: float
    per_second: float
    load_average: float
    note: str


async def measure(arguments: argparse.Namespace, console: Console) -> list[Row]:
    base = Path(tempfile.mkdtemp(prefix="mailroom-peers-"))
    ports = PortBook(base / "ports.json")
    rows: list[Row] = []
    try:
        async with served_by_dovecot(ports.port("imap"), ports.port("imaps")) as mailbox:
            mean = await ingest.fill(mailbox, arguments.mails, console)
            second = await copied(mailbox, arguments.mails)

            async def peer(name: str, run: Callable[[Path], Ran | None]) -> None:
                home = base / name.replace(" ", "-")
                home.mkdir()
                ran = await asyncio.to_thread(run, home)
                rows.append(_row(name, ran))
                console.print(f"{name}: {rows[-1].per_second} mails/s {rows[-1].note}")
                shutil.rmtree(home)

            await peer("plain socket", lambda _: _dropped(mailbox))
            await peer("mbsync", lambda home: peer_tools.mbsync(mailbox, home, arguments.patience))
            await peer(
                "getmail6",
                lambda home: peer_tools.getmail(mailbox, home, arguments.patience, arguments.programs),
            )
            await peer(
                "notmuch new", lambda home: peer_tools.notmuch(mailbox.maildir, home, arguments.patience)
            )
            await peer(
                "django-helpdesk",
                lambda home: peer_tools.django_helpdesk(second, home, arguments.patience, arguments.programs),
            )
            await peer(
                "HyperKitty",
                lambda home: peer_tools.hyperkitty(
                    mails(arguments.mails, to=mailbox.user), home, arguments.patience, arguments.archive
                ),
            )
            async with mailroom(base / "data", demo_mail=False) as stack, submission(base / "smtp") as smtp:
                ours = argparse.Namespace(mails=arguments.mails, server="dovecot", quick=True, rows_only=False)
                result = await ingest.measure_connected(ours, console, stack, mailbox, smtp, mean)
            stored = result.messages_stored + result.duplicates + result.quarantined
            note = f"{result.conversations} conversations, {result.duplicates} duplicates, {result.quarantined} in quarantine"
            rows.append(_row(OURS, Ran(stored, result.searchable_after_seconds, note)))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return rows


async def copied(mailbox: Mailbox, count: int) -> Mailbox:
    """A second mailbox of the same server with the same mails, for a program that deletes what it reads."""
    server = mailbox.owner
    if not isinstance(server, Dovecot):
        raise TypeError("the peers are compared on Dovecot")
    account = server.add_account("second@bench.example.com")
    for raw in mails(count, to=mailbox.user):
        server.deliver(account, raw)
    await asyncio.sleep(1.2)  # Dovecot looks at its list of users once a second
    return replace(mailbox, user=account.user, password=account.password, maildir=account.maildir)


def _dropped(mailbox: Mailbox) -> Ran:
    count, rate = fetch_and_drop(mailbox.host, mailbox.port, mailbox.user, mailbox.password)
    return Ran(count, count / rate, "read and dropped")


def _row(name: str, ran: Ran | None) -> Row:
    load = round(os.getloadavg()[0], 1)
    if ran is None:
        return Row(name, 0, 0.0, 0.0, load, "not installed")
    return Row(name, ran.stored, round(ran.seconds, 1), round(ran.per_second, 1), load, ran.note)


def shown(rows: list[Row], count: int) -> Table:
    table = Table(
        "",
        "mails/s",
        "stored",
        "seconds",
        "Mailroom to it",
        "must / aim",
        "load",
        "note",
        title=f"{count} mails, one Dovecot, one run",
    )
    ours = next(r.per_second for r in rows if r.name == OURS)
    for row in rows:
        ratio = f"{ours / row.per_second:.2f}×" if row.per_second and row.name != OURS else ""
        must, aim = TARGETS.get(row.name, ("", ""))
        target = f"{must}× / {aim}×" if must else ""
        table.add_row(
            row.name,
            f"{row.per_second:,}",
            f"{row.stored:,}",
            str(row.seconds),
            ratio,
            target,
            str(row.load_average),
            row.note,
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument(
        "--programs", type=Path, default=Path("/tmp/peers/venv/bin"), help="where pip put the peers"
    )
    parser.add_argument(
        "--archive",
        type=Path,
        default=Path("/tmp/peers/hyperkitty/bin"),
        help="where pip put HyperKitty, which wants another Django",
    )
    parser.add_argument("--patience", type=float, default=300, help="seconds that a peer may take")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console(width=150)
    rows = asyncio.run(measure(arguments, console))
    console.print(shown(rows, arguments.mails))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(r) for r in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
