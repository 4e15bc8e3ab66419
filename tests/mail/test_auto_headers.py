"""The headers of our automatic mails (L-2) and the loop header that only we can make (L-5)."""

import pytest

from mail.auto_headers import LOOP_HEADER, auto_response_headers, loop_reference, make_loop_token

SECRET = b"s" * 32


def test_headers_of_an_automatic_answer():
    token = make_loop_token("0190f5e27a3b7c118d221234567890ab", SECRET)
    assert dict(auto_response_headers(token)) == {
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "Precedence": "auto_reply",
        LOOP_HEADER: token,
    }


def test_a_loop_token_is_genuine_or_nothing():
    token = make_loop_token("abc-1", SECRET)
    assert loop_reference(f" {token} ", SECRET) == "abc-1"
    assert loop_reference(token, b"other") is None
    assert loop_reference(token, b"") is None
    assert loop_reference(token.replace("abc-1", "abc-2"), SECRET) is None
    assert loop_reference("", SECRET) is None


@pytest.mark.parametrize(
    ("reference", "secret", "field"),
    [("a b", SECRET, "reference"), ("", SECRET, "reference"), ("a", b"", "secret")],
)
def test_unsigned_or_unwritable_tokens_are_refused(reference, secret, field):
    with pytest.raises(ValueError, match=f"^{field}:"):
        make_loop_token(reference, secret)
