"""What differs between two readings is told whole where it is small, and bounded where it is not."""

import dataclasses
import datetime as dt
import time
import uuid

import pytest

from store.reingest_diff import MOST_DIFF, compare, excerpt
from store.reingest_reading import FileFacts, Reading
from store.reingest_selection import Selection

READING = Reading(
    message_id_header="<a@example.com>", content_id="c", subject="Printer", from_address="a@example.com", from_name="Ada",
    reply_to=(), recipients=(("to", "desk@example.org", ""), ("cc", "b@example.com", "Bo")), sent_at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    in_reply_to=None, references=(), body_text="one\ntwo\n", body_html=None, body_visible="one\ntwo\n", files=(), classification="message",
    rule="ordinary", reports=(), authentication=None, defects=(), quarantine=None,
)
PDF = FileFacts("a.pdf", "application/pdf", 3, "aaa", None, "attachment")


def changed(**values: object) -> Reading:
    return dataclasses.replace(READING, **values)


def test_equal_readings_differ_in_nothing() -> None:
    assert compare(READING, changed()).kinds == ()
    assert READING.digest() == changed().digest()
    assert READING.digest(uuid.UUID(int=1)) != READING.digest(uuid.UUID(int=2))


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Reading)])
def test_no_difference_is_overlooked(name: str) -> None:
    other = {
        "reply_to": (("x@example.com", ""),), "recipients": READING.recipients[:1], "sent_at": READING.sent_at + dt.timedelta(1), "references": ("<r@example.com>",),
        "files": (PDF,), "reports": (("x@example.com", "hard", "5.1.1", "failed"),), "defects": ("odd",),
    }.get(name, "another")
    fresh = changed(**{name: other})
    assert fresh.digest() != READING.digest()
    assert len(compare(READING, fresh).kinds) == 1, name


def test_files_are_told_by_content() -> None:
    old = changed(files=(PDF, dataclasses.replace(PDF, sha256="bbb", filename="gone.pdf")))
    new = changed(files=(dataclasses.replace(PDF, filename="b.pdf"), dataclasses.replace(PDF, sha256="ccc", filename="new.pdf")))
    parts = compare(old, new).detail["parts"]
    assert [f["filename"] for f in parts["added"]] == ["new.pdf"]
    assert [f["filename"] for f in parts["removed"]] == ["gone.pdf"]
    assert [(r["old"]["filename"], r["new"]["filename"]) for r in parts["renamed"]] == [("a.pdf", "b.pdf")]
    assert compare(changed(files=old.files), changed(files=old.files[::-1])).detail["parts"]["reordered"]


def test_a_diff_names_the_lines_of_the_whole_text() -> None:
    before = "\n".join(f"line {n}" for n in range(1, 101))
    diff, cut = excerpt(before, before.replace("line 50", "line fifty"))
    assert (diff.splitlines()[0], cut) == ("@@ -47,7 +47,7 @@", False)
    assert {"-line 50", "+line fifty"} <= set(diff.splitlines())


def test_html_in_one_line_is_cut_between_its_tags() -> None:
    diff, _ = excerpt("<p>one</p><p>two</p><p>three</p>", "<p>one</p><p>2</p><p>three</p>")
    assert {"-<p>two</p>", "+<p>2</p>", " <p>one</p>"} <= set(diff.splitlines())


def test_a_hostile_pair_is_told_quickly_and_shortly() -> None:
    before, after = "\n".join("ab" * 5_000 for _ in range(3_000)), "\n".join("ba" * 5_000 for _ in range(3_000))
    began = time.process_time()
    diff, cut = excerpt(before, after)
    assert time.process_time() - began < 2
    assert cut
    assert len(diff) <= MOST_DIFF


def test_what_stays_is_told_with_its_reason() -> None:
    told = compare(READING, changed(), kept="answered", thread={"old": "1", "new": None, "by": "outside", "kept": "answered"})
    assert told.kinds == ("classification", "thread")
    assert told.detail["classification"]["kept"] == "answered"


def test_a_selection_comes_back_as_it_was_kept() -> None:
    asked = Selection(
        inbox_ids=(uuid.UUID(int=1),), since=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), classifications=("spam",), quarantine_reasons=("parser_error",),
        older_parser=True,
    )
    assert Selection.from_json(asked.as_json()) == asked
    assert asked.bounded
    assert not Selection(everything=True).bounded
    assert Selection.from_json({}) == Selection()
