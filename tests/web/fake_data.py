"""The desk that the in-memory fake API starts with: people, inboxes, conversations, mails. Values only, no behaviour."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

INBOX_SUPPORT = "11111111-1111-4111-8111-111111111111"
INBOX_BILLING = "22222222-2222-4222-8222-222222222222"
USER_MAYA = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
USER_JONAS = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
PASSWORD = "correct horse battery"

USERS = [
    {"id": USER_MAYA, "email": "maya@desk.example.com", "name": "Maya Lind", "role": "owner"},
    {"id": USER_JONAS, "email": "jonas@desk.example.com", "name": "Jonas Weber", "role": "agent"},
]
TENANT = {"id": "99999999-9999-4999-8999-999999999999", "name": "Northwind Supplies"}
LIMITS = {"file_bytes": 26_214_400, "files": 10, "message_bytes": 26_214_400}


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def ago(**span: float) -> str:
    return stamp(datetime.now(UTC) - timedelta(**span))


def ident(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def inbox(id_: str, name: str, address: str, **more: Any) -> Row:
    server = {"host": "mail.desk.example.com", "username": address, "auth": "password"}
    return {
        "id": id_, "name": name, "channel": "email", "provider": "imap", "email_address": address,
        "display_name": f"Northwind {name}", "health": "ok", "connected_at": ago(days=41), "last_sync_at": ago(minutes=1),
        "last_error": None, "last_error_at": None, "paused": False,
        "settings": {"imap": {**server, "port": 993, "security": "tls"}, "smtp": {**server, "port": 587, "security": "starttls"}},
        "undo_send_seconds": 10, "send_policy": "ask", "write_back": [], "backfill_days": 90, "auto_response": {"enabled": False, "subject": "", "body": ""},
        "links": {"temporal": f"http://127.0.0.1:8233/namespaces/default/workflows/inbox-sync%2F{id_}"}, **more,
    }


def inboxes() -> list[Row]:
    return [
        inbox(INBOX_SUPPORT, "Support", "support@desk.example.com", auto_response={
            "enabled": True, "subject": "We have your message [#{{ticket_number}}]",
            "body": "Hello {{sender_name}},\n\nthank you. We answer within a working day.\n\n{{org_name}}"}),
        inbox(INBOX_BILLING, "Billing", "billing@desk.example.com"),
    ]


def trouble() -> Row:
    """What an inbox says whose server cannot be reached."""
    return {"health": "degraded", "last_sync_at": ago(minutes=17), "last_error_at": ago(minutes=3),
            "last_error": "The server closed the connection during FETCH. Trying again in 4 minutes."}


def push(**changes: Any) -> Row:
    """How an inbox is announced of which some announcements get lost."""
    return {
        "state": "on", "since": ago(days=12), "renewed_at": ago(minutes=400), "expires_at": ago(days=-5), "due_at": ago(minutes=-700), "refusal": None,
        "last_notice_at": ago(minutes=2), "found": 40, "missed": 4, "poll_seconds": 600, **changes,
    }  # fmt: skip


def extras() -> dict[str, Row]:
    """What `/status` adds to each inbox."""
    def folder(name: str, role: str | None, synced: bool, messages: int) -> Row:
        return {"id": ident(f"folder {name}"), "name": name, "role": role, "synced": synced, "messages": messages, "last_uid": messages + 12, "state": "active"}

    folders = [folder("INBOX", "inbox", True, 1840), folder("Sent", "sent", True, 912), folder("Archive", "archive", False, 0), folder("Junk", "junk", False, 0)]
    ledger = {"seen": 2752, "stored": 2752, "ingested": 2731, "skipped": 19, "quarantined": 2, "vanished": 0}
    running = [
        {"folder_id": folders[0]["id"], "folder": "INBOX", "state": "running", "done": 1204, "total": 1840, "eta_seconds": 260},
        {"folder_id": folders[1]["id"], "folder": "Sent", "state": "waiting", "done": 0, "total": 912, "eta_seconds": None},
    ]
    return {
        INBOX_SUPPORT: {"folders": folders, "backfills": running, "ledger": ledger, "lag_seconds": 2},
        INBOX_BILLING: {"folders": folders[:2], "backfills": [], "ledger": {**ledger, "quarantined": 0}, "lag_seconds": 1020, "push": push()},
    }


NEWSLETTER = """<table width="100%"><tr><td style="background:#12355b;color:#fff;padding:18px;font-size:20px">Harbour Logistics</td></tr>
<tr><td style="padding:18px"><h2 style="margin:0 0 8px">Delay on route 14</h2><p>Dear customer,</p><p>because of high water the lock at
Emmerich is closed until Thursday. <b>Three of your containers</b> are on the way and will arrive two days late.</p>
<table border="1" cellpadding="6" style="border-collapse:collapse"><tr><th>Container</th><th>Planned</th><th>Now</th></tr>
<tr><td>HLXU 400 112-7</td><td>4 March</td><td>6 March</td></tr><tr><td>HLXU 400 118-0</td><td>4 March</td><td>6 March</td></tr></table>
<p><img src="/v1/inline/demo-token" width="220" height="70" alt="Map of the route"></p><p>Kind regards<br>Dispatch</p></td></tr></table>"""


def mail(text: str, *, minutes: float, **more: Any) -> Row:
    return {"text": text, "minutes": minutes, **more}


ANNA = {"name": "Anna Sample", "address": "anna@customer.example.org"}
QUOTED = "On Monday Northwind Support wrote:\n> Could you send us the serial number?\n> It is on the back, below the label."

CONVERSATIONS: list[Row] = [
    {"number": 1042, "subject": "Label printer stops after three labels", "customer": ANNA, "priority": "high", "category": "support",
     "assigned_to": USER_MAYA, "participants": [{"name": "Piet Vermeer", "address": "piet@customer.example.org"}],
     "suggestions": [{"number": 1017, "subject": "Printer: paper jam", "why": "same customer, similar subject"}],
     "mails": [
         mail("Hello,\n\nour label printer LP-200 stops after three labels and blinks red. We have restarted it twice. The manual at https://docs.example.com/lp200 says nothing about it.\n\nAnna Sample\nCustomer Ltd", minutes=2900),
         mail("Hello Anna,\n\nthank you for writing. Could you send us the serial number? It is on the back, below the label.\n\nBest regards\nMaya", minutes=2700, by=USER_MAYA, status="sent", delivered=True),
         mail("I am out of the office until Wednesday and read mail in the evening only.", minutes=2690, auto="Auto-Submitted: auto-replied"),
         mail("Hello Maya,\n\nit is LP200-77310-B. I attach a photo of the display and the log from the printer.\n\nThis is rather urgent for us: we ship 400 parcels a day.\n\nAnna", minutes=14, unread=True, quoted=QUOTED,
              files=[("display.jpg", "image/jpeg", 482_133, "attachment"), ("printer-log.txt", "text/plain", 18_204, "attachment"), ("invite.ics", "text/calendar", 1_311, "attachment")]),
     ]},
    {"number": 1041, "subject": "Delay on route 14", "customer": {"name": "Harbour Dispatch", "address": "dispatch@harbour.example.org"}, "category": "general",
     "mails": [mail("Because of high water the lock at Emmerich is closed until Thursday.", minutes=37, unread=True, html=NEWSLETTER, remote=3, files=[("map.png", "image/png", 40_412, "inline")])]},
    {"number": 1040, "subject": "Invoice 2024-118 was charged twice", "customer": {"name": "Tomás Rivera", "address": "tomas@rivera.example.org"}, "inbox": INBOX_BILLING, "priority": "urgent",
     "assigned_to": USER_JONAS, "mails": [
         mail("Good morning, the invoice 2024-118 was charged twice to our card. Please return one of them.", minutes=95),
         mail("Good morning Tomás,\n\nI am sorry. The second charge was returned today; your bank shows it within three days.\n\nJonas", minutes=61, by=USER_JONAS, status="failed", error="550 5.7.1 The server refused the message: sender not allowed for this account. Check the SMTP user name of the inbox."),
     ]},
    {"number": 1039, "subject": "Question about bulk discounts", "customer": {"name": "Yuki Tanaka", "address": "yuki@tanaka.example.org"}, "category": "sales", "mails": [
        mail("We would like to order 500 rolls every month. Is there a discount?", minutes=180),
        mail("Hello Yuki,\n\nfrom 300 rolls a month we give 12 %. Shall I send an offer?\n\nMaya", minutes=122, by=USER_MAYA, status="unknown", error="No reply after the final dot; the connection was closed."),
    ]},
    {"number": 1038, "subject": "Zugang gesperrt – bitte um Hilfe", "customer": {"name": "Jürgen Müller", "address": "j.mueller@verein.example.org"}, "mails": [
        mail("Guten Tag,\n\nmein Zugang ist seit gestern gesperrt. Können Sie ihn wieder öffnen?\n\nMit freundlichen Grüßen\nJürgen Müller", minutes=240)]},
    {"number": 1037, "subject": "Address change", "customer": {"name": "", "address": "office@smallshop.example.org"}, "mails": [
        mail("We moved. The new address is 12 Quay Street.", minutes=500), mail("Noted, thank you. The next parcel goes there.", minutes=430, by=USER_JONAS, status="sent")]},
    {"number": 1036, "subject": "Broken pallet on arrival", "customer": {"name": "Ngozi Adeyemi", "address": "ngozi@adeyemi.example.org"}, "status": "pending", "assigned_to": USER_MAYA, "mails": [
        mail("One pallet arrived broken; photos follow.", minutes=1500, duplicate=True)]},
    {"number": 1035, "subject": "Thank you", "customer": {"name": "Lea Novak", "address": "lea@novak.example.org"}, "status": "closed", "mails": [
        mail("Everything works now. Thank you for the quick help!", minutes=3000)]},
]


def ledger_rows() -> list[Row]:
    base = {"folder": "INBOX", "uidvalidity": 1_700_000_001, "provider_message_id": None, "conversation_id": None, "message_id": None, "recipients": [], "attempts": 1}

    def row(uid: int, state: str, class_: str, reason: str, subject: str, sender: str, minutes: float, **more: Any) -> Row:
        return {**base, "id": ident(f"ledger {uid}"), "uid": uid, "state": state, "classification": class_, "reason": reason, "subject": subject, "from": sender,
                "size_bytes": 4_000 + uid, "internal_date": ago(minutes=minutes), "created_at": ago(minutes=minutes), **more}

    return [
        row(1852, "ingested", "message", "References name an earlier mail", "Re: Label printer stops after three labels", "anna@customer.example.org", 14),
        row(1851, "ingested", "message", "no earlier mail matches", "Delay on route 14", "dispatch@harbour.example.org", 37),
        row(1850, "skipped", "spam", "X-Spam-Flag: YES", "You won a prize", "prize@lottery.example.net", 66, message_id=ident("spam 1850")),
        row(1849, "ingested", "bounce", "multipart/report with a delivery status", "Undelivered mail returned to sender", "mailer-daemon@desk.example.com", 90,
            recipients=[{"address": "nobody@customer.example.org", "class": "hard", "status": "5.1.1", "action": "failed"}]),
        row(1848, "ingested", "auto_reply", "Auto-Submitted: auto-replied", "Out of office", "anna@customer.example.org", 2690),
        row(1847, "quarantined", "message", "stopped after three attempts", "(unreadable)", "odd@sender.example.net", 300, attempts=3),
        row(1846, "skipped", "spam", "in the Junk folder", "Cheap watches", "watch@shop.example.net", 800, message_id=ident("spam 1846")),
    ]


def quarantine_rows() -> list[Row]:
    def row(name: str, reason: str, detail: str, minutes: float) -> Row:
        return {"id": ident(f"quarantine {name}"), "ledger_id": ident("ledger 1847"), "inbox": {"id": INBOX_SUPPORT, "name": "Support"}, "reason": reason, "detail": detail, "attempts": 3,
                "first_at": ago(minutes=minutes + 9), "last_at": ago(minutes=minutes), "resolved_at": None, "resolution": None, "size_bytes": 1_203_122}

    return [
        row("one", "too_complex", "1,214 MIME parts; 1,000 are read at most.", 300),
        row("two", "out_of_time", "Reading took more than 30 seconds and was stopped.", 1_900),
    ]
