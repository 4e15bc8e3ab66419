"""What is new and what is history, in the words of many mail programs."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.html_text import html_to_text
from mail.visible import split_visible, split_visible_html

GMAIL = "On Mon, 2 Jun 2025 at 10:00, Jane Doe <jane@example.com> wrote:"


@pytest.mark.parametrize(
    "attribution",
    [
        GMAIL,
        "On Mon, 2 Jun 2025 at 10:00, Jane Doe <\njane@example.com> wrote:",
        "On Monday, June 2, 2025 at 10:00 AM, Jane\nDoe\n<jane@example.com>\nwrote:",
        "Am 02.06.25 um 10:00 schrieb Jane Doe:",
        "Am Mo., 2. Juni 2025 um 10:00 Uhr schrieb Jane Doe <jane@example.com>:",
        "Le lun. 2 juin 2025 à 10:00, Jane Doe <jane@example.com> a écrit :",
        "El lun, 2 jun 2025 a las 10:00, Jane Doe (<jane@example.com>) escribió:",
        "Em seg., 2 de jun. de 2025 às 10:00, Jane <jane@example.com> escreveu:",
        "Il giorno lun 2 giu 2025 alle ore 10:00 Jane <jane@example.com> ha scritto:",
        "Op ma 2 jun 2025 om 10:00 schreef Jane Doe <jane@example.com>:",
        "pon., 2 cze 2025 o 10:00 Jane Doe <jane@example.com> napisał(a):",
        "W dniu 02.06.2025 o 10:00, Jane Doe pisze:",
        "po 2. 6. 2025 v 10:00 odesílatel Jane Doe <jane@example.com> napsal:",
        "Den mån 2 juni 2025 kl 10:00 skrev Jane Doe <jane@example.com>:",
        "пн, 2 июн. 2025 г. в 10:00, Jane Doe <jane@example.com>:",
        "02.06.2025 10:00, Jane Doe пишет:",
        "2025年6月2日(月) 10:00 Jane Doe <jane@example.com>:",
        "Jane Doe <jane@example.com> 于2025年6月2日周一 10:00写道：",
        "2025년 6월 2일 (월) 오전 10:00, Jane Doe <jane@example.com>님이 작성:",
        "Jane Doe <jane@example.com>, 2 Haz 2025 Pzt, 10:00 tarihinde şunu yazdı:",
    ],
)
def test_attributions_go_with_their_quote(attribution: str) -> None:
    split = split_visible(f"Thank you!\n\nIt works: really.\n\n{attribution}\n\n> old\n>\n> words\n")
    assert split.visible == "Thank you!\n\nIt works: really."
    assert split.quoted.startswith(attribution)
    assert split.quoted.endswith("> words")


@pytest.mark.parametrize(
    "history",
    [
        "-----Original Message-----\nFrom: Jane\nSent: Monday\nTo: me\nSubject: x\n\nold",
        "----- Ursprüngliche Nachricht -----\nold",
        "________________________________\nFrom: Jane Doe <jane@example.com>\nSent: Monday, June 2, 2025 10:00\nTo: Help\nSubject: Re: x\n\nold",
        "From: Jane Doe\nDate: Monday\nTo: Help\nSubject: x\n\nold",
        "*From:* Jane Doe <jane@example.com>\n*Sent:* Monday\n*To:* Help\n*Subject:* x\n\nold",
        "Von: Jane Doe <jane@example.com>\nGesendet: Montag, 2. Juni 2025 10:00\nAn: Hilfe\nBetreff: AW: x\n\nold",
        "De : Jane <jane@example.com>\nEnvoyé : lundi 2 juin 2025 10:00\nÀ : Aide\nObjet : Re: x\n\nold",
        "De: Jane <jane@example.com>\nEnviado el: lunes\nPara: Ayuda\nAsunto: x\n\nold",
        "Da: Jane\nInviato: lunedì\nA: Aiuto\nOggetto: x\n\nold",
        "Van: Jane\nVerzonden: maandag\nAan: Hulp\nOnderwerp: x\n\nold",
        "差出人: Jane\n送信日時: 2025\n宛先: Help\n件名: x\n\nold",
        "发件人： Jane\n发送时间： 2025\n收件人： Help\n主题： x\n\nold",
        "От: Jane\nОтправлено: понедельник\nКому: Help\nТема: x\n\nold",
        "On 2 Jun 2025, at 10:00, Jane Doe <jane@example.com> wrote:\n\nold, without marks",
        "Am 02.06.2025 um 10:00 schrieb Jane Doe <jane@example.com>:\n\nold, ohne Zeichen",
    ],
)
def test_history_without_marks(history: str) -> None:
    split = split_visible(f"New words.\n\nRegards\n\n{history}\n")
    assert split.visible == "New words.\n\nRegards"
    assert split.quoted == history


def test_a_quote_at_the_end_without_attribution() -> None:
    assert split_visible("Yes.\n> really?\n").visible == "Yes."


def test_answer_below_the_quote() -> None:
    split = split_visible(f"{GMAIL}\n> Does it work?\n\nIt does.")
    assert (split.visible, split.quoted) == ("It does.", f"{GMAIL}\n> Does it work?")


def test_answers_between_quotes_keep_what_they_answer() -> None:
    text = f"{GMAIL}\n> First?\n\nYes.\n\n> Second?\n\nNo.\n\n> the rest"
    split = split_visible(text)
    assert split.visible == f"{GMAIL}\n> First?\n\nYes.\n\n> Second?\n\nNo."
    assert split.quoted == "> the rest"


def test_a_signature_is_kept_and_pointed_out() -> None:
    split = split_visible(f"Hi\n\n-- \nJane\nExample Ltd\n\n{GMAIL}\n> old")
    assert split.visible == "Hi\n\n-- \nJane\nExample Ltd"
    assert split.signature == "-- \nJane\nExample Ltd"
    assert split_visible("Hi\n\nSent from my iPhone").signature == "Sent from my iPhone"


@pytest.mark.parametrize(
    "text",
    [
        "See below.\n\n---------- Forwarded message ---------\nFrom: Jane <jane@example.com>\nDate: Mon\nSubject: x\nTo: me\n\nthe news",
        "FYI\n\nBegin forwarded message:\n\n> From: Jane\n> Subject: x\n>\n> the news",
        "I wrote:\nto you last week about this.",
        "On 2 June we said:\nthis and that",
        "From: here we went on\nto the town.",
        "The opening hours: 10:00\n\nPlease note:\nclosed",
        "> all of it\n> is a quote",
        "-----\nA line drawn by hand\n-----\nand text",
        "",
        "\n\n",
    ],
)
def test_nothing_to_fold(text: str) -> None:
    split = split_visible(text)
    assert split.visible == text.strip("\n").rstrip()
    assert split.quoted == ""


LINES = st.lists(
    st.sampled_from(
        ["", "words", "> quote", ">> deep", GMAIL, "-- ", "Jane", "From: a", "Sent: b", "To: c", "Subject: d", "-----Original Message-----",
         "________________________________", "Begin forwarded message:", "On 2 Jun", "x wrote:", "Sent from my iPhone", "  > indented"]
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=300)
@given(LINES)
def test_no_line_is_lost_and_no_mail_becomes_empty(lines: list[str]) -> None:
    text = "\n".join(lines)
    split = split_visible(text)
    kept = [line.strip() for line in (split.visible + "\n" + split.quoted).split("\n") if line.strip()]
    assert sorted(kept) == sorted(line.strip() for line in lines if line.strip())
    assert bool(split.visible.strip()) == bool(text.strip())
    assert split.visible.endswith(split.signature)


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Monday</div><blockquote class="gmail_quote">old</blockquote></div>',
        '<div class="moz-cite-prefix">On Monday</div><blockquote type="cite" cite="mid:x"><p>old</p></blockquote>',
        '<br><blockquote type="cite"><div>On 2 Jun 2025, Jane wrote:</div>old</blockquote>',
        '<hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>From:</b> Jane</div><div>old</div>',
        '<div id="appendonsend"></div><hr><div>old</div>',
        '<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in"><p><b>From:</b> Jane</p></div></div><p>old</p>',
        '<div class="yahoo_quoted" id="yahoo_quoted_1">On Monday<div>old</div></div>',
        '<div class="protonmail_quote">On Monday<blockquote>old</blockquote></div>',
        '<div id="mail-editor-reference-message-container">old</div>',
    ],
)
def test_html_quotes(quote: str) -> None:
    new, old = split_visible_html(f'<html><body><div dir="ltr">My <b>answer</b></div>{quote}</body></html>')
    assert html_to_text(new) == "My answer"
    assert "old" in old
    assert "old" not in new


@pytest.mark.parametrize(
    "html",
    [
        "<p>No quote at all</p>",
        '<blockquote type="cite">nothing but a quote</blockquote>',
        '<p>a</p><blockquote type="cite">q</blockquote><p>the answer is below</p>',
        '<p>a</p><blockquote type="cite">q1</blockquote><p>a1</p><blockquote type="cite">q2</blockquote>',
        '<p>FYI</p><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: Jane</div>the news</div>',
        "<p>a</p><blockquote>an indented paragraph</blockquote>",
        '<p>a</p><blockquote type="cite">q</blockquote><img src="cid:x">',
    ],
)
def test_html_left_whole(html: str) -> None:
    assert split_visible_html(html) == (html, "")


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["<div>", "</div>", "text", '<blockquote type="cite">', "</blockquote>", '<div class="gmail_quote">', '<div id="divRplyFwdMsg">', "<br>"]), max_size=15))
def test_html_parts_are_the_whole(pieces: list[str]) -> None:
    html = "".join(pieces)
    new, old = split_visible_html(html)
    assert new + old == html
    assert not old or html_to_text(new).strip()


@pytest.mark.parametrize(
    "hostile",
    [GMAIL[:20] + "\n", "> a\nb\n", "On 2 Jun 2025\n", "From: a\n\n", "_" * 30 + "\n", "-" * 50, ":\n", "a@b.", "<" * 50, "2025 ", "\n\n\n", "wrote:\n> x\n"],
)
def test_stays_linear(hostile: str) -> None:
    text = hostile * (100_000 // len(hostile))
    started = time.thread_time()
    split_visible(text)
    assert time.thread_time() - started < 0.8
