"""Whom an answer goes to: each mailbox once, never ourselves, the customer first."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mail.reply_addresses import reply_addresses
from mail.values import Address

OWN = frozenset({"desk@example.org", "sales@example.org"})
NAMES = st.sampled_from(
    ["desk@example.org", "Sales@Example.org", "ann@example.com", "BOB@example.com", "no address", ""]
)
SOME = st.lists(NAMES.map(Address), max_size=6)


def answer(**given_: Any) -> tuple[list[str], list[str]]:
    asked = {"from_": Address("ann@example.com", "Ann"), "reply_to": (), "to": (), "cc": (), **given_}
    to, cc = reply_addresses(**asked, own=OWN, key=str.casefold)
    return [a.address for a in to], [a.address for a in cc]


def test_reply_to_stands_above_from() -> None:
    assert answer(reply_to=[Address("list@example.com")]) == (["list@example.com"], [])


def test_a_reply_to_that_names_only_us_is_passed_over() -> None:
    assert answer(reply_to=[Address("DESK@example.org")]) == (["ann@example.com"], [])


def test_everybody_else_who_was_addressed_is_in_cc_once() -> None:
    to = [Address("desk@example.org"), Address("bob@example.com"), Address("Ann@Example.com")]
    assert answer(to=to, cc=[Address("BOB@example.com"), Address("cyd@example.com")]) == (
        ["ann@example.com"],
        ["bob@example.com", "cyd@example.com"],
    )


@given(from_=st.none() | NAMES.map(Address), reply_to=SOME, to=SOME, cc=SOME)
def test_no_mailbox_twice_and_none_of_ours(
    from_: Address | None, reply_to: list[Address], to: list[Address], cc: list[Address]
) -> None:
    first, copies = answer(from_=from_, reply_to=reply_to, to=to, cc=cc)
    everybody = [a.casefold() for a in (*first, *copies)]
    assert len(everybody) == len(set(everybody))
    assert not OWN & set(everybody)
    assert all("@" in a for a in everybody)
