"""Which folder is which: SPECIAL-USE in any spelling first, then the names that people's mail programs give."""

import pytest

from providers.imap.roles import ListedFolder, assign_roles
from providers.imap.values import Role


def folder(name: str, *attributes: str, delimiter: str | None = "/", selectable: bool = True) -> ListedFolder:
    return ListedFolder(name, name, delimiter, frozenset(attributes), selectable)


def roles(*folders: ListedFolder) -> dict[str, Role]:
    return {one.path: one.role for one in assign_roles(list(folders))}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Sent", Role.SENT), ("SENT ITEMS", Role.SENT), ("INBOX.Sent", Role.SENT), ("Gesendete Elemente", Role.SENT),
        ("Éléments envoyés", Role.SENT), ("E\u0301le\u0301ments envoye\u0301s", Role.SENT), ("Отправленные", Role.SENT),
        ("送信済みアイテム", Role.SENT), ("已发送", Role.SENT), ("보낸편지함", Role.SENT), ("Gönderilmiş Öğeler", Role.SENT),
        ("[Google Mail]/Gesendet", Role.SENT), ("Papierkorb", Role.TRASH), ("Deleted Items", Role.TRASH),
        ("Corbeille", Role.TRASH), ("Ongewenste e-mail", Role.JUNK), ("Спам", Role.JUNK), ("Entwürfe", Role.DRAFTS),
        ("Archiv", Role.ARCHIVE), ("Sentinel", Role.OTHER), ("My Sent stuff", Role.OTHER), ("inbox", Role.INBOX),
    ],
)  # fmt: skip
def test_localised_names(name: str, role: Role) -> None:
    assert roles(folder(name, delimiter="." if name.startswith("INBOX.") else "/"))[name] is role


def test_special_use_wins_over_names() -> None:
    told = roles(folder("Sent"), folder("Verschickt", "\\sent"), folder("Bin", "\\trash"), folder("Trash"))
    assert told == {"Sent": Role.OTHER, "Verschickt": Role.SENT, "Bin": Role.TRASH, "Trash": Role.OTHER}


def test_one_folder_per_role_the_likeliest_and_shallowest() -> None:
    told = roles(folder("Old/Sent"), folder("Sent Items"), folder("Sent"))
    assert told == {"Old/Sent": Role.OTHER, "Sent Items": Role.OTHER, "Sent": Role.SENT}


def test_a_virtual_folder_of_all_mail_may_have_a_narrower_use() -> None:
    told = roles(folder("All", "\\all"), folder("Archiv", "\\all", "\\archive"), folder("x", "\\inbox"))
    assert told == {"All": Role.ALL, "Archiv": Role.ARCHIVE, "x": Role.OTHER}


def test_a_folder_that_cannot_be_opened_has_no_use() -> None:
    told = roles(
        folder("Sent", "\\noselect", selectable=False),
        folder("Sent/2024"),
        folder("Trash", "\\trash", selectable=False),
    )
    assert set(told.values()) == {Role.OTHER}


def test_listed_twice_is_one_folder() -> None:
    assert len(assign_roles([folder("Sent"), folder("Sent", "\\sent")])) == 1
