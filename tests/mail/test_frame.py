"""The frame holds by itself: raw attacks in a real browser, sanitiser switched off, run nothing and load nothing."""

import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Playwright, sync_playwright

from mail.frame import FRAME_CSP, frame_document
from tests.mail.vectors import VECTORS

CHROMIUM = Path("/usr/bin/chromium")
ORIGIN = "https://images.example/route/"


def directives(policy: str) -> dict[str, str]:
    return {name: rest for name, _, rest in (d.strip().partition(" ") for d in policy.split(";"))}


def test_the_policy() -> None:
    found = directives(FRAME_CSP(image_origin=ORIGIN, remote_images=False))
    assert found["img-src"] == f"data: {ORIGIN}"
    assert found["style-src"] == "'unsafe-inline'"
    assert found["frame-ancestors"] == "'self'"
    for name in ("default-src", "script-src", "font-src", "media-src", "connect-src", "form-action", "base-uri", "object-src", "frame-src"):
        assert found[name] == "'none'"
    assert directives(FRAME_CSP(image_origin=ORIGIN, remote_images=True))["img-src"] == f"data: {ORIGIN} https:"


def test_the_document_carries_the_policy_in_front_of_the_mail() -> None:
    document = frame_document("<p>x</p>", image_origin=ORIGIN, remote_images=False)
    policy = FRAME_CSP(image_origin=ORIGIN, remote_images=False, ancestors=False)
    assert document.index(policy) < document.index("<p>x</p>")
    assert "frame-ancestors" not in document  # ignored in a meta element, and noisy in the console
    assert "no-referrer" in document
    assert "color-scheme" in document


@pytest.mark.parametrize("origin", ["'self'", "*", "", "https:", "https://x; script-src *", 'https://x" onload="', "https://x y", "data:", "//x"])
def test_an_origin_that_could_end_the_directive_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="image_origin"):
        frame_document("", image_origin=origin, remote_images=False)


def test_mail_with_its_own_colours_stays_on_white() -> None:
    assert "only light" in frame_document('<p style="color:#000">x</p>', image_origin=ORIGIN, remote_images=False)
    assert "only light" not in frame_document("<p>x</p>", image_origin=ORIGIN, remote_images=False)


class Listener:
    """A server that remembers what was asked of it."""

    def __init__(self) -> None:
        asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self.asked = asked
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Chromium:
    """A browser in a thread of its own: one thread can hold only one Playwright, and other tests may have theirs."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(max_workers=1)
        self.play: Playwright = self.thread.submit(lambda: sync_playwright().start()).result()
        self.browser: Browser = self.thread.submit(
            lambda: self.play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        ).result()

    def close(self) -> None:
        self.thread.submit(self.browser.close).result()
        self.thread.submit(self.play.stop).result()
        self.thread.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium at /usr/bin/chromium; install the Debian package `chromium`")
    chromium = Chromium()
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


def shown(chromium: Chromium, listener: Listener, body: str, sandbox: str | None) -> tuple[list[str], list[str]]:
    """(dialogs opened, paths asked for) after showing `body` in the frame, without any sanitiser."""
    return chromium.thread.submit(_shown, chromium.browser, listener, body, sandbox).result()


def _shown(browser: Browser, listener: Listener, body: str, sandbox: str | None) -> tuple[list[str], list[str]]:
    listener.asked.clear()
    dialogs: list[str] = []
    page = browser.new_page()

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    page.goto(f"{listener.origin}/app")
    document = frame_document(body, image_origin=f"{listener.origin}/images/", remote_images=False)
    page.evaluate(
        """([html, sandbox]) => new Promise(done => {
            const frame = document.createElement('iframe');
            if (sandbox !== null) frame.setAttribute('sandbox', sandbox);
            frame.srcdoc = html;
            frame.onload = () => setTimeout(done, 400);
            document.body.append(frame);
        })""",
        [document, sandbox],
    )
    page.close()
    return dialogs, [path for path in listener.asked if path not in {"/app", "/favicon.ico"}]


@pytest.mark.chromium
def test_raw_attacks_run_nothing_and_load_nothing(chromium: Chromium, listener: Listener) -> None:
    bodies = [vector.replace("https://example.com", f"{listener.origin}/leak").replace("//example.com", f"//{listener.origin[7:]}/leak") for vector in VECTORS]
    separate = [b for b in bodies if "<plaintext" not in b and "<!--" not in b and "<frameset" not in b]
    dialogs, asked = shown(chromium, listener, "<hr>".join(separate), "allow-popups allow-popups-to-escape-sandbox")
    assert (dialogs, asked) == ([], [])
    for body in bodies:
        if body not in separate:
            assert shown(chromium, listener, body, "allow-popups") == ([], [])


@pytest.mark.chromium
def test_the_policy_holds_even_without_the_sandbox_attribute(chromium: Chromium, listener: Listener) -> None:
    attack = f"<script>alert(1)</script><img src=x onerror=alert(2)><img src='{listener.origin}/leak.png'><p style=\"background:url('{listener.origin}/leak2')\">x</p>"
    assert shown(chromium, listener, attack, None) == ([], [])


@pytest.mark.chromium
def test_the_test_itself_can_see_a_load(chromium: Chromium, listener: Listener) -> None:
    _, asked = shown(chromium, listener, f'<img src="{listener.origin}/images/a.png">', "allow-popups")
    assert asked == ["/images/a.png"]
