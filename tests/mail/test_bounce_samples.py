"""Measures the reading of bounces against real reports of many mail systems, labelled by others (not part of a clone).

The thresholds are promises, not the present score. Where the labels and integrity L-6 differ (5.7.x and 4.x are never
hard for us, a forwarded bounce in a person's mail is a message) the difference counts against us here and stays.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mail.classify import ClassifyContext, classify
from mail.parse import parse_mail
from mail.values import BounceClass, MailKind

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"
LABELS = SAMPLES / "bounces" / "expected.json"
INBOX = ClassifyContext(own_addresses=frozenset())
REPORTS_AMONG_MIME = {
    "mime_emails--raw_email_with_mimepart_without_content_type.eml",
    "multipart_report_emails--multi_address_bounce1.eml",
    "multipart_report_emails--report_422.eml",
}

pytestmark = pytest.mark.skipif(
    not LABELS.is_file(), reason=f"the bounce samples are not beside this clone: {LABELS}"
)


@dataclass
class Score:
    right: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)

    def note(self, question, file, wanted, got, *, right):
        self.asked[question] = self.asked.get(question, 0) + 1
        self.right[question] = self.right.get(question, 0) + right
        if not right:
            self.misses.append(f"{question:8} {file:32} wanted {wanted!s:12} got {got}")

    def share(self, question):
        return self.right[question] / self.asked[question]

    def table(self):
        heads = [f"{q}: {self.right[q]}/{self.asked[q]} = {self.share(q):.1%}" for q in self.asked]
        return "\n".join(["", *heads, *self.misses])


@pytest.fixture(scope="module")
def score():
    result = Score()
    for file, labels in json.loads(LABELS.read_text(encoding="utf-8")).items():
        verdict = classify(parse_mail((SAMPLES / "bounces" / "mails" / file).read_bytes()), INBOX)
        kind = {"feedback": MailKind.COMPLAINT, "vacation": MailKind.AUTO_REPLY}.get(
            labels[0]["reason"], MailKind.BOUNCE
        )
        result.note("kind", file, kind.value, verdict.kind.value, right=verdict.kind is kind)
        if kind is not MailKind.BOUNCE:
            continue
        for index, label in enumerate(labels):
            report = verdict.reports[index] if index < len(verdict.reports) else None
            got_class, got_status = (report.bounce_class, report.status) if report else (None, "none")
            is_hard = got_class is BounceClass.HARD
            result.note(
                "hard",
                file,
                label["hardbounce"],
                got_class,
                right=report is not None and is_hard == label["hardbounce"],
            )
            wanted = label["dsn"]
            result.note("class", file, wanted, got_status, right=got_status[:1] == wanted[:1])
            own_code = len(wanted.split(".")[2]) == 3 and wanted.split(".")[2].startswith(
                "9"
            )  # the labeller's own codes
            if not own_code:
                result.note("status", file, wanted, got_status, right=got_status == wanted)
    return result


@pytest.mark.parametrize(
    ("question", "share"), [("kind", 0.95), ("hard", 0.90), ("class", 0.95), ("status", 0.90)]
)
def test_reports_are_read_as_labelled(score, question, share):
    assert score.share(question) >= share, score.table()


def test_ordinary_mails_are_messages_and_reports_are_not():
    files = [*sorted((SAMPLES / "mime").glob("*.eml")), *sorted((SAMPLES / "quotes").glob("*.eml"))]
    kinds = {f.name: classify(parse_mail(f.read_bytes()), INBOX).kind for f in files}
    assert {name for name, kind in kinds.items() if kind is MailKind.BOUNCE} == REPORTS_AMONG_MIME
    others = {name: kind for name, kind in kinds.items() if name not in REPORTS_AMONG_MIME}
    assert set(others.values()) == {MailKind.MESSAGE}, {
        n: k for n, k in others.items() if k is not MailKind.MESSAGE
    }


def test_every_report_says_which_mail_it_is_about_where_it_tells():
    found = 0
    for path in sorted((SAMPLES / "bounces" / "mails").glob("*.eml")):
        found += bool(classify(parse_mail(path.read_bytes()), INBOX).original_message_ids)
    assert found >= 100
