"""Real look-ups against a name server of ours: what is there, what is surely not there, and what nobody could say."""

import time

import pytest

from providers.dns.lookup import DnsAnswer, DnsLookup, read_server
from tests.servers.dns import dns_server

NAME = "shop.example.org"


@pytest.fixture
async def server():
    async with dns_server() as made:
        yield made


async def test_strings_are_joined_and_several_records_are_several(server) -> None:
    server.put(NAME, "TXT", '"v=spf1 include:" "mail.example.net -all"', '"other"')
    server.put(NAME, "MX", "20 b.example.net.", "10 a.example.net.")
    ask = DnsLookup([server.address]).ask
    assert await ask(NAME, "TXT") == DnsAnswer(("other", "v=spf1 include:mail.example.net -all"))
    assert (await ask(NAME.upper() + ".", "MX")).values == ("10 a.example.net.", "20 b.example.net.")


async def test_an_alias_is_followed_and_can_be_asked_for(server) -> None:
    server.put(f"t._domainkey.{NAME}", "CNAME", "t.dkim.example.net.")
    server.put("t.dkim.example.net", "TXT", '"p=abc"')
    ask = DnsLookup([server.address]).ask
    assert (await ask(f"t._domainkey.{NAME}", "TXT")).values == ("p=abc",)
    assert (await ask(f"t._domainkey.{NAME}", "CNAME")).values == ("t.dkim.example.net.",)


async def test_no_such_name_and_no_such_record_are_sure_answers(server) -> None:
    server.put(f"a.{NAME}", "TXT", '"x"')
    ask = DnsLookup([server.address]).ask
    assert await ask(NAME, "TXT") == DnsAnswer()
    assert await ask("elsewhere.example.com", "TXT") == DnsAnswer()


@pytest.mark.parametrize("fault", ["servfail", "refused", "formerr", "garbage"])
async def test_a_failure_is_no_answer(server, fault) -> None:
    server.put(NAME, "TXT", '"x"')
    server.faults[NAME] = fault
    answer = await DnsLookup([server.address], seconds=0.6).ask(NAME, "TXT")
    assert answer.values == ()
    assert answer.trouble


async def test_silence_ends_in_time(server) -> None:
    server.faults[NAME] = "silent"
    began = time.monotonic()
    answer = await DnsLookup([server.address], seconds=0.4).ask(NAME, "TXT")
    assert answer == DnsAnswer(trouble="no answer in time")
    assert time.monotonic() - began < 2


async def test_a_truncated_answer_is_asked_for_over_tcp(server) -> None:
    server.put(NAME, "TXT", *(f'"{n:03}{"x" * 200}"' for n in range(20)))
    server.faults[NAME] = "truncated"
    answer = await DnsLookup([server.address]).ask(NAME, "TXT")
    assert len(answer.values) == 20
    assert [way for _, _, way in server.asked] == ["udp", "tcp"]


async def test_control_characters_and_giants_are_tamed(server) -> None:
    server.put(NAME, "TXT", '"a\\000b\\027[31m\\255"', " ".join(['"' + "y" * 250 + '"'] * 12))
    values = (await DnsLookup([server.address]).ask(NAME, "TXT")).values
    assert all(" " <= c <= "~" for v in values for c in v)
    assert max(map(len, values)) == 2000


@pytest.mark.parametrize("name", ["a" * 64 + ".example.org", ".".join(["abcdefghi"] * 30), "a..example.org"])
async def test_a_name_that_cannot_be_asked_for_is_trouble(server, name) -> None:
    assert (await DnsLookup([server.address]).ask(name, "TXT")).trouble
    assert server.asked == []


def test_servers_are_written_as_addresses() -> None:
    assert read_server("192.0.2.1") == ("192.0.2.1", 53)
    assert read_server("192.0.2.1:5353") == ("192.0.2.1", 5353)
    assert read_server("2001:db8::1") == ("2001:db8::1", 53)
    assert read_server("[2001:db8::1]:99") == ("2001:db8::1", 99)
    for wrong in ("", "dns.example.org", "192.0.2.1:0", "192.0.2.1:x", "[2001:db8::1"):
        with pytest.raises(ValueError, match=r"address|name server"):
            read_server(wrong)
