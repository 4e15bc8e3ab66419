"""A small name server on loopback: answers over UDP and TCP from a zone in memory, and fails on demand."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

FAR = 20  # aliases followed


@dataclass
class DnsServer:
    """`zone` maps (name, type) to record texts. `faults` maps a name to `servfail`, `refused`, `silent`, `truncated` (over
    UDP: ask again over TCP), `garbage` or `formerr`. `asked` is every question, with how it came.
    """

    zone: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put(self, name: str, kind: str, *values: str) -> None:
        self.zone[(name, kind)] = list(values)

    def answer(self, wire: bytes, way: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, way))
        fault = self.faults.get(name)
        if fault == "silent":
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if fault == "garbage":
            return wire[:2] + b"\xff" * 20
        if fault in ("servfail", "refused", "formerr"):
            reply.set_rcode(dns.rcode.from_text(fault))
            return reply.to_wire()
        if fault == "truncated" and way == "udp":
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        self._fill(reply, name, kind)
        try:
            return reply.to_wire(max_size=65_535 if way == "tcp" else 0)
        except dns.exception.TooBig:  # what does not fit into the asker's packet: ask again over TCP (RFC 2181 §9)
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()

    def _fill(self, reply: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(FAR):
            values = self.zone.get((name, kind))
            if values:
                reply.answer.append(dns.rrset.from_text(dns.name.from_text(name), 60, "IN", kind, *values))
                return
            aliases = self.zone.get((name, "CNAME"))
            if not aliases:
                if not any(owner == name or owner.endswith(f".{name}") for owner, _ in self.zone):
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                return
            reply.answer.append(dns.rrset.from_text(dns.name.from_text(name), 60, "IN", "CNAME", aliases[0]))
            name = aliases[0].rstrip(".").lower()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, "udp")
        if answer is not None:
            self._transport.sendto(answer, addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    """One server with an empty zone, on the same free port for UDP and TCP."""
    server = DnsServer()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = server.answer(await reader.readexactly(length), "tcp")
            if answer is not None:
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        finally:
            writer.close()

    listening = await asyncio.start_server(stream, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(server), local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        transport.close()
        listening.close()
        await listening.wait_closed()
