"""HTML read into the small language of replies: known words kept, everything else its text, never an error."""

from hypothesis import given
from hypothesis import strategies as st

from mail.rich_nodes import rich_nodes


def test_the_words_of_the_language_are_kept() -> None:
    html = '<div>Hi <b>you</b><br></div><ul><li>one</li></ul><p><a href="https://example.com/?a=1&amp;b">link</a></p>'
    assert rich_nodes(html) == [
        ["div", None, ["Hi ", ["strong", None, ["you"]], ["br", None, []]]],
        ["ul", None, [["li", None, ["one"]]]],
        ["div", None, [["a", "https://example.com/?a=1&b", ["link"]]]],
    ]


def test_what_it_has_no_word_for_is_left_as_text() -> None:
    assert rich_nodes("<table><td>a &lt; b</td></table>") == ["a < b"]
    assert rich_nodes('<a href="javascript:x()">x</a>') == ["x"]
    assert rich_nodes("</b>x<i>y") == ["x", ["em", None, ["y"]]]


def depth(nodes: list) -> int:
    return max((1 + depth(node[2]) for node in nodes if isinstance(node, list)), default=0)


@given(st.text(st.sampled_from("<>/abipdvul \"='&;"), max_size=300))
def test_anything_is_read(html: str) -> None:
    assert depth(rich_nodes(html)) <= 41


def test_depth_is_bounded() -> None:
    assert depth(rich_nodes("<div>" * 5000 + "x")) <= 41
