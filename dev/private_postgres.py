"""A PostgreSQL server of one's own: in a folder of its own, behind a socket, gone with the program.

The system's binaries are used, from PATH or where Debian puts them. PostgreSQL refuses to run as
root: then it runs as `postgres`, or as `nobody`.
"""

import ctypes
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1


class Missing(Exception):
    """There is no PostgreSQL here."""


def binary(name):
    found = shutil.which(name) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), default=None)
    if not found:
        raise Missing(f"no {name} (Debian: apt-get install postgresql)")
    return found


def _account():
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise Missing("PostgreSQL does not run as root, and there is neither postgres nor nobody")


class PrivatePostgres:
    """`with PrivatePostgres(fsync="off") as server:` starts one; settings as in postgresql.conf."""

    def __init__(self, **settings):
        self.settings = settings

    def __enter__(self):
        self.account = _account()
        initdb, postgres = binary("initdb"), binary("postgres")
        # Short: the name of a socket has a hundred characters at most.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="windrow-pg-"))
        try:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
            self._call(
                [initdb, "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
                + ["--locale=C.UTF-8", "--no-sync"]
            )
            settings = [f"-c{name}={value}" for name, value in self.settings.items()]
            self.log = open(self.folder / "log", "w")
            self.process = subprocess.Popen(
                [postgres, "-D", self.folder / "data", "-k", self.folder, "-clisten_addresses="]
                + settings,
                stdout=self.log,
                stderr=self.log,
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,
                **self._as_account(),
            )
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        process = getattr(self, "process", None)
        if process and process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database):
        """As libpq, SQLAlchemy and sqlx understand it."""
        return f"postgresql:///{database}?host={self.folder}&user=postgres"

    def psql_command(self, database, *arguments):
        command = [binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder)]
        return [*command, "-U", "postgres", "-d", database, *arguments]

    def psql(self, database, *arguments, **options):
        command = self.psql_command(database, *arguments)
        environment = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
        return subprocess.run(command, check=True, text=True, env=environment, **options)

    def create_database(self, name):
        self.psql("postgres", "-c", f'create database "{name}"')
        return self.url(name)

    def cpu_seconds(self):
        """Processor time of the server and of all the processes that it had and has."""
        postmaster, ticks = str(self.process.pid), 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                # The name may hold spaces; behind its bracket come state, parent, ...
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if stat.parent.name == postmaster:
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == postmaster:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _as_account(self):
        if os.getuid() != 0:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _call(self, command):
        done = subprocess.run(command, capture_output=True, text=True, **self._as_account())
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr.strip()}")

    def _wait(self):
        for _ in range(300):
            if self.process.poll() is not None:
                log = (self.folder / "log").read_text()
                raise RuntimeError(f"PostgreSQL does not start: {log}")
            try:
                self.psql("postgres", "-c", "select 1", capture_output=True)
                return
            except subprocess.CalledProcessError:
                time.sleep(0.1)
        raise RuntimeError("PostgreSQL does not answer after 30 s")


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
