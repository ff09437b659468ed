"""
The configuration of docs/edge.rst, run as it stands but for addresses and paths.
"""

import re
import socket
import ssl
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from textwrap import dedent

from tests.certificates import issue
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.gateway import free_port

PAGE = Path(__file__).parent.parent.parent / "docs" / "edge.rst"
HEADER = b"PROXY TCP4 198.51.100.9 192.0.2.1 5000 25\r\n"
LOG_IN = b"AUTH PLAIN AGFkYUBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNlIGJhdHRlcnk=\r\n"
"""As ada@example.com, with the password C{correct horse battery}."""


def configuration():
    """
    Give the configuration that the page shows.
    """
    _, _, block = PAGE.read_text("utf-8").partition(".. code-block:: toml\n\n")
    return dedent(re.split(r"^(?=\S)", block, maxsplit=1, flags=re.MULTILINE)[0])


class EdgePageTests(EndToEndTestCase):
    """
    Tests of what the page shows first.
    """

    def start(self):
        """
        Start a gateway with it, on free ports of loopback, and with an account.

        @return: it, and the places of its listeners by name.
        """
        gateway = self.gateway()
        near = mkdtemp()
        self.addCleanup(rmtree, near, ignore_errors=True)
        issue("mail.example.com", ["mail.example.com"], days=90).write(gateway.folder, "mail")
        text = configuration()
        for old, new in (
            ('#certificate = "/etc/mailgate/certificate.pem"', 'certificate = "mail.pem"'),
            ('#key = "/etc/mailgate/key.pem"', 'key = "mail.key"'),
            ("/var/lib/mailgate", str(gateway.data)),
            ("/run/mailgate", near),
            ('"192.0.2.10"', '"127.0.0.1"'),
            ('"imap.example.com"', f'"127.0.0.1"\nport = {free_port()}'),
            ('"smarthost.example.com"', f'"127.0.0.1"\nport = {free_port()}'),
        ):
            self.assertIn(old, text)
            text = text.replace(old, new)
        places, tables = {}, text.split("[[listener]]")
        for number, table in enumerate(tables[1:], 1):
            name, host = re.findall(r'^(?:name|address) = "(.+?)(?::\d+)?"$', table, re.MULTILINE)
            if host.startswith("unix:"):
                places[name] = host.removeprefix("unix:")
                continue
            places[name] = gateway.smtp_port if name == "mx4" else free_port()
            address = f'address = "127.0.0.1:{places[name]}"'
            tables[number] = re.sub(r'address = ".+"', address, table, count=1)
        web = f'[web]\naddress = "127.0.0.1:{gateway.web_port}"\n'
        gateway.config.write_text("[[listener]]".join(tables) + web, "utf-8")
        options = {"input": "correct horse battery\n"}
        made = gateway.run("account", "set", "ada@example.com", "--password-stdin", **options)
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        gateway.start()
        return gateway, places

    def connect(self, place):
        """
        Connect to a listener.
        """
        if isinstance(place, int):
            client = socket.create_connection(("127.0.0.1", place), 30)
        else:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(30)
            client.connect(place)
        self.addCleanup(client.close)
        return client

    def offered(self, client, word=b"EHLO"):
        """
        Wait for the greeting, and give what is offered.
        """
        self.assertIn(b" mailgate\r\n", client.recv(1000))
        client.sendall(word + b" client.example.org\r\n")
        answer = b""
        while not re.search(rb"^250 .*\r\n\Z", answer, re.MULTILINE):
            more = client.recv(1000)
            self.assertNotEqual(more, b"", answer)
            answer += more
        return set(re.findall(rb"^250[ -]([A-Z0-9]+)", answer, re.MULTILINE))

    def test_every_listener(self):
        """
        Each listener offers what its role does, and who has an account can log in.
        """
        gateway, places = self.start()
        left = set(places)
        for name in ("mx4", "mx6", "internal", "starttls4", "starttls6"):
            offered = self.offered(self.connect(places[name]))
            self.assertLessEqual({b"STARTTLS", b"PRDR", b"CHUNKING"}, offered, name)
            self.assertNotIn(b"AUTH", offered)
            left.remove(name)
        balanced = self.connect(places["balanced"])
        balanced.sendall(HEADER)
        self.assertIn(b"STARTTLS", self.offered(balanced))
        self.assertNotIn(b"PRDR", self.offered(self.connect(places["lmtp"]), b"LHLO"))
        tls = ssl.create_default_context(cafile=gateway.folder / "mail.pem")
        for name in ("people4", "people6"):
            people = self.connect(places[name])
            with tls.wrap_socket(people, server_hostname="mail.example.com") as people:
                self.assertIn(b"AUTH", self.offered(people))
                people.sendall(LOG_IN)
                self.assertEqual(people.recv(1000), b"235 2.7.0 logged in\r\n")
        self.assertEqual(left, {"balanced", "lmtp", "people4", "people6"})
