"""`mailroom backup`, `mailroom restore` and `mailroom after-restore`: the embedded stack's data into a folder and back.

A backup is the database of one moment, the objects that it names, and the secrets. It may be taken while Mailroom works:
objects are never changed, so those copied after the database are at least those that it names. What is missing since the
backup comes back from the mail servers; what the backup calls unsent is doubted, never sent again (integrity P2).
"""

import asyncio
import contextlib
import datetime as dt
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from commands.object_copies import BucketAddress, Told, UnsafeKey, load_objects, save_objects
from commands.progress import JsonProgress, TableProgress
from commands.schema import upgrade
from stack.dump import dump, load
from stack.embedded import EmbeddedStack
from stack.layout import DataDirectoryBusy, DataDirectoryUnusable, DataLock, Layout
from stack.part import StackEvent
from stack.ports import PortTaken
from stack.postgres import MAJOR
from stack.private_file import UnreadableFile, read_json, write_private_json
from stack.process import PartFailed
from stack.secrets import SecretsLost
from store.restores import AfterRestore, after_restore
from store.unit_of_work import Database

T = TypeVar("T")
FORMAT = 1
DUMP, NOTE, OBJECTS = "database.dump", "backup.json", "objects"
PRIVATE = ("secrets.json", "sign-in.json")
EXPECTED = (
    PartFailed, DataDirectoryBusy, DataDirectoryUnusable, SecretsLost, UnreadableFile, PortTaken, UnsafeKey,
    SQLAlchemyError, BotoCoreError, ClientError, OSError,
)  # fmt: skip


class NoBackup(Exception):
    """The folder holds no complete backup, or the data directory is not free. The sentence says what to do."""


class Steps:
    """Shows one line for each step of the work."""

    def __init__(self, shown: TableProgress | JsonProgress) -> None:
        self._shown = shown

    async def step(self, name: str, work: Callable[[Callable[[str], None]], Awaitable[tuple[T, str]]]) -> T:
        """`work` may tell how far it is; it gives its result and the line's last words."""
        began = time.monotonic()

        def tell(state: str, detail: str = "") -> None:
            self._shown(StackEvent(name, state, time.monotonic() - began, detail))  # type: ignore[arg-type]

        tell("starting")
        try:
            result, words = await work(lambda detail: tell("starting", detail))
        except Exception as error:
            tell("failed", str(error).splitlines()[0] if str(error) else type(error).__name__)
            raise
        tell("ready", words)
        return result


async def backup(data: Path, to: Path, *, as_json: bool) -> int:
    """Write or renew a backup in `to`. Exit code 0, or 1 with the reason on standard error."""

    async def work(steps: Steps) -> None:
        layout = Layout.at(data)
        if not (layout.postgres / "PG_VERSION").exists():
            raise NoBackup(f"--data: {layout.root} holds no Mailroom; name the directory of `mailroom up`")
        _private_folder(to)
        at = dt.datetime.now(dt.UTC)
        async with _servers(layout) as (admin_url, bucket):
            # The database first: every object that it names is there by then, and objects never change.
            size = await steps.step("database", lambda _: _dumped(admin_url, to / DUMP))
            count, _ = await steps.step("objects", lambda say: _copied(save_objects, bucket, to / OBJECTS, say))
        for name in PRIVATE:
            kept = read_json(layout.root / name)
            if kept is not None:
                write_private_json(to / name, kept)
        # Last: a folder with this file is a whole backup.
        note = {"format": FORMAT, "at": at.isoformat(), "postgresql": MAJOR, "database_bytes": size, "objects": count}
        write_private_json(to / NOTE, note)

    return await _told(work, as_json=as_json)


async def restore(data: Path, source: Path, *, replace: bool, as_json: bool) -> int:
    """Bring a data directory to what the backup holds. Exit code as above.

    Dying half-way leaves a directory that says so at the next `up` (no complete database) or that can be restored again
    with `--replace`; the old data is kept beside until a person removes it.
    """

    async def work(steps: Steps) -> None:
        note = read_json(source / NOTE)
        if note is None or not (source / DUMP).exists():
            raise NoBackup(f"{source} holds no complete backup: {NOTE} or {DUMP} is missing")
        if note.get("format") != FORMAT or note.get("postgresql") != MAJOR:
            raise NoBackup(f"{source} was made by another version of Mailroom or PostgreSQL; restore it with that one")
        layout = Layout.at(data)
        layout.make()
        lock = DataLock(layout)
        lock.acquire()
        try:
            _make_room(layout, replace=replace)
            for name in PRIVATE:
                kept = read_json(source / name)
                if kept is not None:
                    write_private_json(layout.root / name, kept)
        finally:
            lock.release()
        stack = EmbeddedStack(data, with_demo_mail=False, progress=lambda _: None)
        async with _running(stack):
            await steps.step("database", lambda _: _loaded(stack.database_admin_url, source / DUMP))
            done = await steps.step("after-restore", lambda _: _made_safe(stack.database_url))
            bucket = _bucket_of(stack.settings_env())
            await steps.step("objects", lambda say: _copied(load_objects, bucket, source / OBJECTS, say))
        _say(as_json, _words(done, str(note["at"])))

    return await _told(work, as_json=as_json)


async def make_restored_safe(data: Path, database_url: str | None) -> int:
    """What `restore` does last, for a database that was restored by other means: at `database_url`, or, without one, in
    the stopped data directory. Exit code as above.
    """

    async def work(steps: Steps) -> None:
        if database_url is not None:
            done = await steps.step("after-restore", lambda _: _made_safe(database_url))
        else:
            stack = EmbeddedStack(data, with_demo_mail=False, progress=lambda _: None)
            async with _running(stack):
                await asyncio.to_thread(upgrade, stack.database_admin_url)
                done = await steps.step("after-restore", lambda _: _made_safe(stack.database_url))
        _say(False, f"{done.sends_doubted} sends are shown as unknown until Sent or a person settles them.")

    return await _told(work, as_json=False)


def _make_room(layout: Layout, *, replace: bool) -> None:
    """Move a database and a Temporal that are there out of the way. Objects stay: what they hold is named by content."""
    old = [d for d in (layout.postgres, layout.temporal) if d.exists() and any(d.iterdir())]
    if not old:
        return
    if not replace:
        raise NoBackup(
            f"--data: {layout.root} holds data already; restore into another directory, or give --replace, which keeps"
            " the old data beside the new"
        )
    aside = layout.root / f"before-restore-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    aside.mkdir(mode=0o711)
    for directory in old:
        shutil.move(directory, aside / directory.name)
    for name in PRIVATE:
        if (layout.root / name).exists():
            shutil.copy2(layout.root / name, aside / name)
    layout.make()


@asynccontextmanager
async def _servers(layout: Layout) -> AsyncIterator[tuple[str, BucketAddress]]:
    """The admin's database URL (without SQLAlchemy's driver) and the bucket of a running stack, or of one started for it."""
    lock = DataLock(layout)
    try:
        lock.acquire()
    except DataDirectoryBusy:  # it runs: no need to start anything
        manifest = read_json(layout.manifest)
        if manifest is None:
            raise NoBackup(f"--data: {layout.root} is being started or stopped; try again in a moment") from None
        environment = {str(k): str(v) for k, v in dict(manifest["environment"]).items()}  # type: ignore[call-overload]
        yield _plain(environment["MAILROOM_DATABASE_ADMIN_URL"]), _bucket_of(environment)
        return
    lock.release()
    stack = EmbeddedStack(layout.root, with_demo_mail=False, progress=lambda _: None)
    async with _running(stack):
        yield _plain(stack.database_admin_url), _bucket_of(stack.settings_env())


@asynccontextmanager
async def _running(stack: EmbeddedStack) -> AsyncIterator[None]:
    try:
        await stack.start()
        yield
    finally:
        await stack.stop()


def _bucket_of(environment: dict[str, str]) -> BucketAddress:
    return BucketAddress(
        environment["MAILROOM_S3_ENDPOINT"],
        environment["MAILROOM_S3_BUCKET"],
        environment["MAILROOM_S3_ACCESS_KEY"],
        environment["MAILROOM_S3_SECRET_KEY"],
        environment["MAILROOM_S3_REGION"],
    )


def _private_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


async def _dumped(admin_url: str, to: Path) -> tuple[int, str]:
    size = await dump(admin_url, to)
    return size, f"{size / 1024**2:.1f} MB"


async def _loaded(admin_url: str, source: Path) -> tuple[None, str]:
    await load(_plain(admin_url), source)
    await asyncio.to_thread(upgrade, admin_url)
    return None, "loaded, and brought to this version"


async def _made_safe(database_url: str) -> tuple[AfterRestore, str]:
    database = Database(database_url, pool_size=1, application="mailroom-restore")
    try:
        async with database.system_unit_of_work() as connection:
            done = await after_restore(connection, now=dt.datetime.now(dt.UTC))
    finally:
        await database.close()
    return done, f"{done.sends_doubted} sends to be settled"


async def _copied(
    copy: Callable[[BucketAddress, Path, Told], tuple[int, int]],
    bucket: BucketAddress,
    folder: Path,
    say: Callable[[str], None],
) -> tuple[tuple[int, int], str]:
    loop = asyncio.get_running_loop()
    _private_folder(folder)

    def words(count: int, octets: int) -> str:
        return f"{count:,} objects, {octets / 1024**2:.1f} MB copied"

    def told(count: int, octets: int) -> None:
        if count % 100 == 0:
            loop.call_soon_threadsafe(say, words(count, octets))

    count, octets = await asyncio.to_thread(copy, bucket, folder, told)
    return (count, octets), words(count, octets)


def _words(done: AfterRestore, at: str) -> str:
    return (
        f"Restored to {at}. Start it with `mailroom up`: mail that came since is fetched again from the servers. "
        f"{done.sends_doubted} sends of then may be out by now; each is shown as unknown until its copy in Sent, or a"
        " person, settles it. Revoke again the API keys that were revoked since."
    )


async def _told(work: Callable[[Steps], Awaitable[None]], *, as_json: bool) -> int:
    shown: TableProgress | JsonProgress = JsonProgress() if as_json else TableProgress(Console())
    with contextlib.ExitStack() as stack:
        stack.enter_context(shown)
        try:
            await work(Steps(shown))
        except (*EXPECTED, NoBackup) as error:
            stack.close()
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _say(as_json: bool, words: str) -> None:
    sys.stdout.write((json.dumps({"restored": True, "detail": words}) if as_json else words) + "\n")
