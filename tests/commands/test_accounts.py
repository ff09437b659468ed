"""
Tests of L{mailgate.commands.accounts}.
"""

import json
import sys

from mailgate.config.load import load
from mailgate.edge.account_file import accounts_path
from tests.commands.case import CommandLineCase, Terminal

PASSWORD = "correct horse battery"


class AccountTests(CommandLineCase):
    """
    Tests of C{account}.
    """

    def set(self, *words, password=PASSWORD):
        """
        Set an account, its password read from a pipe.
        """
        self.patch(sys, "stdin", Terminal(text=f"{password}\n".encode()))
        return self.call("account", "set", *words, "--password-stdin")

    def listed(self):
        """
        Give the accounts.
        """
        return json.loads(self.say("account", "list", "--json"))

    def path(self):
        """
        Give the path of the file.
        """
        return accounts_path(load(self.config))

    def test_set(self):
        """
        An account is made before the gateway's first start, and changed; neither shows more than
        its name.
        """
        self.assertEqual(
            self.set("Ada@example.com", "--sender", "@example.org", "eve@example.com"),
            (0, "account Ada@example.com made\n", ""),
        )
        self.assertEqual(
            self.set("ada@example.com", password="another horse battery"),
            (0, "account ada@example.com changed\n", ""),
        )
        self.assertEqual(
            self.listed(),
            [
                {
                    "name": "ada@example.com",
                    "senders": ["@example.org", "ada@example.com", "eve@example.com"],
                    "scram": True,
                }
            ],
        )
        self.assertEqual(self.path().stat().st_mode & 0o777, 0o600)

    def test_list(self):
        """
        The list has a line for each account.
        """
        self.set("ada")
        self.set("bob", "--sender", "*")
        lines = [line.split() for line in self.say("account", "list").splitlines()]
        self.assertEqual(
            lines, [["NAME", "SCRAM", "SENDS", "AS"], ["ada", "yes"], ["bob", "yes", "*"]]
        )

    def test_remove(self):
        """
        Accounts are removed, all that are there even where one is not.
        """
        for name in ("ada", "bob", "eve"):
            self.set(name)
        status, said, complaints = self.call("account", "remove", "ada", "dan", "bob")
        self.assertEqual((status, said.count("removed")), (1, 2))
        self.assertIn("dan", complaints)
        self.assertEqual([each["name"] for each in self.listed()], ["eve"])

    def test_refused(self):
        """
        What cannot be used is told in a sentence without the password.
        """
        for words, password in (
            (["a b"], PASSWORD),
            (["ada"], "short"),
            (["ada", "--sender", "x"], PASSWORD),
        ):
            status, _, complaints = self.set(*words, password=password)
            self.assertEqual(status, 1)
            self.assertTrue(complaints.strip().endswith("."), complaints)
            self.assertNotIn(password, complaints)
        self.assertEqual(self.listed(), [])

    def test_mistakes(self):
        """
        A line with a mistake is told with file and number.
        """
        self.set("ada")
        with open(self.path(), "a") as file:
            file.write("bob\n")
        status, said, complaints = self.call("account", "list")
        self.assertEqual(status, 1)
        self.assertIn("ada", said)
        self.assertIn(f"{self.path()}, line 5: ", complaints)

    def test_elsewhere(self):
        """
        The configuration may name the file.
        """
        self.config.write_text(self.config.read_text() + '[accounts]\nfile = "people"\n')
        self.set("ada")
        self.assertTrue((self.config.parent / "people").exists())

    def test_upstream(self):
        """
        Accounts that a mail server knows are neither made nor removed nor listed here.
        """
        upstream = '[accounts.upstream]\nhost = "mail.example.com"\n'
        self.config.write_text(self.config.read_text() + upstream)
        for status, said, complaints in (
            self.set("ada"),
            self.call("account", "list"),
            self.call("account", "remove", "ada"),
        ):
            self.assertEqual((status, said), (1, ""))
            self.assertIn("the accounts are those of mail.example.com", complaints)
