"""
The gateway as its own process, as an operator runs it, on free ports of loopback.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from shutil import which
from unittest import SkipTest

from tests.end_to_end.ports import free_port

START_SECONDS = 30
END_SECONDS = 30
REPOSITORY = Path(__file__).parent.parent.parent
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


def needs(case, *programs):
    """
    Find real programs, those of Postfix also below C{MAILGATE_POSTFIX}.

    Where one is missing, L{lack} it.

    @return: their paths.
    """
    postfix = os.environ.get("MAILGATE_POSTFIX", "/")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin:{postfix}/usr/sbin"
    paths = [which(program, path=path) for program in programs]
    missing = [name for name, path in zip(programs, paths, strict=True) if path is None]
    if missing:
        lack(case, f"not installed: {', '.join(missing)}")
    return paths


def needs_library(case, name, *command, **options):
    """
    Find a library of another language, by a command that succeeds where it is installed; else
    L{lack} it.
    """
    if subprocess.run(command, capture_output=True, **options).returncode:
        lack(case, f"not installed: {name}")


def lack(case, reason):
    """
    Skip a test that lacks something real, or fail it under C{MAILGATE_REQUIRE_REAL=1}.
    """
    if os.environ.get("MAILGATE_REQUIRE_REAL") == "1":
        case.fail(reason)
    raise SkipTest(reason)


def workers_of(pid):
    """
    Give the workers that a process has started, and none of the sandbox.
    """
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {
        int(child)
        for child in children
        if b"mailgate.child" in Path(f"/proc/{child}/cmdline").read_bytes()
    }


class Gateway:
    """
    A gateway in a folder of its own.
    """

    def __init__(self, folder, upstream_port=None, tables="", top="", routes=None):
        """
        @param upstream_port: an SMTP server on loopback; without one mail goes to a Maildir.
        @param tables: further TOML tables.
        @param top: further TOML before the first table.
        @param routes: TOML of the routes and upstreams, in the place of those.
        """
        self.folder = Path(folder).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.smtp_port = free_port()
        self.web_port = free_port()
        self.health_port = free_port()
        self.inbox = self.folder / "inbox"
        self.data = self.folder / "var"
        self.process = None
        upstream = (
            f'kind = "smtp"\nhost = "127.0.0.1"\nport = {upstream_port}'
            if upstream_port
            else 'kind = "maildir"\npath = "inbox"'
        )
        if routes is None:
            routes = (
                '[[route]]\ndomains = ["example.com", "example.net"]\nupstream = "server"\n'
                f"[upstream.server]\n{upstream}\n"
            )
        if "[checks.rules]" not in tables:
            # Each gateway here has a data folder of its own, and would make ready some hundred
            # patterns first, which takes seconds.
            tables = f"{tables}\n[checks.rules]\nbuilt_in = false\n"
        if "[checks.phishing]" not in tables:
            # Most senders here are at example.org or example.net, which look like example.com.
            tables = f'{tables}\n[checks.phishing]\nmode = "off"\n'
        self.config = self.folder / "mailgate.toml"
        self.config.write_text(
            f"""
hostname = "mail.example.com"
data = "var"
{top}
[[listener]]
address = "127.0.0.1:{self.smtp_port}"
{routes}
[web]
address = "127.0.0.1:{self.web_port}"
base_url = "http://127.0.0.1:{self.web_port}"
[health]
address = "127.0.0.1:{self.health_port}"
{tables}
""",
            "utf-8",
        )

    def start(self, *run, options=(), before=(), process=None, **environment):
        """
        Start it, and wait until it greets.

        @param run: what twistd runs, in the place of the C{mailgate} plugin.
        @param options: further ones of twistd.
        @param before: the beginning of the command line, which runs the rest of it.
        @param process: further keywords for L{subprocess.Popen}.
        """
        run = run or ("mailgate", "--config", self.config)
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [*before, *TWISTD, "-n", "--pidfile=", *options, *run],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                **(process or {}),
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.smtp_port), 1) as client:
                    client.settimeout(START_SECONDS)
                    if client.recv(100).startswith(b"220"):
                        return self
            except OSError:
                # Not yet listening: look again in a moment.
                self.process_ended(0.05)
        raise AssertionError(f"the gateway does not start:\n{self.said()}")

    def process_ended(self, seconds):
        """
        Wait for its end, at most C{seconds}; tell whether it has ended.
        """
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def said(self):
        """
        Give what it printed.
        """
        return (self.folder / "output").read_text("utf-8", "replace")

    def kill(self):
        """
        End it as a power cut would.
        """
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(END_SECONDS)

    def stop(self, signum=signal.SIGTERM):
        """
        End it as an operator does, and give its exit status.
        """
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signum)
            self.process.wait(END_SECONDS)
        return self.process and self.process.returncode

    def run(self, *arguments, **options):
        """
        Run the C{mailgate} command on its configuration.
        """
        return subprocess.run(
            [sys.executable, "-m", "mailgate", *arguments, "--config", self.config],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=REPOSITORY,
            **options,
        )

    def held(self):
        """
        List the held messages, by way of the command.
        """
        return json.loads(self.run("quarantine", "list", "--json").stdout)

    def outbox(self):
        """
        List what lies in the outbox.
        """
        return json.loads(self.run("outbox", "list", "--json").stdout)

    def delivered(self):
        """
        Give the messages in the Maildir.
        """
        return [path.read_bytes() for path in sorted((self.inbox / "new").glob("*"))]
