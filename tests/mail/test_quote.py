"""Quoting the previous mail under a reply: one more `>`, a folded blockquote, nothing of the author's name unescaped."""

from datetime import UTC, datetime

from mail.quote import attribution, quoted_reply_html, quoted_reply_text
from mail.values import Address

ANN = Address("ann@example.com", "Ann <b>Lee</b>\r\n")
WHEN = datetime(2025, 1, 3, 14, 5, tzinfo=UTC)


def test_text_is_quoted_line_by_line():
    text = quoted_reply_text(
        "Yes.\r\n", author=Address("ann@example.com"), date=WHEN, text="one\n\n> older\r\ntwo"
    )
    assert text == "Yes.\n\nOn Fri, 3 Jan 2025 at 14:05, ann@example.com wrote:\n> one\n>\n>> older\n> two\n"


def test_attribution_is_one_line_and_may_lack_a_date():
    assert attribution(ANN, None) == "Ann <b>Lee</b> <ann@example.com> wrote:"
    assert "\n" not in attribution(ANN, WHEN)


def test_html_quote_escapes_the_author_and_takes_the_body_of_a_page():
    html = quoted_reply_html(
        "<p>Yes</p>", author=ANN, date=WHEN, quoted_html="<html><body bgcolor=red><p>old</p></body></html>"
    )
    assert "<b>Lee" not in html
    assert "Ann &lt;b&gt;Lee" in html
    assert html.startswith("<p>Yes</p>")
    assert '<blockquote type="cite"' in html
    assert "<body" not in html
    assert "<p>old</p>" in html
