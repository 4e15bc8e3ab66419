"""Believes what others found out: a provider's Junk folder or label and the verdict headers of spam filters.
It judges no content itself. A forged verdict can only hurt the mail that carries it.
"""

import re

from mail.values import ParsedMail

# Each filter's own way to say "spam", nearest hop first: every relay prepends, so the topmost header of a name is the
# newest verdict and an older one below it is what somebody else's server thought.
_VERDICTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("X-Spam-Flag", re.compile(r"(?i)\s*yes\b")),  # SpamAssassin, amavis, Rspamd's milter
    ("X-Spam-Status", re.compile(r"(?i)\s*yes\b")),
    ("X-Spam", re.compile(r"(?i)\s*(?:yes|true)\b")),  # Rspamd
    ("X-Barracuda-Spam-Flag", re.compile(r"(?i)\s*yes\b")),
    ("X-Bogosity", re.compile(r"(?i)\s*(?:spam|yes)\b")),  # bogofilter
    ("X-DSPAM-Result", re.compile(r"(?i)\s*(?:spam|bl[ao]cklisted)\b")),
    ("X-Forefront-Antispam-Report", re.compile(r"(?i).*\bSFV:(?:SPM|SKS|SKB)\b")),  # Exchange Online
    ("X-SES-Spam-Verdict", re.compile(r"(?i)\s*fail\b")),  # Amazon SES, of mail that it receives
    ("X-SES-Virus-Verdict", re.compile(r"(?i)\s*fail\b")),
    ("X-MS-Exchange-Organization-SCL", re.compile(r"\s*[5-9]\b")),  # 5 and above goes to Junk by default
)
_LABELS = frozenset({"spam", "junk", "\\spam", "\\junk", "$junk"})


def spam_reason(mail: ParsedMail, *, folder_role: str, labels: tuple[str, ...]) -> str:
    """The rule by which `mail` is spam, such as `junk-folder` or `x-spam-flag`; "" when none says so."""
    if folder_role.lower() in {"junk", "spam"}:
        return "junk-folder"
    # "$NotJunk" is a person's word against the filter (IANA keyword registry) and weighs more than the headers.
    flags = {label.lower() for label in labels}
    if flags & _LABELS and not flags & {"$notjunk"}:
        return "spam-label"
    if "$notjunk" in flags:
        return ""
    for name, pattern in _VERDICTS:
        value = mail.header(name)
        if value is not None and pattern.match(value):
            return name.lower()
    return ""
