"""House rules that a file can break by itself: size, opening sentence, names, shadows, effects, words."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WALL = 400
LAZY_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|manager|misc)(_|$)")


def listed(*patterns: str) -> list[str]:
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()
    return sorted(f for f in out if (ROOT / f).exists())


def test_no_file_passes_the_wall() -> None:
    long = {
        path: lines
        for path in listed("*.py", "*.js", "*.css")
        if "migrations/versions/" not in path and (lines := len((ROOT / path).read_text().splitlines())) > WALL
    }
    assert not long, f"files over {WALL} lines have too many jobs: {long}"


def test_every_module_says_what_it_is() -> None:
    silent = [p for p in listed("*.py") if not ast.get_docstring(ast.parse((ROOT / p).read_text()))]
    assert not silent, f"modules without an opening docstring: {silent}"


def test_every_web_module_says_what_it_is() -> None:
    silent = [p for p in listed("web/js/*.js", "web/css/*.css") if not (ROOT / p).read_text().lstrip().startswith(("/*", "//"))]
    assert not silent, f"web files without an opening comment: {silent}"


def test_names_say_something() -> None:
    lazy = [p for p in listed("*.py", "*.js") if LAZY_NAMES.search(Path(p).stem)]
    lazy += [
        f"{p}:{node.lineno} {node.name}"
        for p in listed("*.py")
        for node in ast.walk(ast.parse((ROOT / p).read_text()))
        if isinstance(node, ast.ClassDef) and re.search(r"(Utils?|Helpers?|Manager)$", node.name)
    ]
    assert not lazy, f"names that say nothing: {lazy}"


def test_no_top_level_name_shadows_the_standard_library() -> None:
    tops = {p.split("/")[0].removesuffix(".py") for p in listed("*.py")}
    assert not tops & set(sys.stdlib_module_names)


def test_importing_has_no_effect() -> None:
    """No bare call at module level but the main guard and a few declarations."""
    allowed = {"api/app.py", "cli.py", "worker.py", "migrations/env.py"}
    wrong = []
    for path in listed("*.py"):
        if path.split("/")[0] in {"tests", "benchmarks", "docs"} or path in allowed or "versions/" in path:
            continue
        for node in ast.parse((ROOT / path).read_text()).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                wrong.append(f"{path}:{node.lineno}")
    assert not wrong, f"effects at import: {wrong}"


def test_only_one_file_fetches_and_one_listens() -> None:
    """`web/js/api/request.js` is the only fetch, `uploads.js` beside it carries bytes, and `web/js/stream.js` is the only EventSource."""
    fetchers = {p for p in listed("web/js/*.js") if re.search(r"\bfetch\(|new XMLHttpRequest", (ROOT / p).read_text())}
    listeners = {p for p in listed("web/js/*.js") if "new EventSource" in (ROOT / p).read_text()}
    assert fetchers == {"web/js/api/request.js", "web/js/api/uploads.js"}
    assert listeners == {"web/js/stream.js"}


def test_no_search_but_through_the_wrapper() -> None:
    """integrity X-30: IMAP search takes hostile ids, so only the IMAP folder, which checks them, may call it."""
    wrong = [
        p for p in listed("*.py")
        if p.split("/")[0] not in {"tests", "benchmarks"} and not p.startswith("providers/imap/")
        and re.search(r"\bclient\.search\(|\.uid\(['\"]search", (ROOT / p).read_text(), flags=re.IGNORECASE)
    ]
    assert not wrong
