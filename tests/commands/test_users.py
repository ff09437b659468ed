"""
Tests of L{mailgate.commands.users}.
"""

import getpass
import json
import sys

from mailgate.store.threads import immediate_result
from tests.commands.case import CommandLineCase, Terminal


class UserTests(CommandLineCase):
    """
    Tests of C{user}.
    """

    def passwords(self, *passwords):
        """
        Let a person at a terminal type passwords.
        """
        typed = iter(passwords)
        self.patch(sys, "stdin", Terminal(is_terminal=True))
        self.patch(getpass, "getpass", lambda prompt: next(typed))

    def test_from_stdin(self):
        """
        An account is made before the gateway's first start, its password read from a pipe.
        """
        self.patch(sys, "stdin", Terminal(text=b"correct horse battery\n"))
        self.assertIn("ada", self.say("user", "add", "ada", "--password-stdin"))
        lines = self.say("user", "list").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["NAME", "ada"])
        (account,) = json.loads(self.say("user", "list", "--json"))
        self.assertEqual(account["name"], "ada")
        checked = self.stored(
            lambda storage: immediate_result(storage.accounts.check("ada", "correct horse battery"))
        )
        self.assertIsNotNone(checked)

    def test_asked_twice(self):
        """
        At a terminal the password is asked for twice.
        """
        self.passwords("correct horse battery", "correct horse battery")
        self.say("user", "add", "ada")
        self.passwords("correct horse battery", "something else")
        status, _, complaints = self.call("user", "add", "bob")
        self.assertEqual(status, 1)
        self.assertIn("differ", complaints)
        self.assertEqual(len(json.loads(self.say("user", "list", "--json"))), 1)

    def test_no_terminal(self):
        """
        Where nobody can be asked it is said what to do.
        """
        status, _, complaints = self.call("user", "add", "ada")
        self.assertEqual(status, 1)
        self.assertIn("--password-stdin", complaints)

    def test_refused(self):
        """
        A password that cannot be used is told in a sentence that does not hold it.
        """
        self.patch(sys, "stdin", Terminal(text=b"short\n"))
        status, _, complaints = self.call("user", "add", "ada", "--password-stdin")
        self.assertEqual(status, 1)
        self.assertNotIn("short", complaints)
