"""
Tests of upstreams that fail, one of each kind behind the running gateway.

Each kind has a domain of its own, so that a message for it tells how it does.
"""

import json
import shutil
import smtplib
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp

from cryptography.x509 import load_pem_x509_certificate

from mailgate.delivery.tls import key_digest
from tests.certificates import issue
from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message
from tests.end_to_end.matrix import make_certificate
from tests.end_to_end.ports import free_port
from tests.wire.test_data import FALSE_ENDS

SERVERS = ("smtp", "starttls", "smtps", "lmtp", "socket")
"""The kinds that are mail servers, by their names here."""

KINDS = (*SERVERS, "maildir")
NAME = "ada@example.com"
PASSWORD = "correct horse battery"
EXTENSIONS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN")


class KindsCase(EndToEndTestCase):
    """
    A gateway with an upstream of each kind.
    """

    timeout = 180

    def setUp(self):
        """
        Start the servers.
        """
        self.gate = self.gateway()
        self.base = self.gate.config.read_text("utf-8")
        self.authority = issue("Test authority", is_authority=True)
        issued = issue("127.0.0.1", ["127.0.0.1"], self.authority)
        certificate, key = issued.write(self.gate.folder, "server")
        (self.gate.folder / "authority.pem").write_bytes(self.authority.pem)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.servers = {}
        for name in SERVERS:
            self.servers[name] = self.upstream(**self.options(name))
        self.configure()

    def options(self, name, extensions=EXTENSIONS):
        """
        Give the options of the server of a kind.
        """
        path = None
        if name == "socket":
            # The kernel takes no longer path than 107 bytes.
            folder = mkdtemp(prefix="mailgate-")
            self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
            path = f"{folder}/lmtp"
        tls = self.tls if name in ("starttls", "smtps") else None
        return {
            "path": path,
            "tls": tls,
            "begins_with_tls": name == "smtps",
            "extensions": extensions,
        }

    def configure(self, **ports):
        """
        Write the configuration.
        """
        top, _, rest = self.base.partition("[[route]]")
        rest = "[web]" + rest.partition("[web]")[2]
        for name in KINDS:
            rest += f'[[route]]\ndomains = ["{name}.example.com"]\nupstream = "{name}"\n'
            rest += f"[upstream.{name}]\n"
            if name == "maildir":
                rest += 'kind = "maildir"\npath = "inbox"\n'
                continue
            rest += f'kind = "{ {"starttls": "smtp", "socket": "lmtp"}.get(name, name) }"\n'
            server = self.servers[name]
            if server.path is not None:
                rest += f'host = "unix:{server.path}"\n'
            else:
                rest += f'host = "127.0.0.1"\nport = {ports.get(name, server.port)}\n'
            if server.tls is not None:
                rest += 'tls = "verified"\nca_file = "authority.pem"\n'
            rest += "connect_seconds = 1.5\nreply_seconds = 1.5\nbreaker_failures = 1000\n"
        rest += "[verification]\ngood_seconds = 0.001\n"
        self.gate.config.write_text(f"{top}{rest}", "utf-8")

    def address(self, name):
        """
        Give an address whose mail goes to a kind.
        """
        return f"ada@{name}.example.com"

    def send(self, *names):
        """
        Send a message to kinds, and give the reply to it, or to the recipient.
        """
        identity, content = make_message()
        client = smtplib.SMTP("127.0.0.1", self.gate.smtp_port, timeout=60)
        try:
            client.sendmail("sender@example.org", list(map(self.address, names)), content)
        except smtplib.SMTPRecipientsRefused as refused:
            return next(iter(refused.recipients.values()))
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code, refused.smtp_error
        finally:
            client.close()
        return 250, identity

    def assert_reply(self, name, code, enhanced):
        """
        See what becomes of a message to a kind, and that nothing is kept.
        """
        said = self.send(name)
        self.assertEqual((said[0], said[1][: len(enhanced)]), (code, enhanced.encode()), name)
        self.assertEqual(self.messages(name), [], name)

    def messages(self, name):
        """
        Give what has arrived.
        """
        if name == "maildir":
            return self.gate.delivered()
        return self.servers[name].messages

    def assert_nothing_kept(self):
        """
        See that the gateway has kept nothing of what it has not taken.
        """
        self.assertEqual((self.gate.held(), self.gate.outbox()), ([], []))

    def assert_all_work(self):
        """
        See that a message for each kind arrives there, once.
        """
        for name in KINDS:
            before = len(self.messages(name))
            code, said = self.send(name)
            self.assertEqual(code, 250, (name, said))
            self.assertEqual(len(self.messages(name)), before + 1, name)


class FaultTests(KindsCase):
    """
    Faults of each kind, one after the other behind one gateway.
    """

    def test_f05_down(self):
        """
        Without its upstream a message is deferred, nothing is kept, and the others go on.
        """
        ports = {name: free_port() for name in SERVERS}
        self.servers["socket"].close()
        self.configure(**ports)
        (self.gate.folder / "inbox").write_text("no folder")
        self.gate.start()
        for name in SERVERS:
            self.assert_reply(name, 451, "4.4.1")
        self.assert_reply("maildir", 451, "4.3.0")
        self.assert_nothing_kept()
        (self.gate.folder / "inbox").unlink()
        self.assertEqual(self.send("maildir")[0], 250)

    def test_f06_slow(self):
        """
        An upstream that never greets, says a byte a second, or hangs after the dot is left after
        its time, and its connection does not stay.
        """
        gone = threading.Event()
        self.addCleanup(gone.set)

        def hang(_):
            gone.wait(60)

        def be_slow(name):
            server = self.servers[name]
            server.messages.clear()
            server.replies["."] = hang
            began = time.monotonic()
            self.assert_reply(name, 451, "4.4.2")
            self.assertLess(time.monotonic() - began, 30)
            del server.replies["."]
            server.replies["greeting"] = hang
            self.assert_reply(name, 451, "4.4.1")
            del server.replies["greeting"]
            server.drip = 0.5
            self.assert_reply(name, 451, "4.4.1")
            server.drip = 0.0

        self.gate.start()
        self.assert_all_work()
        with ThreadPoolExecutor() as threads:
            list(threads.map(be_slow, SERVERS))
        self.assert_all_work()
        self.assert_nothing_kept()

        def idle():
            status = json.loads(self.gate.run("status", "--json").stdout)
            known = [each for worker in status["workers"] for each in worker["status"]["upstreams"]]
            return not any(each["busy"] or each["waiting"] for each in known)

        self.eventually(idle, "a connection is still busy")

    def test_f07_refusals(self):
        """
        What an upstream says at each step is passed on, with its code.
        """
        self.gate.start()
        for name in SERVERS:
            replies = self.servers[name].replies
            hello = "LHLO" if name in ("lmtp", "socket") else "EHLO"
            for step, reply, code, enhanced in (
                ("MAIL", "452 4.3.1 no room", 452, "4.3.1"),
                ("MAIL", "550 5.7.1 not from you", 550, "5.7.1"),
                ("RCPT", "450 4.2.1 later", 450, "4.2.1"),
                ("RCPT", "550 5.1.1 nobody", 550, "5.1.1"),
                ("DATA", "451 4.3.5 not now", 451, "4.3.5"),
                ("DATA", "554 5.3.0 never", 554, "5.3.0"),
                (".", "451 4.6.0 not now", 451, "4.6.0"),
                (".", "554 5.6.0 never", 554, "5.6.0"),
                ("greeting", "421 4.3.2 busy", 451, "4.4.1"),
                (hello, "421 4.3.2 busy", 451, "4.4.1"),
            ):
                if step in ("greeting", hello):
                    self.servers[name].hang_up()
                replies[step] = reply
                # The next recipient is another one, as a refused one is remembered.
                self.address = lambda kind, step=step, reply=reply: (
                    f"{step.strip('.') or 'dot'}{reply[:3]}@{kind}.example.com".lower()
                )
                self.assert_reply(name, code, enhanced)
                del replies[step]
        self.assert_nothing_kept()

    def test_f07_mixed(self):
        """
        Of several recipients each has the outcome that its own reply says.
        """
        self.gate.start()
        for name in SERVERS:
            replies = self.servers[name].replies
            replies["RCPT", f"TO:<eve@{name}.example.com>"] = "550 5.1.1 nobody"
            client = Conversation(self.gate.smtp_port)
            client.ask("EHLO client.example.org\n")
            client.ask("MAIL FROM:<sender@example.org>\n")
            for local, code in (("ada", "250"), ("eve", "550"), ("bob", "250")):
                said = client.ask(f"RCPT TO:<{local}@{name}.example.com>\n")
                self.assertTrue(said.startswith(code), said)
            client.ask("DATA\n")
            self.assertTrue(client.ask("Subject: x\n\ntext\n.\n").startswith("250"))
            client.close()
            ((_, recipients, _),) = self.messages(name)
            self.assertEqual(recipients, [f"{n}@{name}.example.com" for n in ("ada", "bob")])

    def test_f08_dropped_after_the_dot(self):
        """
        An upstream that is gone after the dot: 451, and the trace says that it is not known.
        """
        self.gate.start()
        for name in SERVERS:
            self.servers[name].replies["."] = None
            self.assert_reply(name, 451, "4.4.2")
        self.assert_nothing_kept()
        self.gate.stop()
        log = (self.gate.data / "transactions.jsonl").read_text("utf-8").splitlines()
        records = [json.loads(line) for line in log]
        self.assertEqual(len(records), len(SERVERS))
        for record, name in zip(records, SERVERS, strict=True):
            (copy,) = record["copies"]
            self.assertEqual((copy["outcome"], copy["reference"]), ("unknown", name))
            self.assertTrue(any("duplicate" in note for note in record["notes"]), record)

    def test_f09_never_promised(self):
        """
        What one of the kinds lacks is not offered, and is refused before the message is sent.
        """
        for number, name in enumerate(SERVERS):
            lacking = EXTENSIONS[number]
            options = self.options(name, tuple(e for e in EXTENSIONS if e != lacking))
            if name == "smtps":
                options["extensions"] = tuple(e for e in EXTENSIONS if not e.startswith("8BIT"))
            self.servers[name].close()
            self.servers[name] = self.upstream(**options)
        self.configure()
        self.gate.start()
        client = Conversation(self.gate.smtp_port)
        self.addCleanup(client.close)
        offered = client.ask("EHLO client.example.org\n")
        for keyword in ("8BITMIME", "SMTPUTF8", "DSN"):
            self.assertNotIn(keyword, offered)
        for parameter in ("BODY=8BITMIME", "SMTPUTF8", "RET=HDRS"):
            said = client.ask(f"MAIL FROM:<sender@example.org> {parameter}\n")
            self.assertTrue(said.startswith("555 5.5.4"), said)
        said = client.ask("MAIL FROM:<j\u00fcrgen@example.org>\n")
        self.assertTrue(said.startswith("500 5.5.2"), said)
        self.assert_all_work()

    def test_f15_end_under_load(self):
        """
        At SIGTERM a message that is under way is finished, on each kind, and nothing is lost.
        """
        reached = threading.Semaphore(0)
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def wait(_):
            reached.release()
            go_on.wait(60)
            return "250 2.0.0 taken"

        text = self.gate.config.read_text("utf-8")
        self.gate.config.write_text(text.replace("reply_seconds = 1.5", "reply_seconds = 60"))
        self.gate.start()
        said = {}
        for name in SERVERS:
            self.servers[name].replies["."] = wait

        def send(name):
            said[name] = self.send(name)

        threads = [threading.Thread(target=send, args=(name,)) for name in SERVERS]
        for thread in threads:
            thread.start()
        for _ in SERVERS:
            self.assertTrue(reached.acquire(timeout=60))
        self.assertEqual(self.send("maildir")[0], 250)
        self.gate.process.terminate()
        self.assertFalse(self.gate.process_ended(0.5))
        go_on.set()
        for thread in threads:
            thread.join(60)
        self.gate.process.wait(60)
        for name in SERVERS:
            code, identity = said[name]
            self.assertEqual(code, 250, said)
            self.assertEqual(self.servers[name].message_ids(), [identity])
        self.assertEqual(len(self.gate.delivered()), 1)


class AttackTests(KindsCase):
    """
    What goes out to each kind is one message, byte for byte.
    """

    def test_a03_smuggling_out(self):
        """
        Of each false end an upstream sees nothing: bare line ends come to no upstream, and what
        looks like an end with whole line ends is one message.
        """
        self.gate.start()
        for name in SERVERS:
            for false_end in FALSE_ENDS:
                # Each on a connection of its own: after too many mistakes the gateway hangs up.
                client = Conversation(self.gate.smtp_port)
                client.envelope(self.address(name))
                client.say(b"Subject: outer\r\n\r\ntext" + false_end + b"RSET\r\n.\r\n")
                self.assertTrue(client.reply().startswith("550 5.5.2"), (name, false_end))
                client.close()
            body = b"Subject: dots\r\n\r\n.\r\n..\r\nMAIL FROM:<evil@example.org>\r\n.x\r\n"
            client = Conversation(self.gate.smtp_port)
            client.envelope(self.address(name))
            client.say(body.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            self.assertTrue(client.reply().startswith("250"), name)
            client.close()
            (message,) = self.messages(name)
            self.assertTrue(message[2].endswith(b"\r\n" + body), name)

    def test_a04_dot_stuffing(self):
        """
        Messages of 2^n +- 2 bytes, full of dotted lines, arrive byte for byte.
        """
        self.gate.start()
        pattern = b"Subject: s\r\n\r\n" + b".\r\n..\r\nx\r\n.y\r\n" * 80_000
        for name in SERVERS:
            client = Conversation(self.gate.smtp_port)
            client.ask("EHLO client.example.org\n")
            for size in (2**power + more for power in (6, 12, 16) for more in range(-2, 3)):
                whole = pattern[: size - 2]
                if whole.endswith(b"\r"):
                    whole = whole[:-1] + b"x"
                whole += b"\r\n"
                client.ask("MAIL FROM:<sender@example.org>\n")
                client.ask(f"RCPT TO:<{self.address(name)}>\n")
                client.ask("DATA\n")
                said = client.ask(whole.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                self.assertTrue(said.startswith("250"), (name, size, said))
                arrived = self.messages(name).pop()[2]
                self.assertTrue(arrived.endswith(b"\r\n" + whole), (name, size))
            client.close()


class FailOverTests(EndToEndTestCase):
    """
    Two mail servers for one route.
    """

    timeout = 120

    def setUp(self):
        """
        Start them and the gateway.
        """
        self.first, self.second = self.upstream(), self.upstream()
        self.gate = self.gateway()
        text = self.gate.config.read_text("utf-8")
        text = text.replace('upstream = "server"', 'upstream = ["first", "second"]')
        text = text.replace('[upstream.server]\nkind = "maildir"\npath = "inbox"\n', "")
        for name, server in (("first", self.first), ("second", self.second)):
            text += f'[upstream.{name}]\nkind = "smtp"\nhost = "127.0.0.1"\nport = {server.port}\n'
            text += "breaker_failures = 2\nbreaker_seconds = 1\n"
        self.gate.config.write_text(text, "utf-8")
        self.gate.start()

    def send(self):
        """
        Send a message.
        """
        identity, content = make_message()
        with smtplib.SMTP("127.0.0.1", self.gate.smtp_port, timeout=60) as client:
            client.sendmail("sender@example.org", ["ada@example.com"], content)
        return identity

    def state(self, name):
        """
        Give what the gateway says of an upstream.
        """
        status = json.loads(self.gate.run("status", "--json").stdout)
        (worker,) = status["workers"]
        return next(each for each in worker["status"]["upstreams"] if each["name"] == name)

    def test_there_and_back(self):
        """
        When the first one goes down its mail goes to the second one in the same conversation, and
        soon without asking the first; when it comes back so does its mail.
        """
        identities = [self.send()]
        self.assertEqual(self.first.message_ids(), identities)
        self.first.close()
        later = [self.send() for _ in range(4)]
        self.assertEqual(self.second.message_ids(), later)
        self.assertTrue(self.state("first")["is_open"])
        self.assertIn("nothing is sent there until it answers", self.gate.run("status").stdout)
        self.assertEqual((self.gate.held(), self.gate.outbox()), ([], []))
        self.first.reopen()
        self.eventually(lambda: not self.state("first")["is_open"], "it does not come back")
        identities.append(self.send())
        self.assertEqual(self.first.message_ids(), identities)
        self.gate.stop()
        log = (self.gate.data / "transactions.jsonl").read_text("utf-8").splitlines()
        taken = [json.loads(line)["copies"][0]["reference"] for line in log]
        self.assertEqual(taken, ["first", *["second"] * 4, "first"])


class SmarthostTests(EndToEndTestCase):
    """
    A server that must be logged in to: another gateway.
    """

    timeout = 120

    def setUp(self):
        """
        Start it; it knows ada.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.certificate, key = make_certificate(self.folder)
        self.ports = {"smtp": free_port(), "smtps": free_port()}
        tables = f'[tls]\ncertificate = "{self.certificate}"\nkey = "{key}"\n'
        for kind, role in (("smtp", "submission"), ("smtps", "submissions")):
            address = f"127.0.0.1:{self.ports[kind]}"
            tables += f'[[listener]]\nname = "{role}"\nrole = "{role}"\naddress = "{address}"\n'
        self.server = self.gateway(tables=tables)
        given = f"{PASSWORD}\n"
        made = self.server.run("account", "set", NAME, "--password-stdin", input=given)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.server.start()
        self.password = self.folder / "password"
        self.password.write_text(f"{PASSWORD}\n")
        self.password.chmod(0o600)

    def relaying(self, kind, **more):
        """
        Start a gateway that hands its mail to the server.
        """
        options = {
            "port": self.ports[kind],
            "tls": "verified",
            "ca_file": str(self.certificate),
            "user": NAME,
            "password_file": str(self.password),
            **more,
        }
        gateway = self.gateway(1)
        text = gateway.config.read_text("utf-8")
        upstream = f'kind = "{kind}"\nhost = "localhost"\n'
        upstream += "".join(
            f"{key} = {json.dumps(value)}\n" for key, value in options.items() if value
        )
        text = text.replace('kind = "smtp"\nhost = "127.0.0.1"\nport = 1\n', upstream)
        gateway.config.write_text(text, "utf-8")
        return gateway.start()

    def send(self, gateway):
        """
        Send a message of ada's, and give the code of the reply.
        """
        client = Conversation(gateway.smtp_port)
        self.addCleanup(client.close)
        client.ask("EHLO client.example.org\n")
        client.ask(f"MAIL FROM:<{NAME}>\n")
        said = client.ask("RCPT TO:<bob@example.com>\n")
        if said.startswith("250"):
            client.ask("DATA\n")
            said = client.ask("Subject: x\n\ntext\n.\n")
        return said[:9]

    def test_logged_in(self):
        """
        It takes the mail of who has logged in, whichever way TLS begins.
        """
        for number, kind in enumerate(("smtp", "smtps"), 1):
            gateway = self.relaying(kind)
            self.assertEqual(self.send(gateway), "250 2.0.0")
            self.eventually(
                lambda number=number: len(self.server.delivered()) == number, "it is not delivered"
            )
            gateway.stop()
            self.assertNotIn("horse", gateway.said())
        log = (self.server.data / "transactions.jsonl").read_text("utf-8").splitlines()
        accounts = [json.loads(line)["account"] for line in log]
        self.assertEqual(accounts, [NAME, NAME])

    def test_pinned(self):
        """
        It is known by its key alone as well.
        """
        digest = key_digest(load_pem_x509_certificate(Path(self.certificate).read_bytes()))
        gateway = self.relaying("smtps", tls="pinned", pinned_keys=[digest], ca_file=None)
        self.assertEqual(self.send(gateway), "250 2.0.0")

    def test_wrong(self):
        """
        With a wrong password nothing is taken, and with a wrong certificate the server hears
        nothing: the sender keeps its message.
        """
        self.password.write_text("wrong donkey battery\n")
        gateway = self.relaying("smtps")
        self.assertEqual(self.send(gateway), "451 4.4.1")
        gateway.stop()
        self.assertIn("it answers AUTH with 535", gateway.said())
        self.assertNotIn("donkey", gateway.said())
        heard = self.server.said()
        other = self.folder / "other"
        other.mkdir()
        for kind in ("smtp", "smtps"):
            gateway = self.relaying(kind, ca_file=str(make_certificate(other)[0]))
            self.assertEqual(self.send(gateway), "451 4.4.1")
            gateway.stop()
            self.assertIn("TLS: certificate verify failed", gateway.said())
        self.assertNotIn("login.", self.server.said()[len(heard) :])
        self.assertEqual(self.server.delivered(), [])
