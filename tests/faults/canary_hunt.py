"""Unique strings to be planted, and the places in which none of them may be found afterwards (integrity P5, T-2, X-52)."""

import base64
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client

BLOCK = 8 * 1024 * 1024


@dataclass
class Canaries:
    """Makes them, and knows each by a name. Lower-case letters and digits, so that nothing changes them on the way."""

    named: dict[str, str] = field(default_factory=dict)

    def new(self, name: str) -> str:
        assert name not in self.named
        self.named[name] = f"canary{name.replace('-', '')}{secrets.token_hex(6)}"
        return self.named[name]

    def keep(self, name: str, secret: str) -> None:
        """A secret that somebody else has made."""
        assert len(secret) >= 12, name
        self.named[name] = secret


@dataclass(frozen=True, slots=True)
class Leak:
    canary: str
    place: str
    around: str


def spellings(secret: str) -> list[bytes]:
    """As it is, in hexadecimal, and in base64 at each of the three places in a group of four where it may begin."""
    raw = secret.encode()
    found = [raw, raw.hex().encode()]
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        # The first and the last characters also depend on the neighbours.
        found.append(coded[(0, 2, 3)[shift] : len(coded) - 4])
    return found


def hunt(canaries: Mapping[str, str], places: Iterable[tuple[str, bytes]]) -> list[Leak]:
    """Each canary once for each place in which it is found."""
    sought = {name: spellings(secret) for name, secret in canaries.items()}
    leaks: list[Leak] = []
    for place, content in places:
        for name, ways in sought.items():
            at = next((at for way in ways if (at := content.find(way)) >= 0), -1)
            if at >= 0:
                leaks.append(Leak(name, place, repr(content[max(0, at - 60) : at + 20])))
    return leaks


def files(*directories: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below, in overlapping blocks, so that nothing hides at a seam."""
    for directory in directories:
        for path in sorted(p for p in directory.rglob("*") if p.is_file()):
            with path.open("rb") as stream:
                tail = b""
                while block := stream.read(BLOCK):
                    yield str(path), tail + block
                    tail = block[-500:]


async def histories(client: Client) -> list[tuple[str, bytes]]:
    """Ids, memos, search attributes and every event of every run that Temporal knows, payloads as their own bytes."""
    found: list[tuple[str, bytes]] = []
    async for run in client.list_workflows():
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        description = await handle.describe()
        told = [run.id.encode(), description.raw_description.SerializeToString()]
        async for event in handle.fetch_history_events():
            told.append(event.SerializeToString())
        found.append((f"history of {run.id}", b"\n".join(told)))
    return found
