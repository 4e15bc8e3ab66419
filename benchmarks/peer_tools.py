"""Other programs that read a mailbox, each run as its users run it: how many mails it kept, and in which time.

A program that is not installed gives None; one that dies or is stopped counts what it had stored by then.
"""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.served import Mailbox

MBSYNC = """
FSync no
IMAPStore far
Host {host}
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

MaildirStore near
Inbox {place}/

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
"""
NOBODY = "nobody"
GETMAIL = """
[retriever]
type = SimpleIMAPRetriever
server = {host}
port = {port}
username = {user}
password = {password}
[destination]
type = Maildir
path = {place}/
{as_user}
[options]
read_all = true
delete = false
delivered_to = false
received = false
verbose = 0
"""
NOTMUCH = "[database]\npath={place}\n[user]\nname=Bench\nprimary_email=bench@example.com\n[new]\ntags=new\n"
HELPDESK = """
import os
SECRET_KEY = "for a benchmark only"
INSTALLED_APPS = [f"django.contrib.{n}" for n in ("auth", "contenttypes", "sessions", "sites", "messages", "staticfiles", "humanize", "admin")]
INSTALLED_APPS += ["rest_framework", "helpdesk"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCH_HOME"] + "/db.sqlite"}}
MEDIA_ROOT = os.environ["BENCH_HOME"] + "/files"
HELPDESK_TEAMS_MODE_ENABLED = False
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
SILENCED_SYSTEM_CHECKS = ["admin.E402", "admin.E404", "admin.E408", "admin.E409", "admin.E410", "admin.W411"]
ROOT_URLCONF = "bench_urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
SITE_ID, USE_TZ = 1, True
"""
URLS = """
from django.contrib import admin
from django.urls import include, path
urlpatterns = [path("admin/", admin.site.urls), path("", include("helpdesk.urls", namespace="helpdesk"))]
"""
QUEUE = """
from helpdesk.models import Queue
Queue.objects.create(title="Bench", slug="bench", email_address={user!r}, allow_email_submission=True, email_box_type="imap",
  email_box_host={host!r}, email_box_port={port}, email_box_user={user!r}, email_box_pass={password!r},
  email_box_imap_folder="INBOX", email_box_ssl=False, email_box_interval=0, logging_type="none")
"""

HYPERKITTY = """
import os
SECRET_KEY = "for a benchmark only"
INSTALLED_APPS = [f"django.contrib.{n}" for n in ("auth", "contenttypes", "sessions", "sites", "messages", "staticfiles", "admin")]
INSTALLED_APPS += ["hyperkitty", "rest_framework", "django_gravatar", "compressor", "haystack", "django_extensions", "django_q"]
INSTALLED_APPS += ["django_mailman3", "allauth", "allauth.account", "allauth.socialaccount"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCH_HOME"] + "/db.sqlite"}}
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
Q_CLUSTER = {"orm": "default", "sync": True, "retry": 120, "timeout": 60}
MAILMAN_REST_API_URL, MAILMAN_REST_API_USER, MAILMAN_REST_API_PASS = "http://127.0.0.1:1", "nobody", "nothing"
MAILMAN_ARCHIVER_KEY, MAILMAN_ARCHIVER_FROM = "nothing", ()
MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
STATIC_URL, STATIC_ROOT = "/static/", os.environ["BENCH_HOME"] + "/static"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
SILENCED_SYSTEM_CHECKS = ["admin.E402", "admin.E403", "admin.E404", "admin.E408", "admin.E409", "admin.E410", "admin.W411"]
ROOT_URLCONF, DEFAULT_AUTO_FIELD, LOGGING_CONFIG = "hyperkitty.urls", "django.db.models.AutoField", None
SITE_ID, USE_TZ = 1, True
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """`stored` mails in `seconds`; `note` says how it ended when that was not by itself."""

    stored: int
    seconds: float
    note: str = ""

    @property
    def per_second(self) -> float:
        return self.stored / self.seconds if self.seconds else 0.0


def mbsync(mailbox: Mailbox, home: Path, patience: float) -> Ran | None:
    """Copies into a Maildir, without fsync."""
    program = shutil.which("mbsync")
    if program is None:
        return None
    place = _maildir(home / "mbsync")
    config = _written(home / "mbsyncrc", MBSYNC, mailbox, place)
    took, note = _run([program, "-q", "-c", str(config), "all"], home, patience)
    return Ran(_files(place), took, note)


def getmail(mailbox: Mailbox, home: Path, patience: float, programs: Path) -> Ran | None:
    """Copies into a Maildir, one mail after another."""
    program = _program("getmail", programs)
    if program is None:
        return None
    place = _maildir(home / "getmail")
    form = GETMAIL.replace("{as_user}", "")
    if os.geteuid() == 0:  # it refuses to deliver as root
        form = GETMAIL.replace("{as_user}", f"user = {NOBODY}")
        for directory in (home.parent, home):
            directory.chmod(0o755)
        for path in (place, *place.iterdir()):
            shutil.chown(path, NOBODY)
    config = _written(home / "getmailrc", form, mailbox, place)
    took, note = _run([program, "--getmaildir", str(home), "--rcfile", str(config)], home, patience)
    return Ran(_files(place), took, note)


def notmuch(source: Path, home: Path, patience: float) -> Ran | None:
    """Indexes and threads a copy of the server's own files; it fetches nothing."""
    program = shutil.which("notmuch")
    if program is None:
        return None
    place = home / "notmuch"
    shutil.copytree(source, place)
    config = home / "notmuchrc"
    config.write_text(NOTMUCH.format(place=place))
    environment = {"NOTMUCH_CONFIG": str(config)}
    took, note = _run([program, "new", "--quiet"], home, patience, environment)
    counted = subprocess.run(
        [program, "count", "--output=files", "*"],
        env=os.environ | environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(int(counted.stdout or 0), took, note)


def django_helpdesk(mailbox: Mailbox, home: Path, patience: float, programs: Path) -> Ran | None:
    """IMAP to tickets, on SQLite. It marks as deleted what it has read, so it gets a mailbox of its own. It stops at a
    mail that it cannot read; what stands in its tables counts.
    """
    python = programs / "python"
    if not python.exists() or not list(programs.parent.glob("lib/python*/site-packages/helpdesk")):
        return None
    place = home / "helpdesk"
    (place / "files").mkdir(parents=True)
    (place / "bench_settings.py").write_text(HELPDESK)
    (place / "bench_urls.py").write_text(URLS)
    environment = {
        "BENCH_HOME": str(place),
        "PYTHONPATH": str(place),
        "DJANGO_SETTINGS_MODULE": "bench_settings",
    }
    django = [str(python), "-m", "django"]
    login = {"host": mailbox.host, "port": mailbox.port, "user": mailbox.user, "password": mailbox.password}
    for prepare in (["migrate", "--verbosity", "0"], ["shell", "-c", QUEUE.format(**login)]):
        took, note = _run([*django, *prepare], place, 300, environment)
        if note:
            return Ran(0, took, f"could not be set up ({note})")
    took, note = _run([*django, "get_email", "--quiet"], place, patience, environment)
    with sqlite3.connect(place / "db.sqlite") as database:
        (stored,) = database.execute("select count(*) from helpdesk_followup").fetchone()
    return Ran(stored, took, note)


def hyperkitty(raws: Iterable[bytes], home: Path, patience: float, programs: Path) -> Ran | None:
    """An mbox to rows with threads on SQLite, without search; it fetches nothing."""
    python = programs / "python"
    if not python.exists():
        return None
    place = home / "hyperkitty"
    place.mkdir(parents=True)
    (place / "bench_settings.py").write_text(HYPERKITTY)
    with (place / "mails.mbox").open("wb") as box:
        for raw in raws:
            body = raw.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
            box.write(b"From somebody@customers.example.org Mon Jan  5 08:00:00 2026\n" + body + b"\n\n")
    environment = {
        "BENCH_HOME": str(place),
        "PYTHONPATH": str(place),
        "DJANGO_SETTINGS_MODULE": "bench_settings",
    }
    django = [str(python), "-m", "django"]
    took, note = _run([*django, "migrate", "--verbosity", "0"], place, 300, environment)
    if note:
        return Ran(0, took, f"could not be set up ({note})")
    load = ["hyperkitty_import", "--no-sync-mailman", "-l", "bench@lists.example.com", str(place / "mails.mbox")]
    took, note = _run([*django, *load], place, patience, environment)
    with sqlite3.connect(place / "db.sqlite") as database:
        (stored,) = database.execute("select count(*) from hyperkitty_email").fetchone()
    return Ran(stored, took, note)


def _program(name: str, programs: Path) -> str | None:
    beside = programs / name
    return str(beside) if beside.exists() else shutil.which(name)


def _maildir(place: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (place / part).mkdir(parents=True)
    return place


def _files(place: Path) -> int:
    return sum(1 for part in ("cur", "new") for _ in (place / part).iterdir())


def _written(path: Path, form: str, mailbox: Mailbox, place: Path) -> Path:
    path.touch(mode=0o600)
    path.write_text(
        form.format(
            host=mailbox.host, port=mailbox.port, user=mailbox.user, password=mailbox.password, place=place
        )
    )
    return path


def _run(
    command: list[str], home: Path, patience: float, more: dict[str, str] | None = None
) -> tuple[float, str]:
    """Seconds it took, and how it ended when not well."""
    began = time.perf_counter()
    environment = {**os.environ, "HOME": str(home), **(more or {})}
    with (home / "output.log").open("ab") as output:
        try:
            code = subprocess.run(
                command,
                cwd=home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=patience,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return time.perf_counter() - began, f"stopped after {patience:.0f} s"
    return time.perf_counter() - began, f"exit code {code}" if code else ""
