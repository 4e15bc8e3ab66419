"""Each way in which a domain's records are wrong has its sentence and the exact record to set."""

import pytest

from rules.domain_records import (
    Expected,
    Looked,
    Status,
    dkim,
    dmarc,
    mx,
    names_above,
    no_keys_yet,
    ownership,
    spf,
    verdicts,
)

WANTED = Expected("shop.example.org", "c0ffee", ("tok",), ("in.example.net", "in2.example.net"), "spf.example.net")
NONE, TROUBLE = Looked(), Looked(trouble="no answer in time")
KEY = Looked(("v=DKIM1; p=AAAA",))


def texts(*values: str) -> Looked:
    return Looked(values)


@pytest.mark.parametrize(
    ("looked", "status"),
    [
        (texts("x", "mailroom-domain=c0ffee"), Status.OK),
        (texts("mailroom-domain=other"), Status.WRONG),
        (NONE, Status.MISSING),
        (TROUBLE, Status.UNKNOWN),
    ],
)
def test_the_challenge(looked, status) -> None:
    check = ownership(WANTED, looked)
    assert (check.status, check.name, check.type) == (status, "_mailroom.shop.example.org", "TXT")
    assert check.value == "mailroom-domain=c0ffee"
    assert (check.problem is None) == (status is Status.OK)


@pytest.mark.parametrize(
    ("values", "status", "word"),
    [
        (("10 IN.example.net.",), Status.OK, ""),
        (("10 in.example.net.", "20 backup.example.com."), Status.OK, ""),
        (("10 in.example.net.", "5 old.example.com."), Status.WRONG, "old.example.com"),
        (("10 in.example.net.", "10 old.example.com."), Status.WRONG, "old.example.com"),
        (("10 old.example.com.",), Status.WRONG, "elsewhere, to old.example.com"),
        (("0 .",), Status.WRONG, "takes no mail"),
        ((), Status.MISSING, "no MX record"),
    ],
)
def test_where_mail_goes(values, status, word) -> None:
    check = mx(WANTED, texts(*values))
    assert (check.status, check.value, check.found) == (status, "10 in.example.net", values)
    assert word in (check.problem or "")


def test_without_servers_of_our_own_any_that_takes_mail_is_right() -> None:
    own = Expected("shop.example.org", "c")
    assert mx(own, texts("10 any.example.com.")).status is Status.OK
    assert mx(own, texts("0 .")).status is Status.WRONG
    assert mx(own, TROUBLE).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("values", "reached", "status", "value", "word"),
    [
        ((), None, Status.MISSING, "v=spf1 include:spf.example.net ~all", "no SPF"),
        (("v=spf1 include:spf.example.net -all", "x"), None, Status.OK, "v=spf1 include:spf.example.net -all", ""),
        (("v=spf1 mx -all",), NONE, Status.WRONG, "v=spf1 mx include:spf.example.net -all", "does not include"),
        (("v=spf1 include:o -all",), texts("spf.example.net"), Status.OK, "v=spf1 include:o -all", ""),
        (("v=spf1 include:o -all",), TROUBLE, Status.UNKNOWN, "v=spf1 include:o include:spf.example.net -all", "no answer"),
        (("v=spf1 mx -all", "v=spf1 -all"), None, Status.WRONG, "v=spf1 mx include:spf.example.net -all", "2 SPF records"),
        (("v=spf1 mx +all",), None, Status.WRONG, "v=spf1 mx include:spf.example.net ~all", "every host"),
    ],
)
def test_who_may_send(values, reached, status, value, word) -> None:
    check = spf(WANTED, texts(*values), reached)
    assert (check.status, check.value) == (status, value)
    assert word in (check.problem or "")
    assert spf(WANTED, TROUBLE).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("aliases", "here", "there", "status", "word"),
    [
        (texts("TOK.dkim.amazonses.com."), KEY, KEY, Status.OK, ""),
        (texts("tok.dkim.amazonses.com."), NONE, NONE, Status.WAITING, "not published yet"),
        (texts("tok.dkim.amazonses.com."), TROUBLE, TROUBLE, Status.UNKNOWN, "no answer"),
        (texts("old.dkim.example.com."), KEY, KEY, Status.WRONG, "old.dkim.example.com"),
        (NONE, NONE, KEY, Status.MISSING, "not there yet"),
        (NONE, KEY, KEY, Status.OK, "copied"),
        (NONE, texts("v=DKIM1; p=BBBB"), KEY, Status.WRONG, "different"),
        (TROUBLE, KEY, KEY, Status.UNKNOWN, "no answer"),
    ],
)
def test_signing_keys(aliases, here, there, status, word) -> None:
    check = dkim("shop.example.org", "tok", aliases, here, there)
    assert (check.status, check.name, check.type) == (status, "tok._domainkey.shop.example.org", "CNAME")
    assert check.value == "tok.dkim.amazonses.com"
    assert word in (check.problem or "")


@pytest.mark.parametrize(
    ("looked", "above", "status"),
    [
        (texts("v=DMARC1; p=quarantine"), (), Status.OK),
        (NONE, (texts("v=DMARC1; p=reject"),), Status.OK),
        (NONE, (NONE,), Status.MISSING),
        (texts("v=DMARC1; p=none", "v=DMARC1; p=none; pct=5"), (), Status.WRONG),
        (texts("v=DMARC1; rua=mailto:a@example.org"), (), Status.WRONG),
        (TROUBLE, (texts("v=DMARC1; p=reject"),), Status.UNKNOWN),
        (NONE, (TROUBLE,), Status.UNKNOWN),
    ],
)
def test_dmarc(looked, above, status) -> None:
    check = dmarc(WANTED, looked, above)
    assert (check.status, check.name) == (status, "_dmarc.shop.example.org")
    right = status is Status.OK
    assert check.value == (next(v for x in (looked, *above) for v in x.values) if right else "v=DMARC1; p=none")
    assert (check.problem is None) == (status is Status.OK)


def test_what_dns_did_not_say_is_no_verdict() -> None:
    checks = [ownership(WANTED, TROUBLE), mx(WANTED, NONE), dmarc(WANTED, texts("v=DMARC1; p=none")), no_keys_yet("x")]
    assert verdicts(checks) == {"ownership": None, "mx": False, "spf": False, "dkim": False, "dmarc": True}


def test_what_strangers_publish_is_kept_short() -> None:
    kept = ownership(WANTED, texts(*(f"{n}" * 5000 for n in range(30)))).kept()
    assert (len(kept["found"]), max(map(len, kept["found"]))) == (10, 1000)


def test_names_above() -> None:
    assert names_above("a.b.example.org") == ("b.example.org", "example.org")
    assert names_above("example.org") == ()
