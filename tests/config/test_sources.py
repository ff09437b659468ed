"""
Tests of L{mailgate.config.sources}.
"""

import re
import tomllib
from pathlib import Path
from textwrap import dedent

from pydantic import TypeAdapter
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import TrapsCheck
from mailgate.config.delivery import Route
from mailgate.config.recipients import ListSource, RecipientSource
from mailgate.config.sources import trap_mistakes
from tests.config.files import WHOLE, FileTestCase

POSTGRESQL = """
    [recipients.db]
    kind = "postgresql"
    host = "db.example.com"
    database = "mail"
    user = "mailgate"
    password_file = "password"
    query = "SELECT a FROM b WHERE c = :address"
    """
LDAP = """
    [recipients.ad]
    kind = "ldap"
    servers = ["ldaps://dc1.example.com", "ldap://dc2.example.com:3268"]
    bind_dn = "cn=mailgate,dc=example,dc=com"
    password_file = "password"
    base = "dc=example,dc=com"
    """


class PageTests(SynchronousTestCase):
    """
    The page of the documentation says what is right.
    """

    def test_blocks(self) -> None:
        """
        Each source that it shows can be used as it stands, and each kind is there.
        """
        page = Path(__file__).parent.parent.parent / "docs" / "recipients.rst"
        kinds = set()
        for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", page.read_text("utf-8")):
            if "[recipients." not in block:
                continue
            for table in tomllib.loads(dedent(block))["recipients"].values():
                kinds.add(TypeAdapter(RecipientSource).validate_python(table).kind)
        self.assertEqual(kinds, {"list", "file", "sqlite", "postgresql", "ldap", "upstream"})


class SourceTests(FileTestCase):
    """
    Tests of one source each.
    """

    def setUp(self) -> None:
        """
        Write a password.
        """
        super().setUp()
        self.write("secret\n", "password").chmod(0o600)

    def mistake(self, table: str, old: str = "", new: str = "") -> str:
        """
        Give the one mistake in a table in which something is changed.
        """
        self.assertIn(old, table)
        return self.only_mistake(WHOLE + table.replace(old, new))

    def test_right(self) -> None:
        """
        Without a mistake there is none.
        """
        self.assertEqual(self.warnings(WHOLE + POSTGRESQL + LDAP), [])

    def test_domain(self) -> None:
        """
        A source knows domains that have a route only.
        """
        self.assertEqual(
            self.mistake(POSTGRESQL, "kind =", 'domains = ["exampel.com"]\nkind ='),
            '[recipients.db] domains = "exampel.com": is in no [[route]], so no mail for it is '
            'taken; did you mean "example.com"?',
        )

    def test_list(self) -> None:
        """
        A line of a list that is wrong is named.
        """
        self.assertEqual(
            self.mistake('[recipients.a]\nkind = "list"\naddresses = ["a@example.com", "b"]\n'),
            "[recipients.a] addresses = \"b\": 'b' is no address; a whole domain is @example.com",
        )

    def test_file(self) -> None:
        """
        So is one of a file, or that there is none.
        """
        table = '[recipients.a]\nkind = "file"\nfile = "table"\n'
        self.assertIn("cannot be read: No such file", self.mistake(table))
        path = self.write("ada@example.com\nbob\n", "table")
        self.assertIn("line 2: 'bob' is no address", self.mistake(table))
        path.write_bytes(b"\xff")
        self.assertIn("it is not UTF-8 text", self.mistake(table))

    def test_sqlite(self) -> None:
        """
        A database must be there.
        """
        query = "SELECT a FROM b WHERE c = :address"
        table = f'[recipients.a]\nkind = "sqlite"\nfile = "x.db"\nquery = "{query}"\n'
        self.assertIn("there is no such file", self.mistake(table))

    def test_query(self) -> None:
        """
        A query that does not ask for the address is none.
        """
        self.assertIn("there is no :adress", self.mistake(POSTGRESQL, ":address", ":adress"))

    def test_database_elsewhere(self) -> None:
        """
        A database on another machine needs TLS and a password; on this one neither.
        """
        self.assertEqual(
            self.mistake(POSTGRESQL, "database =", 'tls = "none"\ndatabase ='),
            '[recipients.db] tls = "none": must be "verified": db.example.com is not this machine',
        )
        password = 'password_file = "password"\n'
        self.assertEqual(
            self.mistake(POSTGRESQL, password),
            "[recipients.db] password_file: is missing; db.example.com is not this machine",
        )
        for host in ("127.0.0.1", "::1", "localhost", "/run/postgresql"):
            table = POSTGRESQL.replace("db.example.com", host).replace(password, 'tls = "none"\n')
            self.assertEqual(self.mistakes(WHOLE + table), [], host)

    def test_directory_elsewhere(self) -> None:
        """
        So does a directory need TLS.
        """
        self.assertEqual(
            self.mistake(LDAP, "base =", "starttls = false\nbase ="),
            "[recipients.ad] starttls = false: must be true: dc2.example.com is not this machine",
        )
        table = LDAP.replace("dc2.example.com", "127.0.0.1").replace(
            "base =", "starttls = false\nbase ="
        )
        self.assertEqual(self.mistakes(WHOLE + table), [])

    def test_directory(self) -> None:
        """
        Its URLs, filter and password must be such.
        """
        self.assertIn("must be ldaps:// or", self.mistake(LDAP, "ldaps://", "https://"))
        self.assertIn(
            "is no filter of RFC 4515",
            self.mistake(LDAP, "base =", 'filter = "({address})"\nbase ='),
        )
        self.assertEqual(
            self.mistake(LDAP, 'password_file = "password"\n'),
            "[recipients.ad] password_file: is missing; it belongs to bind_dn",
        )
        self.assertEqual(
            self.mistake(LDAP, 'bind_dn = "cn=mailgate,dc=example,dc=com"\n'),
            "[recipients.ad] bind_dn: is missing; it belongs to password_file",
        )
        self.assertIn(
            "cannot be read", self.mistake(LDAP, "base =", 'ca_file = "none.pem"\nbase =')
        )

    def test_password(self) -> None:
        """
        The file of a password must be there, with something in it, and should be for us alone.
        """
        path = self.folder / "password"
        path.chmod(0o644)
        (warning,) = self.warnings(WHOLE + LDAP)
        self.assertIn("everybody on this machine can read it", str(warning))
        path.write_text("\nsecret")
        self.assertIn("its first line is empty", self.mistake(LDAP))
        path.unlink()
        self.assertIn("cannot be read: No such file", self.mistake(LDAP))

    def test_separator(self) -> None:
        """
        A separator is one character, or none.
        """
        table = '[verification]\nseparator = "++"\n'
        self.assertIn('must be one of + = _ . # ~ | -, or ""', self.mistake(table))
        self.assertEqual(self.mistakes(WHOLE + table.replace("++", "+")), [])


class TrapTests(SynchronousTestCase):
    """
    Tests of addresses that cannot be traps.
    """

    def said(self, *addresses, **recipients):
        """
        Give what is said of some addresses.
        """
        routes = {1: Route(domains=("example.com",), upstream="inbox")}
        section = TrapsCheck(addresses=addresses)
        return [str(each) for each in trap_mistakes(section, recipients, routes, "x.toml")]

    def test_right(self):
        """
        Nothing is said of addresses and patterns in domains of ours.
        """
        self.assertEqual(self.said("a@example.com", "@example.com"), [])

    def test_not_ours(self):
        """
        In a domain that no route has there would never be any mail.
        """
        (line,) = self.said("a@exampel.com")
        self.assertIn("is in no [[route]]", line)
        self.assertIn("example.com", line)

    def test_somebody(self):
        """
        An address that is written down as somebody's is told.
        """
        staff = ListSource(kind="list", addresses=("ada@example.com",))
        (line,) = self.said("ADA@example.com", staff=staff)
        self.assertIn("[recipients.staff]", line)
