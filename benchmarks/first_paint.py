"""How long the client takes from the address to its first conversation: in a new browser, and on the next visit.

Chromium before the tests' in-memory API, so that the client, its files and their server are measured and not a database:
`python -m benchmarks.first_paint [visits]`. Each first visit is a browser context of its own, without a cache.
"""

import asyncio
import statistics
import sys
import threading
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.web.desk import ARGUMENTS, CHROMIUM
from tests.web.fake_api import build
from tests.web.fake_state import Fake

PORT = 18_097
SEEN = """() => new Promise((done) => {
    const look = () => {
        if (!document.querySelector("conversation-row[data-id]")) return requestAnimationFrame(look);
        const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now();
        const loads = performance.getEntriesByType("resource");
        done({ paint, row: performance.now(), requests: loads.length, bytes: loads.reduce((sum, one) => sum + one.transferSize, 0) });
    };
    look();
})"""


def serve(fake: Fake) -> uvicorn.Server:
    service = uvicorn.Server(uvicorn.Config(build(fake), host="127.0.0.1", port=PORT, log_level="warning"))

    async def run() -> None:
        fake.loop = asyncio.get_running_loop()
        await service.serve()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    while not service.started:
        threading.Event().wait(0.02)
    return service


def visit(context: BrowserContext, origin: str) -> dict[str, Any]:
    page = context.new_page()
    page.goto(origin + "/")
    seen: dict[str, Any] = page.evaluate(SEEN)
    page.close()
    return seen


def both(browser: Browser, fake: Fake) -> tuple[dict[str, Any], dict[str, Any]]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "mr_session", "value": fake.do(fake.open_session, "maya@desk.example.com"), "url": fake.origin}])
    found = visit(context, fake.origin), visit(context, fake.origin)
    context.close()
    return found


def main() -> None:
    visits = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    fake = Fake()
    fake.origin = fake.s3_origin = f"http://127.0.0.1:{PORT}"
    service = serve(fake)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        both(browser, fake)  # warms the browser's process and the server's cache of files
        pairs = [both(browser, fake) for _ in range(visits)]
        browser.close()
    service.should_exit = True
    for name, seen in (("first visit", [one for one, _ in pairs]), ("next visit", [one for _, one in pairs])):
        rows = sorted(one["row"] for one in seen)
        paint = statistics.median(one["paint"] for one in seen)
        print(
            f"{name}: first paint {paint:.0f} ms, first conversation median {statistics.median(rows):.0f} ms, worst {rows[-1]:.0f} ms, "
            f"{seen[0]['requests']} requests, {seen[0]['bytes'] // 1024} KB"
        )


if __name__ == "__main__":
    main()
