"""
Tests of a gateway whose recipients are in a directory, with Debian's slapd.
"""

import json
from pathlib import Path

from mailgate.hub.control import ask
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import ask_for, make_message, send
from tests.end_to_end.slapd import FILTER, NAME, Slapd, slapd_folder

try:
    import ldaptor
except ImportError:
    ldaptor = None

from tests.end_to_end.gateway import lack


class DirectoryTests(EndToEndTestCase):
    """
    Tests with one directory server or two.
    """

    timeout = 120

    def setUp(self):
        """
        Find what is needed.
        """
        self.package = slapd_folder(self)
        if ldaptor is None:
            lack(self, "not installed: ldaptor")

    def slapd(self):
        """
        Start a directory server.
        """
        slapd = Slapd(Path(self.mktemp()).absolute(), self.package)
        self.addCleanup(slapd.stop)
        return slapd.start()

    def directory(self, slapd, servers, **options):
        """
        Start a gateway that asks some servers, given as they stand in the configuration.
        """
        more = {"good_seconds": 600, "bad_seconds": 0.001, "server_seconds": 1, **options}
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
        gateway = self.gateway(
            tables=(
                "[recipients.staff]\n"
                'kind = "ldap"\n'
                f"servers = {json.dumps(servers)}\n"
                f'ca_file = "{more.pop("ca_file", slapd.authority)}"\n'
                f'bind_dn = "{NAME}"\n'
                f'password_file = "{slapd.password}"\n'
                'base = "dc=example,dc=com"\n'
                f"filter = {json.dumps(FILTER)}\n"
                f"{lines}"
            )
        )
        return gateway.start()

    def test_who_exists(self):
        """
        Over TLS from the start: those with a mailbox or a further address exist; the disabled, the
        unknown, and what means something in a filter do not. A held copy belongs to the person.
        """
        slapd = self.slapd()
        gateway = self.directory(slapd, [f"ldaps://127.0.0.1:{slapd.tls_port}"])
        good, bad = (250, "2.1.5"), (550, "5.1.1")
        self.assertEqual(
            ask_for(
                gateway.smtp_port,
                "ada.lovelace@example.com",
                "ADA@example.com",
                "info@example.net",
                "postmaster@example.net",
                "gone@example.com",
                "eve@example.com",
                "*@example.com",
                "ada*@example.com",
                '"ada)(objectClass=*"@example.com',
            ),
            [good] * 4 + [bad] * 5,
        )
        blocked = {"list": "block", "value": "sender@example.org", "by": "us"}
        ask(gateway.data / "control", "list.add", blocked)
        send(gateway.smtp_port, make_message()[1], ["info@example.net"])
        (held,) = gateway.held()
        self.assertEqual(held["recipient"], "info@example.net")
        self.assertEqual(held["owner"], "Ada.Lovelace@example.com")

    def test_persons_list(self):
        """
        What somebody allows for herself counts for all her addresses.
        """
        slapd = self.slapd()
        gateway = self.directory(slapd, [f"ldaps://127.0.0.1:{slapd.tls_port}"])
        entry = {
            "list": "block",
            "value": "sender@example.org",
            "by": "us",
            "scope": "ada.lovelace@example.com",
        }
        ask(gateway.data / "control", "list.add", entry)
        send(gateway.smtp_port, make_message()[1], ["ada@example.com"])
        self.assertEqual(len(gateway.held()), 1)

    def test_starttls(self):
        """
        By STARTTLS it is the same.
        """
        slapd = self.slapd()
        gateway = self.directory(slapd, [f"ldap://127.0.0.1:{slapd.port}"])
        self.assertEqual(
            ask_for(gateway.smtp_port, "ada@example.com", "eve@example.com"),
            [(250, "2.1.5"), (550, "5.1.1")],
        )

    def test_another_authority(self):
        """
        A server that cannot prove its name is not asked, by neither way, and hears no password.
        """
        slapd, other = self.slapd(), self.slapd()
        event = "recipients.not_asked staff"
        for server in (f"ldap://127.0.0.1:{slapd.port}", f"ldaps://127.0.0.1:{slapd.tls_port}"):
            gateway = self.directory(other, [server])
            self.assertEqual(ask_for(gateway.smtp_port, "ada@example.com"), [(451, "4.4.3")])
            self.eventually(lambda gateway=gateway: event in gateway.said(), "nothing is told")
            gateway.stop()

    def test_servers_fail(self):
        """
        When the first server ends the second one is asked; when both have, what is known counts
        and nobody else is told yes or no; when one is back it is as before.
        """
        first, second = self.slapd(), self.slapd()
        bundle = Path(self.mktemp()).absolute()
        bundle.write_bytes(first.authority.read_bytes() + second.authority.read_bytes())
        servers = [f"ldaps://127.0.0.1:{each.tls_port}" for each in (first, second)]
        first.authority = bundle
        gateway = self.directory(first, servers, answer_seconds=5)
        good, bad, unknown = (250, "2.1.5"), (550, "5.1.1"), (451, "4.4.3")
        self.assertEqual(ask_for(gateway.smtp_port, "ada@example.com"), [good])
        first.stop()
        self.assertEqual(ask_for(gateway.smtp_port, "eve@example.com"), [bad])
        second.stop()
        self.assertEqual(
            ask_for(gateway.smtp_port, "ada@example.com", "bob@example.com"), [good, unknown]
        )
        second.start()
        self.assertEqual(ask_for(gateway.smtp_port, "bob@example.com"), [bad])

    def test_command(self):
        """
        The command says who an address is, and why nobody knows.
        """
        slapd = self.slapd()
        gateway = self.directory(slapd, [f"ldaps://127.0.0.1:{slapd.tls_port}"])
        said = gateway.run("recipient", "check", "ada@example.com")
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("stands for Ada.Lovelace@example.com, says staff.", said.stdout)
        self.assertIn("belong to Ada.Lovelace@example.com.", said.stdout)
        said = gateway.run("recipient", "check", "--json", "eve@example.com")
        self.assertEqual(said.returncode, 1, said.stderr)
        (answer,) = json.loads(said.stdout)
        self.assertIs(answer["exists"], False)
        slapd.stop()
        said = gateway.run("recipient", "check", "ada@example.com")
        self.assertEqual(said.returncode, 1)
        self.assertIn("Nobody knows ada@example.com at the moment", said.stdout)
        self.assertIn("refused", said.stderr)
