"""The bodies of an outgoing mail: HTML made from text, a page around a fragment, and lines as SMTP wants them.
HTML is taken as given: it was sanitised before it came here, and nothing edits it after that but a frame around it.
"""

import html
import re

from mail.display_text import scrubbed

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_IS_PAGE = re.compile(r"<(?:!doctype|html|body)\b", re.IGNORECASE)
_PAGE = '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n{}\n</body></html>\n'


def normal_lines(text: str) -> str:
    """`text` with every line end as LF and one at the end; NUL and lone surrogates replaced. CRLF comes with encoding."""
    lines = _LINE_ENDS.sub("\n", scrubbed(text))
    return lines if lines.endswith("\n") else f"{lines}\n"


def html_page(fragment: str) -> str:
    """A whole page around an HTML fragment; a page stays as it is."""
    return fragment if _IS_PAGE.search(fragment[:2_000]) else _PAGE.format(fragment)


def html_from_text(text: str) -> str:
    """A page that shows plain text: escaped, blank lines part paragraphs, lines keep their ends and leading blanks."""
    paragraphs = re.split(r"\n[ \t]*\n", normal_lines(text).strip("\n"))
    return html_page("\n".join(f"<p>{_lines(paragraph)}</p>" for paragraph in paragraphs))


def _lines(paragraph: str) -> str:
    return "<br>\n".join(_leading_blanks(html.escape(line, quote=False)) for line in paragraph.split("\n"))


def _leading_blanks(line: str) -> str:
    shown = line.lstrip(" ")
    return "&nbsp;" * (len(line) - len(shown)) + shown
