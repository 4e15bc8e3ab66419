"""Which folder is Sent, Junk, Trash and so on: by SPECIAL-USE (RFC 6154), else by the names that mail programs give.

Each role is given to at most one folder by name, and by name only where the server names none itself.
"""

import unicodedata
from dataclasses import dataclass

from providers.imap.values import RemoteFolder, Role

# Seen in practice: Cyrus writes \sent in lower case; XLIST servers write \Spam, \Starred, \AllMail.
_SPECIAL_USE = {
    "\\inbox": Role.INBOX,
    "\\sent": Role.SENT,
    "\\archive": Role.ARCHIVE,
    "\\junk": Role.JUNK,
    "\\spam": Role.JUNK,
    "\\trash": Role.TRASH,
    "\\drafts": Role.DRAFTS,
    "\\all": Role.ALL,
    "\\allmail": Role.ALL,
}

# Names as mail programs and hosters create them, compared after NFKC and casefold. The order is the preference.
_NAMES: dict[Role, tuple[str, ...]] = {
    Role.SENT: (
        "sent", "sent items", "sent messages", "sent mail", "sent-mail", "sentmail", "outbox.sent",
        "gesendet", "gesendete elemente", "gesendete objekte", "gesendete nachrichten", "postausgang gesendet",
        "envoyés", "éléments envoyés", "messages envoyés", "courrier envoyé", "objets envoyés",
        "enviados", "elementos enviados", "mensajes enviados", "correo enviado", "enviadas", "itens enviados",
        "mensagens enviadas", "posta inviata", "inviati", "inviata", "elementi inviati", "messaggi inviati",
        "verzonden", "verzonden items", "verzonden berichten", "skickat", "skickade objekt", "skickade",
        "sendt", "sendte elementer", "sendt post", "sendte", "lähetetyt", "lähetetyt viestit", "saadetud",
        "wysłane", "elementy wysłane", "odeslané", "odeslaná pošta", "odoslané", "odoslaná pošta", "elküldött",
        "elküldött elemek", "trimise", "elemente trimise", "poslano", "poslane stavke", "poslato", "изпратени",
        "отправленные", "исходящие отправленные", "надіслані", "відправлені", "απεσταλμένα", "σταλμένα",
        "gönderilmiş öğeler", "gönderilenler", "gönderilmiş postalar", "נשלח", "דואר שנשלח", "المرسلة",
        "العناصر المرسلة", "البريد المرسل", "送信済み", "送信済みアイテム", "送信済みメール", "送信メール",
        "已发送", "已发送邮件", "已傳送", "寄件備份", "寄件匣", "보낸 편지함", "보낸편지함", "보낸 메일함", "đã gửi",
        "thư đã gửi", "terkirim", "ส่งแล้ว", "จดหมายที่ส่ง", "भेजे गए",
    ),
    Role.DRAFTS: (
        "drafts", "draft", "entwürfe", "entwurf", "brouillons", "borradores", "rascunhos", "bozze", "concepten",
        "utkast", "udkast", "kladder", "luonnokset", "wersje robocze", "szkice", "koncepty", "rozepsané", "piszkozatok",
        "ciorne", "чернови", "черновики", "чернетки", "πρόχειρα", "taslaklar", "טיוטות", "المسودات", "下書き", "草稿",
        "草稿箱", "임시 보관함", "임시보관함", "thư nháp", "draf", "ฉบับร่าง",
    ),
    Role.TRASH: (
        "trash", "deleted items", "deleted messages", "deleted", "bin", "papierkorb", "gelöscht", "gelöschte elemente",
        "gelöschte objekte", "corbeille", "éléments supprimés", "messages supprimés", "papelera", "elementos eliminados",
        "lixeira", "lixo", "itens excluídos", "itens eliminados", "cestino", "posta eliminata", "eliminati",
        "prullenbak", "verwijderde items", "papperskorgen", "borttagna objekt", "papirkurv", "slettet post",
        "slettede elementer", "roskakori", "poistetut", "kosz", "elementy usunięte", "koš", "odstraněná pošta",
        "odstránené položky", "kuka", "lomtár", "törölt elemek", "coș de gunoi", "кошче", "корзина", "удаленные",
        "удалённые", "кошик", "κάδος απορριμμάτων", "çöp kutusu", "silinmiş öğeler", "אשפה", "المهملات", "ゴミ箱",
        "ごみ箱", "削除済みアイテム", "已删除", "已删除邮件", "垃圾桶", "刪除的郵件", "휴지통", "지운 편지함", "thùng rác",
        "sampah", "ถังขยะ",
    ),
    Role.JUNK: (
        "junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk mail", "bulk", "spamverdacht", "werbung",
        "courrier indésirable", "indésirables", "pourriel", "correo no deseado", "no deseado", "lixo eletrônico",
        "lixo eletrónico", "lixo electrónico", "posta indesiderata", "indesiderata", "ongewenste e-mail", "ongewenst",
        "skräppost", "uønsket e-post", "uønsket mail", "søppelpost", "roskaposti", "wiadomości-śmieci",
        "nevyžádaná pošta", "nevyžiadaná pošta", "levélszemét", "спам", "нежелательная почта", "небажана пошта",
        "ανεπιθύμητα", "ανεπιθύμητη αλληλογραφία", "istenmeyen", "önemsiz e-posta", "דואר זבל", "البريد غير الهام",
        "迷惑メール", "垃圾邮件", "垃圾郵件", "스팸", "스팸 메일함", "스팸메일함", "정크 메일", "thư rác", "สแปม",
    ),
    Role.ARCHIVE: (
        "archive", "archives", "archiv", "archivo", "archivi", "archivio", "arquivo", "archief", "arkiv", "arkisto",
        "archiwum", "archív", "archívum", "arhiva", "архив", "архів", "αρχείο", "arşiv", "ארכיון", "الأرشيف",
        "アーカイブ", "存档", "归档", "封存", "보관함", "lưu trữ",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedFolder:
    """One LIST response: wire name, decoded name, delimiter, attributes in lower case."""

    path: str
    name: str
    delimiter: str | None
    attributes: frozenset[str]
    selectable: bool


def assign_roles(listed: list[ListedFolder]) -> list[RemoteFolder]:
    """Every folder once, with its role. INBOX is known by its name in any case (RFC 3501 §5.1)."""
    folders = list({folder.path: folder for folder in listed}.values())
    roles: dict[str, Role] = {}
    for folder in folders:
        if folder.path.upper() == "INBOX":
            roles[folder.path] = Role.INBOX
            continue
        named = [_SPECIAL_USE[word] for word in sorted(folder.attributes) if word in _SPECIAL_USE]
        # \All together with another use means a virtual folder; the narrower use says more.
        named.sort(key=lambda role: role in (Role.ALL, Role.INBOX))
        if named and named[0] is not Role.INBOX and folder.selectable:
            roles[folder.path] = named[0]
    taken = set(roles.values())
    for role, names in _NAMES.items():
        if role in taken:
            continue
        best = min(
            (
                (names.index(leaf), folder.name.count(folder.delimiter or "\0"), folder.path)
                for folder in folders
                if folder.selectable and folder.path not in roles and (leaf := _leaf(folder)) in names
            ),
            default=None,
        )
        if best is not None:
            roles[best[2]] = role
    return [
        RemoteFolder(
            folder.path, folder.name, folder.delimiter, roles.get(folder.path, Role.OTHER), folder.selectable
        )
        for folder in folders
    ]


def _leaf(folder: ListedFolder) -> str:
    leaf = folder.name.rsplit(folder.delimiter, 1)[-1] if folder.delimiter else folder.name
    return unicodedata.normalize("NFKC", leaf).casefold().strip()
