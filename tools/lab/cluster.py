# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop real PostgreSQL servers on free loopback ports, with TLS and SCRAM and nothing else.

A server runs detached from the process that started it. ``Cluster`` is a context manager and also registers itself
with ``atexit``, so a server ends with the process that started it unless that process is killed with a signal that
Python does not see (SIGKILL, or SIGTERM without a handler). What such an end leaves running is stopped with
``python -m tools.lab.cluster stop-all DIR``, which stops every server whose folder lies below DIR and never hangs.

PostgreSQL refuses to run as root. Root therefore runs it in a user namespace of its own (``unshare``), where it is
somebody else but owns the same files; where that is not permitted, it runs as user 65534 in a folder below /var/tmp.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.lab.binaries import LabError

#: Server settings of every cluster; the caller's settings win. ``fsync`` is off because nothing here must survive
#: a crash of the machine.
DEFAULT_SETTINGS = {
    "wal_level": "logical",
    "fsync": "off",
    "shared_buffers": "128MB",
    "max_prepared_transactions": "10",
    "max_wal_size": "2GB",
    "max_connections": "100",
    "max_replication_slots": "10",
    "max_wal_senders": "10",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}

NOBODY = 65534
UNSHARE = ["unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]

#: Signals that ask a postmaster to stop, by the words that pg_ctl uses.
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

HBA = """# TYPE  DATABASE     USER  ADDRESS        METHOD
hostssl all          all   127.0.0.1/32   scram-sha-256
hostssl all          all   ::1/128        scram-sha-256
hostssl replication  all   127.0.0.1/32   scram-sha-256
hostssl replication  all   ::1/128        scram-sha-256
"""


class Cluster:
    """One PostgreSQL server in a folder of its own.

    ``prefix`` is an installation as ``tools.lab.binaries.obtain`` returns it, ``directory`` a folder that is created
    (an existing one must be empty), ``settings`` server settings that win over DEFAULT_SETTINGS, ``port`` a fixed
    port instead of a free one, ``client_prefix`` an installation whose psql is used where the server's has none.

    Attributes: ``host``, ``port``, ``superuser``, ``password`` (random, in memory only), ``certificate`` (the root
    certificate that clients must trust), ``data`` (the data directory), ``log`` (the server's log file).
    """

    superuser = "postgres"

    def __init__(
        self,
        prefix: Path,
        directory: Path,
        *,
        settings: dict | None = None,
        port: int | None = None,
        client_prefix: Path | None = None,
    ):
        self.prefix = Path(prefix).absolute()
        self.client_prefix = Path(client_prefix or prefix).absolute()
        self.directory = Path(directory).absolute()
        self.settings = {**DEFAULT_SETTINGS, **(settings or {})}
        self.password = secrets.token_urlsafe(24)
        self.host = _loopback_name()
        self.port = port
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.certificate = self.directory / "root.crt"
        self._fixed_port = port is not None
        self._server_prefix = self.prefix
        self._outside: Path | None = None

    def create(self) -> None:
        """Make the data directory, certificate and configuration. Raises LabError; nothing half made is left."""
        if self.directory.exists() and any(self.directory.iterdir()):
            raise LabError(f"{self.directory} is not empty")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        try:
            if _account() == "nobody":
                self._move_outside()
            self._initialise()
            self._write_certificate()
            self._write_configuration()
        except BaseException:
            self.destroy()
            raise

    def start(self) -> None:
        """Start the server and wait until it accepts connections. Raises LabError with the end of its log."""
        if _running(self.data):
            return
        for attempt in range(5):
            if not self._fixed_port and (attempt or self.port is None):
                self.port = _free_port()
            (self.data / "azpg_port.conf").write_text(f"port = {self.port}\n", encoding="ascii")
            self._give_away(self.data / "azpg_port.conf")
            before = self.log.stat().st_size if self.log.exists() else 0
            command = ["pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60", "start"]
            try:
                self._run(command)
                break
            except LabError as error:
                text = self.log.read_text(errors="replace")[before:] if self.log.exists() else ""
                self.stop("immediate")
                # Between looking for a free port and using it, somebody else may have taken it.
                if self._fixed_port or "could not bind" not in text or attempt == 4:
                    raise LabError(f"{error}\n{text[-2000:]}") from None
        atexit.register(self.stop)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server (``smart``, ``fast`` or ``immediate``) and wait for its end; does nothing if it is down."""
        stop_server(self.data, mode)
        atexit.unregister(self.stop)

    def restart(self) -> None:
        """Stop and start the server on the same port."""
        self.stop()
        self.start()

    def destroy(self) -> None:
        """Stop the server at once and remove everything that belongs to it."""
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._outside:
            shutil.rmtree(self._outside, ignore_errors=True)

    def __enter__(self) -> Cluster:
        """Create and start a cluster that is not there yet; leaving the block destroys it."""
        if not (self.data / "PG_VERSION").exists():
            self.create()
        try:
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(self, *_unused) -> None:
        self.destroy()

    def connection(self, user: str | None = None, password: str | None = None, dbname: str = "postgres") -> dict:
        """Return the parameters of a connection in libpq's words; without a user, the superuser's."""
        if user is None:
            user, password = self.superuser, self.password
        return {
            "host": self.host,
            "port": self.port,
            "user": user,
            "password": password,
            "dbname": dbname,
            "sslmode": "verify-full",
            "sslrootcert": str(self.certificate),
        }

    @contextlib.contextmanager
    def environment(self, user: str | None = None, password: str | None = None, dbname: str = "postgres") -> Iterator:
        """Yield environment variables for libpq programs; the password is in a file that is removed afterwards."""
        words = self.connection(user, password, dbname)
        with tempfile.TemporaryDirectory(prefix="azpg-lab-") as folder:
            passfile = Path(folder) / "pass"
            passfile.touch(0o600)
            secret = str(words["password"]).replace("\\", "\\\\").replace(":", "\\:")
            passfile.write_text(f"*:*:*:*:{secret}\n", encoding="utf-8")
            yield {
                **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
                "PGHOST": str(words["host"]),
                "PGPORT": str(words["port"]),
                "PGUSER": str(words["user"]),
                "PGDATABASE": dbname,
                "PGSSLMODE": words["sslmode"],
                "PGSSLROOTCERT": words["sslrootcert"],
                "PGPASSFILE": str(passfile),
                "PGCLIENTENCODING": "UTF8",
                "PGAPPNAME": "azpg-lab",
            }

    def psql(
        self,
        sql: str = "",
        *,
        dbname: str = "postgres",
        files: list[Path] | None = None,
        variables: dict | None = None,
        user: str | None = None,
        password: str | None = None,
    ) -> str:
        """Run ``sql`` (fed through standard input, so it may hold secrets) and then ``files`` in one session.

        Returns what psql printed, unaligned, tuples only. Raises LabError with the statement's error.
        """
        command = [str(self.client_prefix / "bin" / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        for name, value in (variables or {}).items():
            command += ["-v", f"{name}={value}"]
        command += ["-f", "-"]
        for file in files or []:
            command += ["-f", str(file)]
        with self.environment(user, password, dbname) as environment:
            done = subprocess.run(
                command, env=environment, input=sql, capture_output=True, text=True, encoding="utf-8", check=False
            )
        if done.returncode != 0:
            raise LabError(f"psql on {dbname} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    # -- parts of create ------------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """Run initdb; the superuser's password passes through a file that lives only as long as initdb runs."""
        with tempfile.TemporaryDirectory(prefix="azpg-lab-") as folder:
            passfile = Path(folder) / "pass"
            passfile.touch(0o600)
            passfile.write_text(self.password + "\n", encoding="ascii")
            self._give_away(Path(folder))
            self._give_away(passfile)
            command = ["initdb", "-D", self.data, "-U", self.superuser, "-A", "scram-sha-256"]
            command += [f"--pwfile={passfile}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
            self._run(command)

    def _write_certificate(self) -> None:
        """Make a self-signed certificate for localhost; its key is readable by the server only."""
        key, certificate = self.data / "server.key", self.data / "server.crt"
        if shutil.which("openssl") is None:
            raise LabError("the program openssl is needed to make the lab's certificates")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"]
        command += ["-keyout", str(key), "-out", str(certificate)]
        done = subprocess.run(
            command, capture_output=True, text=True, umask=0o077, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            raise LabError(f"openssl ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        shutil.copyfile(certificate, self.certificate)
        self.certificate.chmod(0o644)
        self._give_away(key)
        self._give_away(certificate)

    def _write_configuration(self) -> None:
        """Write the server's settings and who may connect."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": "server.crt",
            "ssl_key_file": "server.key",
            **self.settings,
        }
        lines = ["\n# Written by tools.lab.cluster"]
        for name, value in settings.items():
            escaped = str(value).replace("'", "''")
            lines.append(f"{name} = '{escaped}'")
        lines.append("include 'azpg_port.conf'\n")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as configuration:
            configuration.write("\n".join(lines))
        (self.data / "pg_hba.conf").write_text(HBA, encoding="ascii")

    # -- running as somebody else than root -----------------------------------------------------------------------

    def _run(self, command: list) -> None:
        """Run one of the server's programs as an account that PostgreSQL accepts."""
        words = [str(self._server_prefix / "bin" / str(command[0]))] + [str(word) for word in command[1:]]
        extra: dict = {}
        if _account() == "unshare":
            words = UNSHARE + words
        elif _account() == "nobody":
            extra = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        # Output goes to a file: a started server would keep a pipe open and the call would never end.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            done = subprocess.run(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                timeout=180,
                start_new_session=True,
                **extra,
                check=False,
            )
            output.seek(0)
            text = output.read().strip()
        if done.returncode != 0:
            raise LabError(f"{command[0]} ended with {done.returncode}: {text[-2000:]}")

    def _move_outside(self) -> None:
        """Put data, log and, if need be, the programs where user 65534 can reach them."""
        self._outside = Path(tempfile.mkdtemp(prefix="azpg-lab-", dir="/var/tmp"))
        self._outside.chmod(0o755)
        self._give_away(self._outside)
        self.data = self._outside / "data"
        self.log = self._outside / "server.log"
        # stop-all looks below the folder that the caller named, so a link has to lead to the data from there.
        (self.directory / "data").symlink_to(self.data)
        try:
            self._run(["postgres", "--version"])
        except (LabError, OSError):
            self._server_prefix = self._outside / "postgresql"
            shutil.copytree(self.prefix, self._server_prefix, symlinks=True)
            self._run(["postgres", "--version"])

    def _give_away(self, path: Path) -> None:
        """Hand a file to user 65534 where the server runs as that user."""
        if _account() == "nobody":
            os.chown(path, NOBODY, NOBODY)


@functools.cache
def _account() -> str:
    """Say how the server's programs are run: ``self``, ``unshare`` or ``nobody``."""
    if os.geteuid() != 0:
        return "self"
    if shutil.which("unshare"):
        done = subprocess.run([*UNSHARE, "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return "unshare"
    return "nobody"


@functools.cache
def _loopback_name() -> str:
    """Return ``localhost`` if it resolves, else the address.

    The name is preferred because client programs older than 15 do not match addresses with a certificate.
    """
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo("localhost", None)}
    except OSError:
        addresses = set()
    return "localhost" if "127.0.0.1" in addresses else "127.0.0.1"


def _free_port() -> int:
    """Return a TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _running(data: Path) -> int | None:
    """Return the process id of the server that runs in ``data``, or None.

    A process id alone proves nothing after a crash, because the system uses numbers again: a postmaster's working
    directory is its data directory.
    """
    try:
        process = int((data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
        if Path("/proc/self").exists():
            return process if os.path.samefile(f"/proc/{process}/cwd", data) else None
        os.kill(process, 0)
    except (OSError, ValueError):
        return None
    return process


def stop_server(data: Path, mode: str = "fast", patience: float = 30.0) -> bool:
    """Stop the server that runs in the data directory ``data``; return whether one ran.

    The postmaster gets the signal directly, which works whoever started it. If it has not ended after ``patience``
    seconds it is told to end immediately, and killed five seconds later. A forgotten pid file is left alone.
    Raises LabError if the server still runs after that, ValueError for an unknown mode.
    """
    if mode not in STOP_SIGNALS:
        raise ValueError(f"mode must be one of {sorted(STOP_SIGNALS)}, not {mode!r}")
    process = _running(data)
    if process is None:
        return False
    for number, seconds in ((STOP_SIGNALS[mode], patience), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if _running(data) is None:
                return True
            time.sleep(0.02)
    raise LabError(f"the server in {data} (process {process}) does not end")


def stop_all(directory: Path) -> list[Path]:
    """Stop every server whose data directory lies below ``directory``; return the data directories of those that ran.

    Raises LabError naming the servers that could not be stopped, after all have been tried.
    """
    stopped, failed = [], []
    for folder, folders, _files in os.walk(directory):
        for name in list(folders):
            data = Path(folder) / name
            if (data / "PG_VERSION").exists() and (data / "global").is_dir():
                folders.remove(name)
                try:
                    if stop_server(data, patience=10.0):
                        stopped.append(data)
                except (LabError, OSError) as error:
                    failed.append(str(error))
    if failed:
        raise LabError("; ".join(failed))
    return stopped


def main(arguments: list[str] | None = None) -> int:
    """Stop servers that an earlier run left behind."""
    parser = argparse.ArgumentParser(prog="python -m tools.lab.cluster", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    stop = commands.add_parser("stop-all", help="stop every server below a folder")
    stop.add_argument("directory", type=Path)
    options = parser.parse_args(arguments)
    try:
        for data in stop_all(options.directory):
            print(f"stopped {data}")
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
