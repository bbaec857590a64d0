# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux host of its own, made of this one, that is reached over SSH on loopback and is gone afterwards.

Its file system is this machine's, seen through an overlay: what is written there stays in a folder, so that packages
can be installed and removed, and a look at that folder tells exactly what has changed. It has its own users, processes
and temporary folders, no systemd, and neither the checkout nor anybody's home. The network is this machine's, so that
servers on loopback are reached.

That needs root, who alone may mount, and Debian or Ubuntu, whose packages bring the SSH server, sudo and psycopg2.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from tools.lab.binaries import LabError

PACKAGES = ("openssh-server", "sudo", "python3", "python3-psycopg2")
PROGRAMS = ("unshare", "setpriv", "chroot", "apt-get", "ssh", "ssh-keygen")
#: Users besides root: one who may become root, and one who may not.
ADMINISTRATOR, ORDINARY = "anna", "otto"
#: Where nothing of this machine is to be seen; the checkout is added.
HIDDEN = ("home", "root", "tmp", "var/tmp")
#: Part of the folder's name; raise it when the recipe changes.
LAYOUT = 5

RECIPE = f"""
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
install() {{ apt-get -y -q install --no-install-recommends "$@"; }}
install "$@" || {{ apt-get -q update; install "$@"; }}
for user in {ADMINISTRATOR} {ORDINARY}; do useradd --create-home --shell /bin/sh --password '*' "$user"; done
echo '{ADMINISTRATOR} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{ADMINISTRATOR}
chmod 440 /etc/sudoers.d/{ADMINISTRATOR}
apt-get clean
rm -f /var/cache/apt/*.bin /usr/sbin/policy-rc.d
"""
CONFIG = """
ListenAddress 127.0.0.1
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
AuthorizedKeysFile /etc/ssh/authorized_keys
Subsystem sftp internal-sftp
PidFile none
"""
# Run as the first process of the host, with the folders for the overlay as arguments.
MOUNT = """
set -e
root=$1 upper=$2 work=$3
mount -t overlay overlay -o "lowerdir=/,upperdir=$upper,workdir=$work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/run/sshd" "$root/run/lock"
shift 3
"""
BINDS = """
while [ "$1" != -- ]; do mkdir -p "$root$2"; mount --bind -o ro "$1" "$root$2"; shift 2; done
shift
cd "$root"
"""


def base(cache: Path, packages=PACKAGES) -> Path:
    """Return the folder of what the packages add to this machine; made once for each state of its packages.

    Raises LabError where it cannot be made.
    """
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if os.geteuid() or missing:
        why = f"missing: {', '.join(missing)}" if missing else "only root may mount"
        raise LabError(f"a host for SSH needs root on Debian or Ubuntu, with openssh-client and util-linux ({why})")
    known = b"".join(Path(path).read_bytes() for path in ("/etc/os-release", "/var/lib/dpkg/status"))
    kind = "".join(f"-{name}" for name in packages if name not in PACKAGES)
    folder = Path(cache).absolute() / f"host-{LAYOUT}{kind}-{hashlib.sha256(known).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as temporary:
        made = Path(temporary) / "upper"
        _hide(made, HIDDEN)
        command = _contained(Path(temporary), made, ())
        done = subprocess.run(
            [*command, "chroot", ".", "sh", "-c", RECIPE, "sh", *packages], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LabError(f"the host for SSH could not be made: {(done.stdout + done.stderr).strip()[-2000:]}")
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was quicker
                raise
    return folder


def _hide(upper: Path, names) -> None:
    """Make folders in an overlay behind which nothing of the layers below is seen."""
    upper.mkdir(exist_ok=True)
    upper.chmod(0o755)
    for name in names:
        folder = upper / name
        folder.mkdir(parents=True, exist_ok=True)
        os.setxattr(folder, "trusted.overlay.opaque", b"y")
        folder.chmod(0o1777 if name.endswith("tmp") else 0o755)


def _contained(place: Path, upper: Path, binds) -> list:
    """Return the words before a command that runs as the first process of a host, in its root folder."""
    for name in ("root", "work"):
        (place / name).mkdir(exist_ok=True)
    words = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--pid", "--fork"]
    words += ["--kill-child", "sh", "-c", MOUNT + BINDS + 'exec "$@"', "sh"]
    words += [str(place / "root"), str(upper), str(place / "work")]
    return [*words, *(str(word) for pair in binds for word in pair), "--"]


class Host:
    """A running host; use it as a context manager.

    Attributes: ``port``; ``key`` and ``known_hosts``, files for SSH; ``upper``, the folder that holds what was written.
    """

    def __init__(self, directory: Path, cache: Path, binds=(), packages=()):
        """Prepare a host in ``directory``; ``binds`` are pairs of a folder here and where the host has it, read only.

        ``packages`` are further ones of this machine's distribution that it shall have.
        """
        self.directory = Path(directory)
        self.base = base(cache, (*PACKAGES, *packages))
        self.binds = binds
        self.upper = self.directory / "upper"
        self.key = self.directory / "key"
        self.known_hosts = self.directory / "known_hosts"
        self.process: subprocess.Popen | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def prepare(self) -> None:
        """Make its file system and the key to it; what else it shall hold can be written from then on."""
        self.directory.mkdir(parents=True, exist_ok=True)
        # A copy, since a layer of an overlay must not lie inside another one.
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.base), str(self.upper)], check=True)
        checkout = Path(__file__).resolve().parents[2]
        _hide(self.upper, [str(path).lstrip("/") for path in sorted({checkout, self.base.parent}) if path != Path("/")])
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        self.write("/etc/ssh/authorized_keys", self.key.with_suffix(".pub").read_text(encoding="ascii"))
        self.write("/etc/ssh/sshd_config", f"Port {self.port}\n{CONFIG}")
        public = (self.base / "etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="ascii").split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n", encoding="ascii")

    def __enter__(self) -> Host:
        """Start it and wait until it answers."""
        if not self.upper.exists():
            self.prepare()
        command = _contained(self.directory, self.upper, self.binds)
        # A shell waits beside the SSH server: the first process takes over what others leave behind.
        server = "/usr/sbin/sshd -D -e & wait"
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*command, "chroot", ".", "sh", "-c", server],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            )
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                if probe.recv(4) == b"SSH-":
                    return self
            time.sleep(0.05)
        words = (self.directory / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
        self.__exit__()
        raise LabError(f"the host's SSH server does not answer: {words}")

    def __exit__(self, *_exception) -> None:
        """End it with all of its processes."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the host, before it starts."""
        place = self.upper / path.lstrip("/")
        for folder in reversed([parent for parent in place.parents if parent.is_relative_to(self.upper)]):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def run(self, command: str, user: str = "root") -> str:
        """Run a shell command over SSH and return what it printed; LabError when it fails."""
        options = [
            "-F",
            "none",
            "-i",
            str(self.key),
            "-p",
            str(self.port),
            "-o",
            f"UserKnownHostsFile={self.known_hosts}",
        ]
        options += ["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
        done = subprocess.run(
            ["ssh", *options, f"{user}@127.0.0.1", command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise LabError(f"{command!r} ended with {done.returncode} on the host: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def variables(self, user: str) -> dict:
        """Return how Ansible reaches the host as a user."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": user,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self.known_hosts} -o IdentitiesOnly=yes",
            "ansible_ssh_args": "-o ControlMaster=no",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_pipelining": True,
        }

    def tree(self) -> dict:
        """Return what the host has besides this machine's own, path to a word on contents, owner and mode."""
        found = {}
        for path in sorted(self.upper.rglob("*")):
            status = path.lstat()
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                word = "removed"
            elif stat.S_ISREG(status.st_mode):
                word = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            else:
                word = oct(stat.S_IFMT(status.st_mode))
            found["/" + str(path.relative_to(self.upper))] = f"{word} {status.st_uid} {oct(status.st_mode & 0o7777)}"
        return found
