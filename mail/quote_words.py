"""The words with which mail programs introduce what they quote, by language. Only words: how they are used is in `mail.visible`.

Collected from the defaults of Gmail, Outlook, Apple Mail, Thunderbird and Yahoo; a missing language falls back to the
rules that need no words (quote marks, dates with addresses).
"""

# «On <date>, <name> wrote:» as (how the line may begin, how it ends before the colon), in lower case.
ATTRIBUTIONS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("on ",), ("wrote", "writes", "said")),
    (("am ", "on ", "von ", "der ", "die "), ("schrieb", "geschrieben")),
    (("am ", "op "), ("schreef", "het volgende geschreven", "schreef het volgende")),
    (("le ",), ("a écrit", "a ecrit", "écrit")),
    (("el ", "en "), ("escribió", "escribio", "escribe")),
    (("em ", "no dia ", "a ", "el "), ("escreveu", "va escriure")),
    (("il ", "in data "), ("ha scritto", "scrive")),
    (("w dniu ", "dnia ", "dn. ", "pon.", "wt.", "śr.", "czw.", "pt.", "sob.", "niedz."), ("napisał(a)", "napisał", "napisała", "pisze")),
    (("dne ", "po ", "út ", "st ", "čt ", "pá ", "so ", "ne "), ("napsal(a)", "napsal", "napsala", "odesílatel napsal")),
    (("dňa ", "po ", "ut ", "st ", "št ", "pi ", "so ", "ne "), ("napísal(a)", "napísal", "napísala")),
    (("den ", "d. ", "på ", "tors", "man", "tirs", "ons", "fre", "lør", "søn"), ("skrev", "skrev følgende", "skrev följande")),
    (("den ", "på "), ("skrev",)),
    (("ke ", "ma ", "ti ", "to ", "pe ", "la ", "su "), ("kirjoitti",)),
    (("în ", "pe ", "in data de ", "la "), ("a scris",)),
    (("dana ", "u "), ("je napisao/la", "napisao je", "je napisao", "piše")),
    (("στις ",), ("έγραψε",)),
    (("в ", "пн,", "вт,", "ср,", "чт,", "пт,", "сб,", "вс,"), ("написал", "написала", "написал(а)", "пишет", "писал", "писал(а)")),
    (("у ",), ("написав", "написала", "пише")),
    (("на ",), ("написа",)),
    (("vào ", "lúc "), ("đã viết", "viết")),
    (("pada ",), ("menulis",)),
)  # fmt: skip
# Languages that put the verb last and the date anywhere, or glue it to the name.
ENDINGS = ("tarihinde şunu yazdı", "şunu yazdı", "yazdı", "ezt írta", "írta", "写道", "寫道", "написал", "написала", "님이 작성", "작성", "さんは書きました", "のメール", "のメッセージ", "כתב", "כתבה", "كتب")  # fmt: skip

# Labels of the header block that Outlook puts above a quoted mail: sender, then at least two of the others.
FROM_LABELS = {
    "from", "von", "de", "da", "van", "od", "från", "fra", "lähettäjä", "feladó", "от", "від", "από", "gönderen", "kimden",
    "差出人", "发件人", "寄件者", "寄件人", "보낸 사람", "보낸사람", "expéditeur", "mittente", "remitente", "remetente", "dari", "từ",
}  # fmt: skip
OTHER_LABELS = {
    "sent", "to", "cc", "subject", "date", "reply-to", "importance",
    "gesendet", "an", "betreff", "datum",
    "envoyé", "à", "objet", "date d'envoi", "envoyé le",
    "enviado", "enviado el", "para", "asunto", "fecha", "assunto", "data", "enviada em", "enviada",
    "inviato", "a", "oggetto", "per", "data invio",
    "verzonden", "aan", "onderwerp",
    "wysłano", "do", "temat", "dw", "wysłane",
    "odesláno", "komu", "předmět", "kopie", "kópia", "predmet", "odoslané",
    "skickat", "till", "ämne", "kopia", "sendt", "til", "emne", "lähetetty", "vastaanottaja", "aihe",
    "elküldve", "címzett", "tárgy", "trimis", "către", "subiect",
    "отправлено", "кому", "тема", "дата", "копия", "надіслано", "копія", "изпратено", "до", "относно",
    "στάλθηκε", "προς", "θέμα", "gönderme tarihi", "gönderilen", "kime", "konu", "tarih",
    "送信日時", "宛先", "件名", "日付", "发送时间", "收件人", "主题", "抄送", "日期", "傳送時間", "收件者", "主旨", "副本",
    "보낸 날짜", "받는 사람", "받는사람", "제목", "날짜", "참조",
}  # fmt: skip

# «-----Original Message-----»
ORIGINALS = (
    "original message", "original-nachricht", "ursprüngliche nachricht", "originalnachricht", "originele bericht", "oorspronkelijk bericht",
    "message d'origine", "message original", "message initial", "mensaje original", "mensagem original", "messaggio originale",
    "messaggio original", "wiadomość oryginalna", "oryginalna wiadomość", "původní zpráva", "pôvodná správa", "ursprungligt meddelande",
    "originalmeddelande", "oprindelig meddelelse", "opprinnelig melding", "alkuperäinen viesti", "eredeti üzenet", "mesaj original",
    "исходное сообщение", "оригинальное сообщение", "вихідне повідомлення", "özgün ileti", "orijinal mesaj", "original appointment",
    "元のメッセージ", "オリジナルメッセージ", "原始邮件", "原始郵件", "邮件原件", "원본 메시지", "원본 메일", "reply message", "reply to message",
)  # fmt: skip
# «---------- Forwarded message ---------»: what follows is what the sender wanted to show, so it is never folded.
FORWARDS = (
    "forwarded message", "forwarded by", "begin forwarded message", "weitergeleitete nachricht", "anfang der weitergeleiteten",
    "message transféré", "message transmis", "début du message", "mensaje reenviado", "mensagem encaminhada", "messaggio inoltrato",
    "inizio messaggio inoltrato", "doorgestuurd bericht", "wiadomość przekazana", "przekazana wiadomość", "přeposlaná zpráva",
    "vidarebefordrat", "videresendt", "továbbított", "пересылаемое сообщение", "перенаправленное сообщение", "転送されたメッセージ",
    "转发的邮件", "轉寄的郵件", "전달된 메시지", "iletilen mesaj",
)  # fmt: skip

# Lines that a phone adds below what its owner wrote.
DEVICE_SIGNATURES = (
    "sent from my ", "sent from mail for", "get outlook for", "sent from outlook", "sent via ", "sent from yahoo",
    "von meinem ", "gesendet von ", "gesendet mit ", "holen sie sich outlook", "envoyé de mon", "envoyé depuis", "obtenir outlook",
    "enviado desde mi", "enviado do meu", "enviado desde", "inviato da ", "verzonden vanaf", "verstuurd vanaf", "wysłane z ",
    "odesláno z", "skickat från", "sendt fra", "sendt min", "lähetetty ", "отправлено с", "iphoneから送信", "发自我的", "從我的", "나의 iphone에서",
)  # fmt: skip
