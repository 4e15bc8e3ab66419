"""The page of protocol rules names tests that exist, so that a renamed or removed test is noticed there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs/protocol-coverage.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    existing = {name for source in sources for name in re.findall(r"^\s*(?:async )?def (test_\w+)", source, re.MULTILINE)}
    assert named
    assert named <= existing, f"named but not there: {sorted(named - existing)}"


def test_every_rule_has_a_test_or_says_why_not() -> None:
    page = (ROOT / "docs/protocol-coverage.md").read_text()
    rows = [row.split("|")[1:-1] for row in re.findall(r"^\|(?!---).*\|$", page, re.MULTILINE)]
    bare = [row[0].strip() for row in rows if len(row) < 3 or not row[-1].strip()]
    assert not bare, f"rules without a test or a reason: {bare}"
