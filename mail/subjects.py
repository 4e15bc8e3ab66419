"""Subjects: the base subject under all "Re:" and "Fwd:" of all languages, and the ticket number that we put behind it.
The number in a subject is a weak hint: whoever reads it must know the sender too (anybody can type a number).
"""

import re
import unicodedata

from mail.display_text import displayable

# "Re" and "Fwd" as mail programs translate them. Sources: the localised prefixes of Outlook, Apple Mail, Lotus Notes
# and Thunderbird; RFC 5322 §3.6.5 knows only "Re: ". Longer words stand first where one begins another.
_REPLY = (
    "re", "aw", "antw", "antwort", "sv", "svar", "vs", "rif", "r", "odp", "vá", "válasz", "ynt", "yanıt", "res", "bls", "atb",
    "απ", "σχετ", "на", "отв", "ответ", "відп", "відповідь", "отг", "השב", "תשובה", "رد", "回复", "回覆", "答复", "返信",
    "답장", "회신", "ตอบ", "hồi âm", "trả lời", "rép", "réf",
)  # fmt: skip
_FORWARD = (
    "fwd", "fw", "wg", "wtr", "vb", "vl", "tr", "rv", "enc", "i", "rt", "doorst", "pd", "podaj dalej", "továbbítás", "ilt",
    "videresendt", "välitetty", "προωθ", "пересл", "препр", "הועבר", "إعادة توجيه", "转发", "轉寄", "転送", "전달", "ส่งต่อ",
    "chuyển tiếp", "yml",
)  # fmt: skip
_WORDS = "|".join(sorted({re.escape(w) for w in (*_REPLY, *_FORWARD)}, key=len, reverse=True))
# "Re[2]:" (The Bat), "Re(3):" (Notes), "Re^2:", "RE :" (French typography), "回复：" (full-width colon).
_PREFIX = re.compile(
    rf"\s*(?:{_WORDS})\s?(?:\[\d{{1,4}}\]|\(\d{{1,4}}\)|\^\d{{1,4}}|\*\d{{1,4}})?\s?[:：]\s*", re.IGNORECASE
)
_TICKET = re.compile(r"\[#(\d{1,12})\]")
_GATEWAY_MARK = re.compile(r"\s*[\[(](?:ext(?:ern(?:al)?)?(?: e-?mail)?|extern)[\])]:?\s*", re.IGNORECASE)
_TRAILING_FORWARD = re.compile(r"\s*\(fwd\)\s*$", re.IGNORECASE)  # RFC 5256 §2.1
# What mail programs put before the subject of an absence note, in the languages of Outlook, Exchange and Gmail.
_ABSENCE = re.compile(
    r"\s*(?:auto(?:matic)?(?:[ -]?reply|[ -]?response| antwort)|out of (?:the )?office|abwesenheits(?:notiz|assistent)"
    r"|automatische (?:antwort|reactie)|automatisch antwoord|afwezigheidsbericht|réponse automatique|absence du bureau"
    r"|respuesta automática|fuera de (?:la )?oficina|resposta automática|ausência temporária|risposta automatica|fuori sede"
    r"|autosvar|automatiskt svar|automatisk svar|automaattinen vastaus|poissaoloilmoitus|odpowiedź automatyczna"
    r"|automatická odpověď|automatikus válasz|otomatik yanıt|автоматический ответ|автоответ|自動応答|自动回复|自動回覆|자동 회신)"
    r"\s*[:：\-(]",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"\w{3,}")
_SPACE = re.compile(r"\s+")
_MOST_PREFIXES = 50
_LONGEST = 2_000


def base_subject(subject: str) -> str:
    """`subject` without reply and forward prefixes, `[#123]` tags and gateways' `[EXTERNAL]` marks; letters as written."""
    text = _tidy(subject)
    for _ in range(_MOST_PREFIXES):
        shorter = _TICKET.sub(" ", text)
        for pattern in (_PREFIX, _GATEWAY_MARK):
            found = pattern.match(shorter)
            shorter = shorter[found.end() :] if found else shorter
        shorter = _SPACE.sub(" ", _TRAILING_FORWARD.sub("", shorter)).strip()
        if shorter == text:
            break
        text = shorter
    return text


def normalise_subject(subject: str) -> str:
    """The form in which two subjects are compared: the base subject, case-folded, compatibility forms unified (NFKC).

    Two mails of one conversation have the same normalised subject; the reverse does not hold ("Hello").
    """
    return unicodedata.normalize("NFKC", base_subject(subject)).casefold()


def is_other_topic(known: str, subject: str) -> bool:
    """True when two normalised subjects have nothing in common: no word of three letters or more, and hardly a pair of letters.

    Careful, since people mend and lengthen subjects: one within the other is the same topic, and an empty one is none.
    """
    if not known or not subject or known in subject or subject in known:
        return False
    if not set(_LONG_WORD.findall(known)).isdisjoint(_LONG_WORD.findall(subject)):
        return False
    one, other = ({text[i : i + 2] for i in range(len(text) - 1)} for text in (known, subject))
    return len(one & other) * 4 < len(one) + len(other)  # Dice's coefficient below a half


def is_reply_or_forward(subject: str) -> bool:
    """True when the subject begins with a reply or forward prefix of any language."""
    text = _GATEWAY_MARK.sub("", _TICKET.sub(" ", _tidy(subject)), count=1)
    return _PREFIX.match(text) is not None


def is_absence_note(subject: str) -> bool:
    """True when the subject begins as mail programs begin their absence notes; a reply to one is no note itself."""
    return _ABSENCE.match(subject[:_LONGEST]) is not None


def with_ticket_number(subject: str, number: int) -> str:
    """`subject` with ` [#number]` behind it, once: `Re: Printer on fire [#1042]`.

    The same number anywhere in it is moved to the end; other numbers stay, they may be another help desk's.
    """
    if number < 1:
        raise ValueError("number: a ticket number is 1 or greater")
    tag = f"[#{number}]"
    return f"{_SPACE.sub(' ', _tidy(subject).replace(tag, ' ')).strip()} {tag}".strip()


def reply_subject(subject: str, number: int | None = None) -> str:
    """The subject of an answer: one `Re: ` in front of the base subject, the ticket number (if given) behind it."""
    text = f"Re: {base_subject(subject)}".strip()
    return text if number is None else with_ticket_number(text, number)


def ticket_number_in(subject: str) -> int | None:
    """The ticket number in `subject`, the last one when there are several (ours is put at the end), or None."""
    found = _TICKET.findall(subject[:_LONGEST])
    number = int(found[-1]) if found else 0
    return number if 0 < number < 2**63 else None


def _tidy(subject: str) -> str:
    # what reorders or hides text has no business in a subject; `displayable` takes it out.
    return _SPACE.sub(" ", displayable(subject[:_LONGEST])).strip()
