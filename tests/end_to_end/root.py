"""
A mail server that Debian would not install beside others, in a root folder of its own.
"""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from tests.end_to_end.gateway import lack

USERS = {
    "root": 0,
    "mail": 8,
    "nobody": 65534,
    "nullmail": 64001,
    "Debian-exim": 64002,
    "opensmtpd": 64003,
    "opensmtpq": 64004,
    "postfix": 64005,
    "postdrop": 64006,
    "dovecot": 64007,
    "dovenull": 64008,
}
"""Users and groups of the same name and number, as the packages would make them."""

END_SECONDS = 30


def unpacked(case, package):
    """
    Find the folder into which a package was unpacked, below C{MAILGATE_UNPACKED}.

    Where there is none, or without root, whom these programs need, L{lack} it.
    """
    folder = Path(os.environ.get("MAILGATE_UNPACKED", "/nonexistent")) / package
    if not folder.is_dir():
        lack(case, f"not unpacked: {package}")
    if os.geteuid() != 0:
        lack(case, f"{package} needs root")
    return folder


def sasl_plugins(case):
    """
    Find the mechanisms of Cyrus SASL, by which programs log in.
    """
    plugins = [str(path) for path in Path("/usr/lib").glob("*/sasl2/lib*.so")]
    if not plugins:
        lack(case, "not installed: libsasl2-modules")
    return plugins


POSTFIX_QUEUE = "var/spool/postfix"


def make_queue(root):
    """
    Make the folders that Postfix needs, as its package makes them.
    """
    names = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold")
    for name in (*names, "incoming", "private", "saved", "trace"):
        root.make_folder(f"{POSTFIX_QUEUE}/{name}", "postfix", mode=0o700)
    root.make_folder(f"{POSTFIX_QUEUE}/maildrop", "postfix", "postdrop", 0o1730)
    root.make_folder(f"{POSTFIX_QUEUE}/public", "postfix", "postdrop", 0o710)
    root.make_folder(f"{POSTFIX_QUEUE}/pid")
    root.make_folder("var/lib/postfix", "postfix")


class Root:
    """
    What a program sees as the whole file system, so that its paths, users and queue are those
    that it was built for, and none of this machine.
    """

    def __init__(self, folder, package, *programs):
        """
        @param folder: where to make it; it must not exist.
        @param package: what was unpacked.
        @param programs: those that run, by their paths; their libraries are copied from here.
        """
        self.folder = folder
        self.processes = []
        shutil.copytree(package, folder, symlinks=True)
        folder.chmod(0o755)
        for name in ("etc", "dev", "tmp", "var/log", "var/run", "var/spool"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "tmp").chmod(0o1777)
        for name, minor in (("null", 3), ("urandom", 9)):
            os.mknod(folder / "dev" / name, stat.S_IFCHR, os.makedev(1, minor))
            (folder / "dev" / name).chmod(0o666)
        self.write(
            "etc/passwd", "".join(f"{n}:x:{u}:{u}::/:/bin/false\n" for n, u in USERS.items())
        )
        self.write("etc/group", "".join(f"{n}:x:{u}:\n" for n, u in USERS.items()))
        self.write("etc/hosts", "127.0.0.1 localhost\n127.0.0.1 client.example.org\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        self.write("etc/mailname", "client.example.org\n")
        self._copy_libraries(self.folder / program.lstrip("/") for program in programs)

    def copy(self, *files):
        """
        Copy programs or libraries of this machine, and the libraries that they need.
        """
        for file in files:
            place = self.folder / file.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        self._copy_libraries(files)

    def _copy_libraries(self, programs):
        own = [str(self.folder / "usr" / "lib" / name) for name in ("postfix", "dovecot")]
        said = subprocess.run(
            ["ldd", *programs],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(own)},
        ).stdout
        for library in sorted(set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", said, re.M))):
            if not library.startswith(str(self.folder)):
                place = self.folder / library.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, place)

    def write(self, path, text, mode=0o644):
        """
        Write a file.
        """
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def make_folder(self, path, owner="root", group=None, mode=0o755):
        """
        Make a folder, where it is not there, and give it to C{owner}.
        """
        place = self.folder / path
        place.mkdir(parents=True, exist_ok=True)
        os.chown(place, USERS[owner], USERS[group or owner])
        place.chmod(mode)

    def set_group(self, path, group):
        """
        Let a program run with the rights of a group.
        """
        place = self.folder / path
        os.chown(place, 0, USERS[group])
        place.chmod(0o2755)

    def command(self, *command):
        """
        Give the command that runs a program in here.
        """
        return ["chroot", str(self.folder), *command]

    def succeeds(self, *command):
        """
        Run a program to its end; tell whether it was content.
        """
        return subprocess.run(self.command(*command), capture_output=True).returncode == 0

    def start(self, *command):
        """
        Start a program that runs until L{stop}.
        """
        with (self.folder / "output").open("ab") as output:
            self.processes.append(
                subprocess.Popen(
                    self.command(*command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    # Postfix ends the processes of its group.
                    start_new_session=True,
                )
            )

    def stop(self):
        """
        End what was started, and wait for it.
        """
        while self.processes:
            process = self.processes.pop()
            process.terminate()
            process.wait(END_SECONDS)

    def files(self, *folders):
        """
        List the files in folders and their folders.
        """
        walks = (os.walk(self.folder / folder) for folder in folders)
        return [name for walk in walks for _, _, names in walk for name in names]

    def said(self):
        """
        Give all that was logged.
        """
        logs = [self.folder / "output", *self.folder.glob("var/log/**/*")]
        return "\n".join(p.read_text("utf-8", "replace") for p in logs if p.is_file())
