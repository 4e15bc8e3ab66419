"""The rules of web/: one element per file, one fetch, one EventSource, no string ever becomes markup, nothing from elsewhere."""

import re
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
SCRIPTS = sorted((WEB / "js").rglob("*.js"))
STYLES = sorted((WEB / "css").glob("*.css"))
ELEMENTS = sorted((WEB / "js" / "elements").glob("*.js"))
SINKS = re.compile(r"\.innerHTML|\.outerHTML\s*=|insertAdjacentHTML|document\.write|\.srcdoc|setHTMLUnsafe|parseFromString|\beval\(|new Function|\.style\.cssText|setAttribute\(\"style\"")


def code(path: Path) -> str:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    return re.sub(r"(?<![:\"'`])//.*", "", text)


@pytest.mark.parametrize("path", SCRIPTS + STYLES, ids=lambda path: path.name)
def test_a_file_has_one_idea_says_which_and_stays_short(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("/*"), "open with a comment: what it is, what it promises, what it leaves to whom"
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", ELEMENTS, ids=lambda path: path.stem)
def test_each_element_has_its_file_and_is_loaded(path: Path) -> None:
    defined = re.findall(r'customElements\.define\("([^"]+)"', code(path))
    assert defined == [path.stem]
    assert path in loaded(), "name it in main.js, in pages.js, or import it where it is used"


@pytest.mark.parametrize("path", ELEMENTS, ids=lambda path: path.stem)
def test_an_element_fits_on_a_screen_or_two(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 150, "an element this long has two jobs"


def loaded() -> set[Path]:
    """Every module that main.js or one of the pages brings in, at once or later."""
    tags = re.findall(r'tag: "([^"]+)"', code(WEB / "js" / "pages.js"))
    waiting = [WEB / "js" / "main.js", *(WEB / "js" / "elements" / f"{tag}.js" for tag in tags)]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [WEB.parent / wanted.lstrip("/") for wanted in re.findall(r'(?:from |import |import\()"(/web/[^"]+)"', code(path))]
    return seen


def test_only_their_own_files_speak_to_the_server() -> None:
    where = {word: [path.name for path in SCRIPTS if re.search(pattern, code(path))] for word, pattern in {
        "fetch": r"\bfetch\(", "XMLHttpRequest": r"\bXMLHttpRequest\(", "EventSource": r"new EventSource\(", "history": r"history\.(push|replace)State"}.items()}
    assert where == {"fetch": ["request.js"], "XMLHttpRequest": ["uploads.js"], "EventSource": ["stream.js"], "history": ["router.js"]}


def test_no_string_becomes_markup() -> None:
    assert [path.name for path in SCRIPTS if SINKS.search(code(path))] == []


def test_nothing_comes_from_elsewhere() -> None:
    for path in [*SCRIPTS, *STYLES, WEB / "index.html"]:
        for address in re.findall(r"https?://[^\s\"'`)]+", code(path)):
            assert address.startswith(("https://example.com", "https://${", "http://www.w3.org/2000/svg")), f"{path.name}: {address}"


def test_the_page_carries_no_inline_script_or_style_and_links_every_sheet() -> None:
    page = (WEB / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page)
    linked = re.findall(r'href="/web/css/([^"]+)"', page)
    assert sorted(linked) == [path.name for path in STYLES], "link every sheet once"
    assert linked[0] == "tokens.css"
    assert {path.name for path in STYLES} == set(re.findall(r'href="/web/css/([^"]+)"', page))


def test_colours_are_named_only_among_the_tokens() -> None:
    for path in STYLES:
        if path.name not in {"tokens.css", "base.css"}:
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(", code(path)), path.name


def test_every_icon_asked_for_is_in_the_sheet() -> None:
    sheet = set(re.findall(r'<symbol id="([^"]+)"', (WEB / "icons" / "sheet.svg").read_text()))
    asked = set()
    for path in SCRIPTS:
        asked |= set(re.findall(r'icon\("([a-z-]+)"', code(path))) | set(re.findall(r'(?:iconName|icon): "([a-z-]+)"', code(path)))
    assert asked - sheet == set()


def test_imports_name_files_that_exist() -> None:
    for path in SCRIPTS:
        for wanted in re.findall(r'(?:from |import |import\()"(/web/[^"]+)"', code(path)):
            assert (WEB.parent / wanted.lstrip("/")).is_file(), f"{path.name}: {wanted}"
