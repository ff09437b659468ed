"""
What systemd does for the gateway, and what the gateway does for it.
"""

import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path
from unittest import SkipTest

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import REPOSITORY, TWISTD, free_port, needs, workers_of
from tests.end_to_end.matrix import make_certificate
from tests.storage import temporary_folder

ETC = REPOSITORY / "etc"

HAND_OVER = """
import os, sys
names, descriptors, *command = sys.argv[1:]
descriptors = [int(each) for each in descriptors.split()]
# Whatever number it has, nobody is in its way up there.
for at, each in enumerate(descriptors):
    os.dup2(each, 200 + at, inheritable=False)
for at, _ in enumerate(descriptors):
    os.dup2(200 + at, 3 + at)
handed = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(descriptors))}
os.execvpe(command[0], command, {**os.environ, **handed, "LISTEN_FDNAMES": names})
"""
"""Starts a program as systemd does: it is the same process, with the sockets from 3 on."""


TRIED = {"mbind", "fchown", "setpriority", "capset", "unshare"}
"""
System calls that are tried and that the unit forbids: numpy asks for memory near its processor, and
SQLite gives its files, where it runs as root, to whom the database belongs. The sandbox would count
less than other processes, give up rights that under the unit it has not, and have a network of its
own.
"""


class Manager:
    """
    The end of the notification socket where systemd would be.
    """

    def __init__(self, case, name):
        """
        @param name: of the socket; C{@} and a name where it is none of the file system.
        """
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0"))
        self.socket.settimeout(60)
        case.addCleanup(self.socket.close)

    def heard(self):
        """
        Give the next thing that is said, by its names, and never mind signs of life.
        """
        while True:
            said = dict(
                line.split("=", 1) for line in self.socket.recv(65536).decode("utf-8").split("\n")
            )
            if said != {"WATCHDOG": "1"}:
                return said

    def signs(self, seconds):
        """
        Count the signs of life within some time.
        """
        self.socket.settimeout(0.1)
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            try:
                number += self.socket.recv(65536) == b"WATCHDOG=1"
            except TimeoutError:
                continue
        self.socket.settimeout(60)
        return number


class NotificationTests(EndToEndTestCase):
    """
    Tests of the notifications.
    """

    def start(self, manager, **environment):
        """
        Start a gateway with two workers that has a manager.
        """
        return self.gateway(top="workers = 2").start(NOTIFY_SOCKET=manager.name, **environment)

    def test_from_start_to_end(self):
        """
        It tells in this order: that it is ready, that it reloads, that it is ready again, and that
        it ends; with a word on how it is.
        """
        manager = Manager(self, "@mailgate-test-" + os.urandom(8).hex())
        gateway = self.start(manager)
        ready = manager.heard()
        self.assertEqual(ready, {"READY": "1", "STATUS": "takes mail in, by 2 workers"})
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        self.assertEqual(gateway.run("reload").returncode, 0)
        reloading = manager.heard()
        self.assertEqual(reloading["RELOADING"], "1")
        self.assertLess(abs(int(reloading["MONOTONIC_USEC"]) / 1e6 - now), 60)
        self.assertEqual(manager.heard(), ready)
        gateway.stop()
        stopping = manager.heard()
        self.assertEqual(stopping["STOPPING"], "1")
        # drain_seconds, and what the hub may take after that.
        self.assertGreaterEqual(int(stopping["EXTEND_TIMEOUT_USEC"]), (30 + 30) * 1_000_000)

    def test_failed_reload(self):
        """
        After a reload that has failed it is ready as before, and the status says so.
        """
        manager = Manager(self, str(temporary_folder(self) / "notify"))
        gateway = self.start(manager)
        self.assertIn("READY", manager.heard())
        gateway.config.write_text(gateway.config.read_text() + "\n[limit]\n")
        os.kill(gateway.process.pid, signal.SIGHUP)
        self.assertIn("RELOADING", manager.heard())
        said = manager.heard()
        self.assertEqual(said["READY"], "1")
        self.assertIn("cannot be used", said["STATUS"])

    def test_failed_start(self):
        """
        A start that fails never says that it is ready.
        """
        manager = Manager(self, "@mailgate-test-" + os.urandom(8).hex())
        gateway = self.gateway(top="workers = 1")
        (gateway.folder / "var").mkdir()
        (gateway.folder / "var" / "state.db").write_text("no database" * 1000)
        self.assertRaises(AssertionError, gateway.start, NOTIFY_SOCKET=manager.name)
        manager.socket.settimeout(0.1)
        self.assertRaises(TimeoutError, manager.socket.recv, 65536)

    def test_nothing_is_inherited(self):
        """
        The workers know nothing of the manager, and have none of its sockets.
        """
        manager = Manager(self, "@mailgate-test-" + os.urandom(8).hex())
        gateway = self.start(manager, WATCHDOG_USEC="60000000")
        for pid in workers_of(gateway.process.pid):
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            self.assertIn(b"PATH=", environ)
            for name in (b"NOTIFY_SOCKET", b"WATCHDOG", b"LISTEN_"):
                self.assertNotIn(name, environ)

    def test_watchdog(self):
        """
        Signs of life come while one worker answers, none when no worker does, and again when they
        do.
        """
        manager = Manager(self, "@mailgate-test-" + os.urandom(8).hex())
        gateway = self.start(manager, WATCHDOG_USEC="1000000")
        self.assertIn("READY", manager.heard())
        self.assertGreaterEqual(manager.signs(2.2), 3)
        one, other = workers_of(gateway.process.pid)
        os.kill(one, signal.SIGSTOP)
        self.addCleanup(os.kill, gateway.process.pid, signal.SIGCONT)
        self.assertGreaterEqual(manager.signs(2.2), 3)
        os.kill(other, signal.SIGSTOP)
        manager.signs(1)
        self.assertEqual(manager.signs(1.5), 0)
        self.assertIn("watchdog.starved no answer from ['the workers']", gateway.said())
        os.kill(other, signal.SIGCONT)
        os.kill(one, signal.SIGCONT)
        manager.signs(1)
        self.assertGreaterEqual(manager.signs(2.2), 3)


class HandedSocketTests(EndToEndTestCase):
    """
    Tests of sockets that systemd has bound.
    """

    def listen(self, family, address):
        """
        Listen as systemd would.
        """
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.listen(100)
        return listening

    def start(self, gateway, *sockets, names=""):
        """
        Start a gateway that is handed sockets.
        """
        descriptors = [each.fileno() for each in sockets]
        command = [sys.executable, "-c", HAND_OVER, names, " ".join(map(str, descriptors))]
        return gateway.start(before=command, process={"pass_fds": descriptors})

    def test_all_kinds(self):
        """
        The listeners for IPv4, IPv6 and Unix, and the pages, take the sockets that have their
        addresses; a client that came before the start is served; a reload keeps them, also one
        whose listener was away for a while.
        """
        six = free_port()
        path = temporary_folder(self).resolve() / "lmtp"
        gateway = self.gateway(
            top="workers = 1",
            tables=f'[[listener]]\nname = "six"\naddress = "[0:0::1]:{six}"\n'
            f'[[listener]]\nname = "unix"\nrole = "lmtp"\naddress = "unix:{path}"\n',
        )
        sockets = [
            self.listen(socket.AF_INET, ("127.0.0.1", gateway.smtp_port)),
            self.listen(socket.AF_INET6, ("::1", six)),
            self.listen(socket.AF_UNIX, str(path)),
            self.listen(socket.AF_INET, ("127.0.0.1", gateway.web_port)),
        ]
        early = socket.create_connection(("127.0.0.1", gateway.smtp_port), 30)
        self.addCleanup(early.close)
        self.start(gateway, *sockets)
        self.assertTrue(early.recv(100).startswith(b"220"))
        inode = path.stat().st_ino

        def works():
            for host, port in (("127.0.0.1", gateway.smtp_port), ("::1", six)):
                with smtplib.SMTP(host, port, timeout=30) as client:
                    self.assertEqual(client.ehlo()[0], 250)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(str(path))
                self.assertTrue(client.recv(100).startswith(b"220"))
            with socket.create_connection(("127.0.0.1", gateway.web_port), 30) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 "))

        works()
        self.assertEqual(path.stat().st_ino, inode)
        self.assertNotIn("socket.unused", gateway.said())
        whole = gateway.config.read_text()
        gateway.config.write_text(
            whole.replace(
                f'name = "six"\naddress = "[0:0::1]:{six}"',
                f'name = "six"\naddress = "[::1]:{free_port()}"',
            )
        )
        self.assertEqual(gateway.run("reload").returncode, 0)
        self.assertIn(f"socket.unused systemd listens at [::1]:{six}", gateway.said())
        gateway.config.write_text(whole)
        done = gateway.run("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        works()

    def test_not_usable(self):
        """
        A socket that takes IPv4 clients beside those of IPv6, or does not listen, ends the start
        with what to change.
        """
        both = socket.create_server(
            ("::", free_port()), family=socket.AF_INET6, dualstack_ipv6=True
        )
        self.addCleanup(both.close)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(datagrams.close)
        for wrong, words in ((both, "BindIPv6Only=ipv6-only"), (datagrams, "ListenStream=")):
            gateway = self.gateway()
            self.assertRaises(AssertionError, self.start, gateway, wrong, names="smtp")
            self.assertIn("descriptor 3 (smtp)", gateway.said())
            self.assertIn(words, gateway.said())
            self.assertNotEqual(gateway.process.returncode, 0)

    def test_meant_for_another(self):
        """
        What was handed to another process is left alone.
        """
        gateway = self.gateway().start(LISTEN_FDS="1", LISTEN_PID="1", LISTEN_FDNAMES="smtp")
        self.assertNotIn("socket.unused", gateway.said())

    def test_reload_of_a_unix_socket(self):
        """
        A Unix socket that the gateway has made itself is not open to everybody, and outlives the
        workers before a reload.
        """
        path = temporary_folder(self) / "lmtp"
        gateway = self.gateway(
            top="workers = 1",
            tables="[limits]\ndrain_seconds = 1\n"
            f'[[listener]]\nname = "unix"\nrole = "lmtp"\naddress = "unix:{path}"\n',
        ).start()
        before = workers_of(gateway.process.pid)
        self.assertEqual(gateway.run("reload").returncode, 0)
        self.eventually(
            lambda: not set(before) & set(workers_of(gateway.process.pid)), "the old worker stays"
        )
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(path))
            self.assertTrue(client.recv(100).startswith(b"220"))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)


class UnitTests(EndToEndTestCase):
    """
    Tests of what the unit gives and takes.
    """

    def test_system_calls(self):
        """
        From its start over a message and a reload to its end, hub and workers need no system call
        that the unit forbids. Libraries try some, and go on without.
        """
        strace, analyze = needs(self, "strace", "systemd-analyze")
        sets = subprocess.run([analyze, "syscall-filter"], capture_output=True, text=True).stdout
        members, name = {}, ""
        for line in sets.splitlines():
            word = line.strip()
            if line.startswith("@"):
                name = word
            elif word and not word.startswith("#"):
                members.setdefault(name, []).append(word)

        def calls(word):
            if not word.startswith("@"):
                return {word}
            return {call for each in members[word] for call in calls(each)}

        allowed = set()
        unit = (ETC / "systemd" / "mailgate.service").read_text()
        for words in re.findall("^SystemCallFilter=(.*)$", unit, re.MULTILINE):
            named = {call for word in words.lstrip("~").split() for call in calls(word)}
            allowed = allowed - named if words.startswith("~") else allowed | named
        gateway = self.gateway(top="workers = 1")
        trace = gateway.folder / "trace"
        # The tracer stands aside, so that it is the gateway that is ended.
        options = ("-D", "-f", "-qq", "-c", "-U", "name", "-o", trace)
        forbidden = ("-e", f"inject={','.join(TRIED)}:error=EPERM")
        gateway.start(before=(strace, *options, *forbidden))
        _, content = make_message()
        self.assertTrue(send(gateway.smtp_port, content))
        self.assertEqual(gateway.run("reload").returncode, 0)

        def held():
            return json.loads(gateway.run("status", "--json").stdout)["sandbox"]["active"]

        held = set(self.eventually(held, "the sandbox does not start"))
        # Root, which the unit is not, cannot give up what it has.
        self.assertLessEqual({"limits", "privileges", "system calls"}, held)
        self.assertNotIn("network", held)
        self.assertEqual(gateway.stop(), -signal.SIGTERM)
        self.eventually(lambda: trace.exists() and "total" in trace.read_text(), "no trace")
        used = set(re.findall(r"^(\w+)$", trace.read_text(), re.MULTILINE)) - {"total", "syscall"}
        self.assertIn("accept4", used)
        self.assertEqual(used - allowed - TRIED, set())

    def test_credentials(self):
        """
        Certificate and key can be what systemd hands over. Commands that do not run as the service
        work all the same.
        """
        gateway = self.gateway(
            top="workers = 1",
            tables='[tls]\nkey = "credential:tls-key"\ncertificate = "credential:tls-certificate"',
        )
        self.assertRaises(AssertionError, gateway.start)
        self.assertIn("LoadCredential=", gateway.said())
        folder = gateway.folder / "credentials"
        folder.mkdir()
        certificate, key = make_certificate(gateway.folder)
        certificate.rename(folder / "tls-certificate")
        key.rename(folder / "tls-key")
        gateway.start(CREDENTIALS_DIRECTORY=str(folder))
        context = ssl.create_default_context(cafile=folder / "tls-certificate")
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
            client.starttls(context=context)
            self.assertEqual(client.ehlo()[0], 250)
        self.assertEqual(gateway.run("reload").returncode, 0)
        checked = gateway.run("check-config")
        self.assertEqual(checked.returncode, 0)
        self.assertIn("it was not looked at", checked.stderr)


class PrivilegeTests(EndToEndTestCase):
    """
    Tests with a gateway that begins as root and goes on as somebody else.
    """

    def setUp(self):
        """
        Look for a user, and a folder that all may read.
        """
        if os.geteuid() != 0:
            raise SkipTest("needs root, to give it up")
        self.user = pwd.getpwnam("nobody")
        try:
            subprocess.run(
                [sys.executable, "-c", ""], user="nobody", group=self.user.pw_gid, check=True
            )
        except PermissionError:
            raise SkipTest(f"nobody but root may run {sys.executable}") from None

    def start(self, options=("--uid", "nobody"), before=(), **keywords):
        """
        Start a gateway on a port below 1024, as far as it is root.
        """
        gateway = self.gateway(top="workers = 1", **keywords)
        for folder in (gateway.folder, *gateway.folder.parents):
            if folder == Path(gateway.folder.anchor) or str(folder) == "/tmp":
                break
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        gateway.start(options=options, before=before)
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        return gateway

    def test_nobody(self):
        """
        It binds as root, and then is nobody: hub, workers, the data folder and Unix sockets.
        """
        path = Path("/tmp") / f"mailgate-test-{os.urandom(4).hex()}"
        path.mkdir()
        self.addCleanup(shutil.rmtree, path)
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        unix = path / "lmtp"
        low = next(port for port in range(600, 1024) if free(port))
        gateway = self.start(
            tables=f'[[listener]]\nname = "low"\naddress = "127.0.0.1:{low}"\n'
            f'[[listener]]\nname = "unix"\nrole = "lmtp"\naddress = "unix:{unix}"\n'
        )
        _, content = make_message()
        self.assertTrue(send(low, content))
        self.assertEqual(len(gateway.delivered()), 1)
        for pid in (gateway.process.pid, *workers_of(gateway.process.pid)):
            status = Path(f"/proc/{pid}/status").read_text()
            self.assertRegex(status, rf"Uid:(\t{self.user.pw_uid}){{4}}")
            self.assertRegex(status, r"CapEff:\t0+\n")
        found = unix.stat()
        self.assertEqual((found.st_uid, found.st_gid), (self.user.pw_uid, self.user.pw_gid))
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o660)
        self.assertEqual((gateway.data / "state.db").stat().st_uid, self.user.pw_uid)
        self.assertEqual(gateway.run("reload").returncode, 0)
        self.assertTrue(send(low, content))

    def test_the_right_to_bind(self):
        """
        What systemd gives it to bind ports below 1024, the hub has for reloads as well, and nothing
        that it starts has.
        """
        (setpriv,) = needs(self, "setpriv")
        right = "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"
        nobody = "--reuid=nobody", f"--regid={self.user.pw_gid}", "--clear-groups"
        gateway = self.start((), (setpriv, *nobody, *right))
        pid = gateway.process.pid
        low = next(port for port in range(600, 1024) if free(port))
        with gateway.config.open("a") as file:
            file.write(f'[[listener]]\nname = "low"\naddress = "127.0.0.1:{low}"\n')
        done = gateway.run("reload")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        _, content = make_message()
        self.assertTrue(send(low, content))
        self.assertRegex(Path(f"/proc/{pid}/status").read_text(), r"CapEff:\t0+400\n")
        for child in workers_of(pid):
            self.assertRegex(Path(f"/proc/{child}/status").read_text(), r"CapPrm:\t0+\n")

    def test_a_low_port_later(self):
        """
        A reload that adds a port below 1024 changes nothing, and says what it would need.
        """
        gateway = self.start()
        low = next(port for port in range(600, 1024) if free(port))
        with gateway.config.open("a") as file:
            file.write(f'[[listener]]\nname = "low"\naddress = "127.0.0.1:{low}"\n')
        done = gateway.run("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("CAP_NET_BIND_SERVICE", done.stderr)
        self.assertIn("restart", done.stderr)
        _, content = make_message()
        self.assertTrue(send(gateway.smtp_port, content))


def free(port):
    """
    Tell whether nobody listens at a port.
    """
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


class LogTests(EndToEndTestCase):
    """
    Tests of the logs of a gateway that runs.
    """

    def test_json(self):
        """
        With format = "json" each line of standard output is an object, those of workers too, with
        their fields; what the start prints is among them.
        """
        gateway = self.gateway(
            top="workers = 1",
            tables='[log]\nformat = "json"\n[limits.clients]\nexempt_networks = []\n'
            "connections_per_address = 1\n",
        ).start()
        with socket.create_connection(("127.0.0.1", gateway.smtp_port), 30):
            self.eventually(lambda: "client.refused" in self.refuse(gateway), "nobody is refused")
        gateway.stop()
        events = [json.loads(line) for line in gateway.said().splitlines()]
        for event in events:
            self.assertLessEqual(
                {"time", "level", "namespace", "event", "text", "fields"}, set(event)
            )
        refused = next(each for each in events if each["event"] == "client.refused")
        self.assertEqual(refused["level"], "warn")
        self.assertEqual(refused["fields"]["client"], "127.0.0.1")
        self.assertIn("421", refused["fields"]["reply"])
        self.assertIsInstance(refused["worker"], int)
        started = next(each for each in events if each["event"] == "gateway.started")
        self.assertNotIn("worker", started)
        self.assertIsInstance(started["fields"]["sessions"], int)
        self.assertTrue(any("Mail comes in by SMTP" in each["text"] for each in events))

    def refuse(self, gateway):
        """
        Connect once more than is allowed.
        """
        with socket.create_connection(("127.0.0.1", gateway.smtp_port), 30) as client:
            client.recv(100)
        return gateway.said()

    def test_journal(self):
        """
        Where journald reads it, each line begins with its priority, which journald takes away.
        """
        gateway = self.gateway(top="workers = 1", tables='[log]\nformat = "json"\n')
        output = gateway.folder / "output"
        output.touch()
        found = output.stat()
        gateway.start(JOURNAL_STREAM=f"{found.st_dev}:{found.st_ino}")
        for line in gateway.said().splitlines():
            self.assertRegex(line, r"^<[2-7]>\{.*\}$")

    def test_daemon(self):
        """
        As a daemon it logs to its file, before and after it has left the terminal.
        """
        gateway = self.gateway(top="workers = 1")
        log, number = gateway.folder / "events.log", gateway.folder / "pid"
        command = [*TWISTD, f"--pidfile={number}", f"--logfile={log}"]
        done = subprocess.run(
            [*command, "mailgate", "--config", gateway.config], cwd=REPOSITORY, timeout=60
        )
        self.assertEqual(done.returncode, 0)
        pid = int(number.read_text())
        self.addCleanup(lambda: number.exists() and os.kill(pid, signal.SIGKILL))
        self.eventually(lambda: "gateway.started" in log.read_text(), "it does not start")
        _, content = make_message()
        self.assertTrue(send(gateway.smtp_port, content))
        os.kill(pid, signal.SIGTERM)
        self.eventually(lambda: not number.exists(), "it does not end")
        said = log.read_text()
        self.assertIn("starting up", said)
        self.assertIn("gateway.stopped", said)
        self.assertEqual(stat.S_IMODE(log.stat().st_mode), 0o640)

    def test_rotation(self):
        """
        logrotate, with the example, renames both logs, and they go on in new files; nothing is
        lost, and no signal is needed. A reload does them no harm.
        """
        (logrotate,) = needs(self, "logrotate")
        gateway = self.gateway(
            top="workers = 1", tables='[log]\ntransactions = "logs/transactions.jsonl"\n'
        )
        logs = gateway.folder / "logs"
        logs.mkdir()
        gateway.start(options=(f"--logfile={logs}/events.log",))
        said = lambda: (logs / "events.log").read_text()  # noqa: E731
        self.eventually(lambda: "gateway.started" in said(), "it does not start")
        _, content = make_message()
        send(gateway.smtp_port, content)
        transactions = logs / "transactions.jsonl"
        self.eventually(lambda: transactions.exists(), "no transaction is logged")
        rules = (ETC / "logrotate" / "mailgate").read_text()
        rules = rules.replace("/var/log/mailgate", str(logs)).replace(
            "    su mailgate mailgate\n", ""
        )
        config = gateway.folder / "logrotate"
        config.write_text(rules)
        config.chmod(0o644)
        done = subprocess.run(
            [logrotate, "--force", "--state", gateway.folder / "state", config],
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(transactions.exists())
        self.assertFalse((logs / "events.log").exists())
        self.assertEqual(gateway.run("reload").returncode, 0)
        send(gateway.smtp_port, content)
        self.eventually(transactions.exists, "the next transaction is lost")
        self.assertIn("gateway.reloaded", said())
        self.assertNotIn("gateway.started", said())
        self.assertIn("gateway.started", (logs / "events.log.1").read_text())
        for path in (transactions, logs / "transactions.jsonl.1"):
            self.assertEqual(len(path.read_text().splitlines()), 1)
        gateway.stop()
        self.assertIn("gateway.stopped", said())
