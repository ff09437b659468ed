"""
Tests of a gateway that knows its recipients.
"""

import json
import sqlite3

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import ask_for, make_message, send
from tests.end_to_end.ports import free_port

GOOD, BAD, UNKNOWN = (250, "2.1.5"), (550, "5.1.1"), (451, "4.4.3")


class RecipientTests(EndToEndTestCase):
    """
    Tests with a file and a database.
    """

    timeout = 120

    def known(self, aliases="owner", process="workers = 1"):
        """
        Start a gateway and its upstream.
        """
        upstream = self.upstream()
        gateway = self.gateway(
            upstream.port,
            top=process,
            tables=(
                "[verification]\n"
                'separator = "+"\n'
                f'aliases = "{aliases}"\n'
                "[recipients.table]\n"
                'kind = "file"\n'
                'file = "recipients"\n'
                "[recipients.accounts]\n"
                'kind = "sqlite"\n'
                'file = "accounts.db"\n'
                'query = "SELECT mailbox FROM accounts WHERE mailbox = :address"\n'
                "bad_seconds = 0.001\n"
                'domains = ["example.com"]\n'
            ),
        )
        self.table = gateway.folder / "recipients"
        self.table.write_text("info@example.com ada@example.com\n")
        self.accounts = gateway.folder / "accounts.db"
        with sqlite3.connect(self.accounts) as connection:
            connection.execute("CREATE TABLE accounts (mailbox TEXT)")
            connection.execute("INSERT INTO accounts VALUES ('ada@example.com')")
        connection.close()
        return gateway.start(), upstream

    def test_changes(self):
        """
        Those of the file and of the database exist, as the two are at the moment; a mistake in the
        file is told, and while the database is away nobody is turned away for good.
        """
        gateway, upstream = self.known()
        names = ("ada@example.com", "info+x@example.com", "bob@example.com", "ada@example.net")
        self.assertEqual(ask_for(gateway.smtp_port, *names), [GOOD, GOOD, BAD, BAD])
        self.assertEqual([each for each in upstream.commands if "RCPT" in str(each)], [])
        self.table.write_text("info@example.com ada@example.com\nada@example.net OK\n")
        with sqlite3.connect(self.accounts) as connection:
            connection.execute("INSERT INTO accounts VALUES ('bob@example.com')")
        connection.close()
        self.eventually(lambda: "recipients.read 2 of" in gateway.said(), "the file is not read")
        self.assertEqual(ask_for(gateway.smtp_port, *names), [GOOD] * 4)
        self.table.write_text("ada@example.net\nbob\n")
        self.eventually(lambda: "line 2: 'bob' is no" in gateway.said(), "no mistake is told")
        self.accounts.rename(self.accounts.with_suffix(".away"))
        names = ("bob@example.com", "ada@example.net", "eve@example.com")
        self.assertEqual(ask_for(gateway.smtp_port, *names), [GOOD, GOOD, UNKNOWN])

    def test_owner(self):
        """
        As it stands the upstream gets the address that was written, in the hub's own process too.
        """
        for process in ("workers = 1", "workers = 0"):
            gateway, upstream = self.known(process=process)
            self.assertTrue(send(gateway.smtp_port, make_message()[1], ["info+x@example.com"]))
            ((_, recipients, _),) = upstream.messages
            self.assertEqual(recipients, ["info+x@example.com"])
            gateway.stop()

    def test_rewrite(self):
        """
        Where aliases rewrite, the upstream gets the address that they lead to, and whoever is named
        by both gets one copy; the trace tells.
        """
        gateway, upstream = self.known("rewrite")
        names = ["info@example.com", "ada@example.com", "info+x@example.com"]
        self.assertTrue(send(gateway.smtp_port, make_message()[1], names))
        ((_, recipients, _),) = upstream.messages
        self.assertEqual(recipients, ["ada@example.com", "ada+x@example.com"])
        path = gateway.data / "transactions.jsonl"
        (line,) = self.eventually(
            lambda: path.exists() and path.read_text().splitlines(), "no trace"
        )
        self.assertIn("info@example.com is delivered to ada@example.com", line)

    def test_queued_while_the_upstream_is_down(self):
        """
        Mail of a machine of ours is taken while the server for it is down that is asked for
        recipients, and belongs to whom the file says.
        """
        machines = free_port()
        gateway = self.gateway(
            free_port(),
            tables=(
                '[[listener]]\nname = "machines"\nrole = "internal"\n'
                f'address = "127.0.0.1:{machines}"\nnetworks = ["127.0.0.0/8"]\n'
                '[recipients.table]\nkind = "file"\nfile = "recipients"\n'
                '[recipients.server]\nkind = "upstream"\n'
            ),
        )
        (gateway.folder / "recipients").write_text("info@example.com ada@example.com\n")
        gateway.start()
        names = ["info@example.com", "bob@example.com"]
        self.assertEqual(ask_for(gateway.smtp_port, *names), [(451, "4.4.1")] * 2)
        self.assertTrue(send(machines, make_message()[1], names))
        self.assertEqual(sorted(row["recipient"] for row in gateway.outbox()), sorted(names))
        path = gateway.data / "transactions.jsonl"
        self.eventually(
            lambda: "info@example.com belongs to ada@example.com" in path.read_text(), "no trace"
        )

    def test_command(self):
        """
        The command tells of an address by the files as they are, also before the gateway starts.
        """
        gateway, _ = self.known()
        gateway.stop()
        said = gateway.run("recipient", "check", "info+x@example.com")
        self.assertEqual(
            said.stdout,
            "info+x@example.com exists.\n"
            "  info@example.com, without +x, stands for ada@example.com, says table.\n"
            "  ada@example.com is there, says accounts.\n"
            "  Held copies belong to ada@example.com.\n"
            "  The upstream server gets it for info+x@example.com.\n",
        )
        said = gateway.run("recipient", "check", "--json", "eve@example.com")
        self.assertEqual(said.returncode, 1)
        (answer,) = json.loads(said.stdout)
        self.assertIs(answer["exists"], False)
        self.assertEqual(answer["reply"], "550 5.1.1 no such recipient here")
        said = gateway.run("recipient", "check", "eve@other.example")
        self.assertIn("is refused: 550 5.7.1 no mail for this domain", said.stdout)
        said = gateway.run("recipient", "check", "e ve")
        self.assertEqual(said.returncode, 1)
        self.assertIn("the gateway would refuse this: 501", said.stderr)
