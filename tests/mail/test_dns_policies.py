"""SPF, DKIM and DMARC records as they are published."""

import pytest

from mail.dns_policies import (
    dkim_key,
    dmarc_policy,
    dmarc_records,
    spf_lets_anybody,
    spf_records,
    spf_targets,
    spf_with,
)


def test_only_the_exact_version_makes_an_spf_record() -> None:
    texts = ("v=spf1 -all", "V=SPF1", "v=spf10 -all", "v=spf1-all", "spf2.0/pra -all", "")
    assert spf_records(texts) == ["v=spf1 -all", "V=SPF1"]


def test_targets_with_qualifiers_redirects_and_macros() -> None:
    record = "v=spf1 a mx +include:A.example.org. ?include:b.example.org include:%{d}.example.org redirect=c.example.org"
    assert spf_targets(record) == ("a.example.org", "b.example.org", "c.example.org")


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ("v=spf1 mx ~all", "v=spf1 mx include:x.example ~all"),
        ("v=spf1 mx -ALL", "v=spf1 mx include:x.example -ALL"),
        ("v=spf1", "v=spf1 include:x.example"),
        ("v=spf1 redirect=y.example", "v=spf1 include:x.example redirect=y.example"),
    ],
)
def test_an_include_goes_before_the_end(record, wanted) -> None:
    assert spf_with(record, "x.example") == wanted


def test_who_lets_anybody_send() -> None:
    assert spf_lets_anybody("v=spf1 mx +all")
    assert spf_lets_anybody("v=spf1 all")
    assert not spf_lets_anybody("v=spf1 mx ?all")


def test_keys() -> None:
    assert dkim_key("v=DKIM1; k=rsa; p=AB C\tD==") == "ABCD=="
    assert dkim_key("p=") == ""
    assert dkim_key("v=DKIM1; k=rsa") is None
    assert dkim_key("no record at all") is None


def test_dmarc() -> None:
    texts = ("v=DMARC1; p=reject; rua=mailto:a@example.org", "v=DMARC1;p=none", "v=DMARC12; p=none", "dmarc")
    assert dmarc_records(texts) == list(texts[:2])
    assert dmarc_policy(texts[0]) == "reject"
    assert dmarc_policy("v=DMARC1; p=strict") is None
    assert dmarc_policy("v=DMARC1") is None
