"""The mail frame with the sanitiser switched off: whatever a mail brings, no script runs, no request leaves, no form posts (X-2, X-3)."""

import socketserver
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[bytes]]]:
    """A server that is none of ours, and the first bytes of every connection it got."""
    heard: list[bytes] = []

    class Ear(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(0.5)
            try:
                heard.append(self.request.recv(200))
            except OSError:
                heard.append(b"(connection without a request)")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Ear) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()


def requests(heard: list[bytes]) -> list[bytes]:
    """Without bare connections: Chromium may open one ahead of a navigation that the policy then refuses."""
    return [one for one in heard if one and not one.startswith(b"(")]


def hostile(evil: str) -> str:
    return f"""<p id="shown">Dear victim</p>
    <script>top.pwned = 1; document.title = 'pwned'; fetch('{evil}/fetch')</script>
    <script src="{evil}/s.js"></script>
    <img src="{evil}/pixel.gif"><img src=x onerror="top.pwned = 2; fetch('{evil}/onerror')"><img srcset="{evil}/set.png 1x">
    <picture><source srcset="{evil}/source.png"><img src="data:,"></picture>
    <svg onload="top.pwned = 3"><image href="{evil}/svg.png"/><use href="{evil}/u.svg#x"/><animate onbegin="top.pwned = 4" attributeName=x dur=1s></svg>
    <math><mtext><style><img src=x onerror="top.pwned = 5"></style></mtext></math>
    <link rel=stylesheet href="{evil}/l.css"><link rel=prefetch href="{evil}/prefetch"><link rel=preload as=image href="{evil}/preload"><link rel=icon href="{evil}/icon">
    <style>@import url("{evil}/i.css"); @font-face {{ font-family: f; src: url("{evil}/f.woff") }} body {{ background: url("{evil}/b.png"); font-family: f }} li {{ list-style-image: url("{evil}/li.png") }}</style>
    <ul><li style="background:url({evil}/inline.png)">x</li></ul><body background="{evil}/body.png">
    <iframe srcdoc="<script>top.pwned = 6</script>"></iframe><iframe src="javascript:top.pwned=7"></iframe>
    <object data="{evil}/object"></object><embed src="{evil}/embed"><applet code="{evil}/a"></applet>
    <video src="{evil}/v.mp4" autoplay poster="{evil}/poster"></video><audio src="{evil}/a.mp3" autoplay></audio><track src="{evil}/t.vtt">
    <base href="{evil}/"><meta http-equiv="refresh" content="0;url={evil}/refresh"><meta http-equiv="refresh" content="0;url=javascript:top.pwned=8">
    <meta http-equiv="Content-Security-Policy" content="default-src *">
    <form action="{evil}/form" id="f"><button id="post">Send</button></form>
    <a id="inside" href="{evil}/navigate" target="_self">here</a> <a id="up" href="{evil}/top" target="_top">top</a> <a id="script" href="javascript:top.pwned=9">js</a>
    <a id="ping" href="#" ping="{evil}/ping">ping</a><details open ontoggle="top.pwned = 10"></details><input autofocus onfocus="top.pwned = 11">
    </textarea></title></style><script>top.pwned = 12</script>"""


def test_a_hostile_mail_runs_nothing_and_reaches_nobody(desk: Desk, stranger: tuple[str, list[bytes]]) -> None:
    evil, heard = stranger
    # The refusals are what this test is about; Chromium reports each of them.
    desk.allow("Content Security Policy", "Content-Security-Policy", "sandboxed", "Blocked", "Unsafe attempt", "Refused", "violates", "Failed to load resource", "Framing", "allow-", "404")
    message = desk.fake.do(desk.fake.arrive, "Dear victim", subject="Hostile", html=hostile(evil))
    page = desk.sign_in(f"/c/{message['conversation_id']}")
    element = page.locator("mail-frame iframe")
    expect(element).to_have_attribute("sandbox", "allow-popups allow-popups-to-escape-sandbox")
    inner = page.frame_locator("mail-frame iframe")
    expect(inner.locator("#shown")).to_have_text("Dear victim")
    page.wait_for_timeout(1_500)
    assert heard == []  # Not even a connection, before somebody clicks a link.
    for link in ("#post", "#inside", "#up", "#script", "#ping"):
        if inner.locator(link).count():
            inner.locator(link).click(force=True)
            page.wait_for_timeout(150)
        element.evaluate("(frame) => { frame.src = frame.src; }")  # A refused navigation may leave an error page behind.
        expect(inner.locator("#shown")).to_have_text("Dear victim")
    assert page.evaluate("window.pwned") is None
    assert page.url == f"{desk.fake.origin}/c/{message['conversation_id']}"
    assert "pwned" not in page.title()
    assert requests(heard) == []
    desk.strangers.clear()  # Requests that Chromium announced and then refused; `heard` is the proof that none left.


def test_a_frame_within_the_frame_gets_no_request(desk: Desk, stranger: tuple[str, list[bytes]]) -> None:
    """Here Chromium opens a bare connection before it refuses; the sanitiser drops such elements, this is the wall behind it."""
    evil, heard = stranger
    desk.allow("Content Security Policy", "Content-Security-Policy", "Framing")
    message = desk.fake.do(desk.fake.arrive, "x", subject="Nested", html=f'<p id="shown">x</p><iframe src="{evil}/iframe"></iframe>')
    page = desk.sign_in(f"/c/{message['conversation_id']}")
    expect(page.frame_locator("mail-frame iframe").first.locator("#shown")).to_be_visible()
    page.wait_for_timeout(1_000)
    assert requests(heard) == []
    desk.strangers.clear()


def test_the_frames_own_headers_hold_without_our_iframe(desk: Desk, stranger: tuple[str, list[bytes]], context: BrowserContext) -> None:
    """Opened directly in a tab, the same document is still walled in by its response's sandbox and policy."""
    evil, heard = stranger
    message = desk.fake.do(desk.fake.arrive, "Dear victim", subject="Hostile", html=hostile(evil))
    desk.sign_in()
    tab = context.new_page()
    tab.add_init_script("window.pwned = 0")
    tab.goto(f"{desk.fake.origin}/v1/messages/{message['id']}/frame?images=0&part=visible", wait_until="commit")
    expect(tab.locator("#shown")).to_have_text("Dear victim")
    tab.wait_for_timeout(300)
    assert "pwned" not in tab.title()
    assert [one for one in requests(heard) if b"/refresh" not in one] == []


def test_styles_and_own_pictures_show_and_remote_ones_wait_for_a_click(desk: Desk) -> None:
    page = desk.open_number(1041)
    inner = page.frame_locator("mail-frame iframe")
    expect(inner.get_by_role("heading", name="Delay on route 14")).to_be_visible()
    assert inner.locator("td").first.evaluate("(cell) => getComputedStyle(cell).backgroundColor") == "rgb(18, 53, 91)"
    assert inner.get_by_alt_text("Map of the route").evaluate("(picture) => picture.naturalWidth") == 1
    blocked = page.locator("mail-frame .blocked")
    expect(blocked).to_contain_text("3 pictures from elsewhere not loaded")
    blocked.get_by_role("button", name="Show pictures").click()
    expect(page.locator("mail-frame iframe")).to_have_attribute("src", f"/v1/messages/{desk.fake.thread(desk.fake.number(1041)['id'])[0]['id']}/frame?images=1&part=all")
    expect(blocked).to_be_hidden()


def test_plain_text_toggle_and_raw_download(desk: Desk) -> None:
    page = desk.open_number(1041)
    page.get_by_role("button", name="More about this message").click()
    expect(page.get_by_role("menuitem", name="Download the raw mail")).to_have_attribute("href", f"/v1/messages/{desk.fake.thread(desk.fake.number(1041)['id'])[0]['id']}/raw")
    page.get_by_role("menuitem", name="Show as plain text").click()
    expect(page.locator("message-card .plain-text")).to_contain_text("the lock at Emmerich")
    expect(page.locator("mail-frame")).to_have_count(0)
    page.get_by_role("button", name="More about this message").click()
    page.get_by_role("menuitem", name="Show as designed").click()
    expect(page.locator("mail-frame iframe")).to_be_visible()


def test_the_frame_is_high_enough_for_ordinary_mails_and_folded_for_long_ones(desk: Desk) -> None:
    page = desk.open_number(1041)
    inner = page.frame_locator("mail-frame iframe")
    expect(inner.get_by_role("heading", name="Delay on route 14")).to_be_visible()
    expect(inner.get_by_alt_text("Map of the route")).to_be_visible()
    needed = inner.locator("body").evaluate("(body) => body.getBoundingClientRect().height + 16")
    given = desk.box(page.locator("mail-frame .mail-box"))["height"]
    assert needed <= given <= needed * 1.6 + 80
    long = desk.fake.do(desk.fake.arrive, "Long", number=1041, html="<p>" + "A line of the long mail.</p><p>" * 120)
    box = page.locator(f'message-card[data-id="{long["id"]}"] .mail-box')
    expect(box).to_have_attribute("folded", "")
    page.locator(f'message-card[data-id="{long["id"]}"]').get_by_role("button", name="Show in full height").click()
    frame = page.locator(f'message-card[data-id="{long["id"]}"] iframe')
    expect(frame.content_frame.locator("p").last).to_be_attached()
    assert desk.box(box)["height"] >= frame.content_frame.locator("body").evaluate("(body) => body.scrollHeight")


def test_hostile_subjects_names_and_texts_stay_text(desk: Desk) -> None:
    bad = '<img src=x onerror="window.pwned=1">'
    customer = {"name": f"Eve{bad}\u202egnp.exe", "address": "eve@evil.example.org"}
    message = desk.fake.do(desk.fake.arrive, f"{bad} see https://evil.example.org/?a=<script>window.pwned=2</script> and javascript:alert(1)", subject=bad, customer=customer)
    page = desk.sign_in(f"/c/{message['conversation_id']}")
    expect(page.locator("conversation-header .subject")).to_have_text(bad)
    expect(page.locator("message-card strong").first).to_have_text(f"Eve{bad}gnp.exe")
    expect(page.locator("message-card .plain-text a")).to_have_count(1)
    expect(page.locator("message-card .plain-text a")).to_have_attribute("rel", "noopener noreferrer")
    assert page.evaluate("window.pwned") is None


def test_a_monstrous_mail_does_not_hold_up_the_page(desk: Desk) -> None:
    page = desk.sign_in()
    took = page.evaluate("""async () => {
        const { textOf } = await import("/web/js/mail-text.js");
        const start = performance.now();
        for (const part of ["<td style=padding:9px", "<", "<head", "<!--", "<img height=", "&#", "<style>", "< height ", "a<b"]) textOf(part.repeat(200_000));
        return performance.now() - start;
    }""")
    assert took < 15_000, "one pass takes milliseconds, a quadratic one minutes"
