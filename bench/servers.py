"""
The servers that are measured, started from nothing in a folder of their own, and the sink.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.processes import HOST, Program, Unavailable, free_port, installed

MAIL_OWNER = "postfix"
SETGID_GROUP = "postdrop"

POSTFIX_HELP = (
    "Debian's postfix is needed, installed or unpacked:\n"
    "  apt-get download postfix && dpkg -x postfix_*.deb FOLDER && export MAILGATE_POSTFIX=FOLDER"
)

MAILGATE_CONFIGURATION = """\
hostname = "mail.example.com"
data = "data"
workers = {workers}

[[listener]]
address = "{host}:{port}"

{routes}
[web]
address = "{host}:{web}"
base_url = "http://{host}:{web}"

[health]
address = ""
"""

ROUTE = """\
[[route]]
domains = {domains}
upstream = "{name}"

[upstream.{name}]
kind = "smtp"
host = "{host}"
port = {sink}

"""

ROUTES = 3
"""How many routes there are where there are many domains."""

POSTFIX_MAIN = """\
compatibility_level = 3.6
myhostname = mail.example.com
mydestination =
relay_domains = example.com
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
message_size_limit = 52428800
alias_maps =
alias_database =
local_recipient_maps =
mail_owner = {owner}
setgid_group = {group}
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={root}/usr/lib/postfix
"""

# smtpd needs the address rewriter, and anvil for its limits; nothing is ever queued.
POSTFIX_MASTER = """\
{host}:{port} inet n - n - - smtpd -o smtpd_proxy_filter={host}:{sink}
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Server:
    """
    A server that runs and is measured.
    """

    name: str
    version: str
    port: int
    program: Program


class PostfixTree:
    """
    Where Debian's postfix lies: installed, or unpacked in C{MAILGATE_POSTFIX}.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"LD_LIBRARY_PATH": f"{root}/usr/lib/postfix"}

    @classmethod
    def find(cls) -> PostfixTree:
        """
        Find it.

        @raise Unavailable: there is none.
        """
        root = Path(os.environ.get("MAILGATE_POSTFIX", "/")).resolve()
        if not (root / "usr/sbin/smtp-sink").exists():
            raise Unavailable(f"no usr/sbin/smtp-sink in {root}. {POSTFIX_HELP}")
        return cls(root)

    def program(self, name: str) -> str:
        """
        Give the path of a command.
        """
        return str(self.root / "usr/sbin" / name)

    def version(self) -> str:
        """
        Ask which version it is.
        """
        answer = subprocess.run(
            [self.program("postconf"), "-d", "-h", "mail_version"],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return answer.stdout.strip()


class Sink:
    """
    Postfix's smtp-sink: it takes every message and forgets it.
    """

    def __init__(self, tree: PostfixTree, core: int | None, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        command = [tree.program("smtp-sink"), "-c", f"{HOST}:{self.port}", "1024"]
        if os.geteuid() == 0:
            command[1:1] = ["-u", "nobody"]
        self.program = Program(command, core, folder / "sink.log", tree.environment, folder)
        self.program.wait_for_greeting(self.port)

    def messages(self) -> int:
        """
        Tell how many messages it has taken.
        """
        counts = self.program.log.read_bytes().replace(b"\r", b"\n").split()
        return int(next(word for word in reversed(counts) if word.startswith(b"mesg="))[5:])


def start_mailgate(
    sink: int,
    core: int | None,
    folder: Path,
    profile: Path | None = None,
    learned: Path | None = None,
    domains: int = 1,
    workers: int = 1,
) -> Server:
    """
    Start this gateway with its defaults and the sink as its upstream.

    @param profile: the file in which cProfile's statistics are kept when it ends, or C{None}.
    @param learned: what its classifier knows (C{mailgate learn --export}), or C{None}: nothing.
    @param domains: for how many domains it takes mail; several have L{ROUTES} routes together.
    @param workers: how many processes own the connections; by default as many as by default.
    @raise Unavailable: it is not installed, or does not come up.
    """
    version = installed("mailgate")
    twistd = Path(sys.executable).with_name("twistd")
    if not version or not twistd.exists():
        raise Unavailable(f"it is not installed for {sys.executable}")
    folder.mkdir()
    port = free_port()
    configuration = folder / "mailgate.toml"
    configuration.write_text(
        MAILGATE_CONFIGURATION.format(
            host=HOST,
            port=port,
            routes=routes(domains, sink),
            web=free_port(),
            workers=workers,
        )
    )
    if learned is not None:
        classifier = folder / "data" / "classifier"
        classifier.mkdir(mode=0o700, parents=True)
        shutil.copy(learned, classifier / "tokens")
    command = [str(twistd), "-n", "--pidfile="]
    if profile is not None:
        command += ["--savestats", "--profiler=cprofile", f"--profile={profile.resolve()}"]
    command += ["mailgate", "--config", str(configuration)]
    program = Program(command, core, folder / "mailgate.log", {}, folder)
    program.wait_for_greeting(port)
    return Server("mailgate", version, port, program)


def routes(domains: int, sink: int) -> str:
    """
    Write routes for C{example.com} and more domains, each with an upstream of its own.
    """
    names = [f"d{number}.example.net" for number in range(domains - 1)]
    names.insert(len(names) // 2, "example.com")
    written = []
    for number in range(min(domains, ROUTES)):
        shown = ", ".join(f'"{name}"' for name in names[number::ROUTES])
        written.append(
            ROUTE.format(domains=f"[{shown}]", name=f"sink{number}", host=HOST, sink=sink)
        )
    return "".join(written)


def start_postfix(tree: PostfixTree, sink: int, core: int | None, folder: Path) -> Server:
    """
    Start Postfix's smtpd with the sink as the filter before its queue: each message is passed
    on while it comes in. It logs to a file, as the gateway does.

    @raise Unavailable: something is missing, or it does not come up.
    """
    master = tree.root / "usr/lib/postfix/sbin/master"
    _require(master)
    port = free_port()
    names = {
        "host": HOST,
        "port": port,
        "sink": sink,
        "folder": folder,
        "root": str(tree.root).rstrip("/"),
        "owner": MAIL_OWNER,
        "group": SETGID_GROUP,
    }
    folder.mkdir()
    folder.parent.chmod(0o755)
    (folder / "main.cf").write_text(POSTFIX_MAIN.format_map(names))
    (folder / "master.cf").write_text(POSTFIX_MASTER.format_map(names))
    for name in ("data", "queue", "queue/pid", "queue/private", "queue/public"):
        (folder / name).mkdir()
    for name in ("data", "queue/private", "queue/public"):
        shutil.chown(folder / name, MAIL_OWNER)
    environment = tree.environment | {"MAIL_CONFIG": str(folder)}
    command = [str(master), "-c", str(folder), "-d"]
    program = Program(command, core, folder / "mail.log", environment, folder)
    program.wait_for_greeting(port)
    return Server("postfix", tree.version(), port, program)


def _require(master: Path) -> None:
    """
    @raise Unavailable: Postfix cannot be started here, and why.
    """
    missing = [] if master.exists() else [str(master)]
    if os.geteuid() != 0:
        missing.append("to be root, as its master must")
    try:
        pwd.getpwnam(MAIL_OWNER)
    except KeyError:
        missing.append(f"the user {MAIL_OWNER} (adduser --system --group {MAIL_OWNER})")
    try:
        grp.getgrnam(SETGID_GROUP)
    except KeyError:
        missing.append(f"the group {SETGID_GROUP} (addgroup --system {SETGID_GROUP})")
    if missing:
        raise Unavailable("missing: " + ", ".join(missing))
