"""Docs that cannot fall behind: each setting, failure, activity, workflow and event type stands on its page; links lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from contracts.failures import NON_RETRYABLE, SENTENCES
from settings import Settings

ROOT = Path(__file__).parents[2]


def pages() -> list[str]:
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()
    return [p for p in out if (ROOT / p).exists()]


def test_every_setting_is_explained_and_no_other() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    explained = set(re.findall(r"^\| `(MAILROOM_\w+)`", page, flags=re.MULTILINE))
    known = {f"MAILROOM_{name.upper()}" for name in Settings.model_fields}
    assert explained == known, f"missing {known - explained}, gone {explained - known}"


def test_every_failure_is_explained_and_no_other() -> None:
    page = (ROOT / "docs/errors.md").read_text()
    explained = set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE))
    assert explained == set(SENTENCES), f"missing {set(SENTENCES) - explained}, gone {explained - set(SENTENCES)}"
    assert set(NON_RETRYABLE) <= set(SENTENCES)


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"^[a-z]+:", target) or target.startswith("#"):
            continue
        path = (ROOT / page).parent / target.partition("#")[0]
        if not path.exists():
            broken.append(target)
    assert not broken, f"{page}: {broken}"


def test_the_readme_leads_to_every_page() -> None:
    """From README over links one reaches every page of docs/."""
    seen, todo = set(), ["README.md"]
    while todo:
        page = todo.pop()
        if page in seen or not (ROOT / page).exists():
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)\s#]+)", (ROOT / page).read_text()):
            path = ((ROOT / page).parent / target).resolve()
            if path.is_dir():
                todo += [str(p.relative_to(ROOT)) for p in path.glob("*.md")]
            elif path.suffix == ".md" and path.is_relative_to(ROOT):
                todo.append(str(path.relative_to(ROOT)))
    lost = sorted(p for p in pages() if p.startswith("docs/") and p not in seen)
    assert not lost, f"pages that nobody finds: {lost}"


def test_every_activity_and_workflow_is_on_the_temporal_page() -> None:
    page = (ROOT / "docs/temporal.md").read_text()
    names = set()
    for path in (ROOT / "contracts").glob("*.py"):
        names |= set(re.findall(r'@activity\.defn\(name="([\w.]+)"\)', path.read_text()))
    for path in (ROOT / "workflows").glob("*.py"):
        names |= set(re.findall(r"@workflow\.defn[^\n]*\n(?:@[^\n]*\n)*class (\w+)", path.read_text()))
    lost = sorted(n for n in names if f"`{n}`" not in page)
    assert names, "no workflow or activity found: the search is broken"
    assert not lost, f"not explained in docs/temporal.md: {lost}"
