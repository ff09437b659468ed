"""
Tests that the pages for operators say the same as the code: replies, limits, log and commands.
"""

import ast
import json
import os
import re
import sqlite3
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import dedent

from pydantic import BaseModel
from twisted.trial.unittest import SynchronousTestCase

from mailgate.cli import main
from mailgate.config.checks import CheckMode, Checks
from mailgate.config.delivery import MaildirUpstream, SmtpUpstream
from mailgate.config.load import check, load
from mailgate.config.model import AccountUpstream, ClientLimits, Limits, Settings
from mailgate.config.recipients import LdapSource
from mailgate.reporting.record import to_json
from tests.certificates import issue
from tests.reporting.records import record

TOP = Path(__file__).parent.parent
SOURCE = TOP / "mailgate"
PAGE = TOP / "docs" / "operations.rst"
EDGE = TOP / "docs" / "edge.rst"
RECIPES = TOP / "docs" / "recipes" / "index.rst"

COMMAND = re.compile(
    r"(?:^ +(?:\$ )?|``|bin/|-- )mailgate ([a-z][a-z-]{2,}(?: [a-z]{3,})?)\b([^`\n|#]*)",
    re.MULTILINE,
)
"""A command of C{mailgate} in a page: its name, and what follows it."""

VARIABLE = {"501": {"5.1.3", "5.1.7"}}
"""The enhanced codes of replies that are no literals where they are made, by their code."""


def section(title):
    """
    Give the text under a title of the page, up to the next one of its kind.
    """
    _, _, rest = PAGE.read_text("utf-8").partition(f"\n{title}\n====")
    return re.split(r"^\w[^\n]*\n=+$", rest, maxsplit=1, flags=re.MULTILINE)[0]


def literals(node):
    """
    Give the values that an expression can have, as far as they are written there.
    """
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) else set()


def refusals():
    """
    Give code and enhanced code of each 4xx and 5xx that the code can make.
    """
    found = set()
    for path in sorted(SOURCE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(getattr(call, "func", None), "id", "")
            if name not in ("Reply", "Refused") or len(call.args) < 3:
                continue
            for code in map(str, literals(call.args[0])):
                enhanced = literals(call.args[1]) or VARIABLE[code]
                found |= {f"{code} {each}" for each in enhanced if code >= "400"}
    return found


def of_page(path):
    """
    Give the text of a page, and how expressions are to look at it.
    """
    return path.read_text("utf-8"), re.MULTILINE


def whole(part):
    """
    Make a whole configuration of a part of one.
    """
    text = 'hostname = "mail.example.com"\ndata = "data"\n[[listener]]\naddress = "0.0.0.0:25"\n'
    text += part
    if "example.com" not in part.partition("[[route]]")[2]:
        text += '[[route]]\ndomains = ["example.com", "example.net"]\nupstream = "mailserver"\n'
    named = re.findall(r'^upstream = "(\w+)"', text, re.MULTILINE)
    for name in named:
        if f"[upstream.{name}]" not in text:
            text += f'[upstream.{name}]\nkind = "maildir"\npath = "inbox"\n'
    return text


def defaults(kind):
    """
    Give each option of the configuration with its default, and those of its tables.
    """
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from defaults(inner)
        else:
            yield name, field.default


class OperationsTests(SynchronousTestCase):
    """
    Tests of C{docs/operations.rst}.
    """

    def test_replies(self):
        """
        The tables of replies have each 4xx and 5xx of the gateway's own, once, and no other.
        """
        text = section("What a client is told")
        listed = re.findall(r"^([45]\d\d [45]\.\d\.\d+) +\S", text, re.MULTILINE)
        self.assertEqual(sorted(listed), sorted(refusals()))

    def test_limits(self):
        """
        Each limit of time has an option that exists, and its default.
        """
        kinds = (Settings, SmtpUpstream, MaildirUpstream, AccountUpstream, LdapSource)
        known = [option for kind in kinds for option in defaults(kind)]
        found = re.findall(r"``(\w+)`` (\d+)", section("Time limits"))
        self.assertGreater(len(found), 10)
        for option, number in found:
            self.assertIn((option, int(number)), known)

    def test_limits_of_clients(self):
        """
        The tables of what a client may cost have each limit with its default, and a reply that
        there is.
        """
        rows = re.findall(
            r"^``(\w+)`` +(\d+) +(none|\d{3} \d\.\d\.\d) ", EDGE.read_text("utf-8"), re.MULTILINE
        )
        known = {*defaults(Limits)}
        self.assertEqual({(name, int(number)) for name, number, _ in rows} - known, set())
        clients = {name for name, _ in defaults(ClientLimits)} - {"exempt_networks"}
        self.assertLessEqual(clients, {name for name, _, _ in rows})
        replies = {reply for _, _, reply in rows} - {"none"}
        self.assertLessEqual(replies, refusals())

    def test_options(self):
        """
        What the page names like an option of the configuration is one.
        """
        kinds = (Settings, SmtpUpstream, AccountUpstream)
        known = {name for kind in kinds for name, _ in defaults(kind)}
        for name in re.findall(r"``([a-z]+_(?:seconds|bytes|days))``", PAGE.read_text("utf-8")):
            self.assertIn(name, known)

    def test_log(self):
        """
        The table of the log has the fields of a line, and no other.
        """
        fields = re.findall(r"^``(\w+)`` ", section("Logs"), re.MULTILINE)
        self.assertEqual(sorted(fields), sorted(json.loads(to_json(record("7q4m-x2vd-90kt")))))

    def test_commands(self):
        """
        Each command of C{mailgate} that a page shows is one, with the options that are shown.
        """
        shown = {
            (command, option)
            for page in (TOP / "README.rst", *sorted((TOP / "docs").rglob("*.rst")))
            for command, rest in COMMAND.findall(page.read_text("utf-8"))
            for option in ("--help", *re.findall(r" (--[a-z-]+)", rest))
        }
        commands = {command for command, _ in shown}
        self.assertTrue({"check-config", "quarantine list", "outbox retry"} <= commands)
        for command in commands:
            with redirect_stdout(StringIO()) as said:
                self.assertEqual(main([*command.split(), "--help"]), 0, command)
            for name, option in shown:
                if name == command:
                    self.assertIn(f" {option}", said.getvalue(), command)

    def test_recipes(self):
        """
        Each configuration of each recipe, and that of all kinds of listeners, is a right one,
        without a warning.
        """
        number = 0
        for page in {*(TOP / "docs" / "recipes").glob("*.rst"), EDGE} - {RECIPES}:
            blocks = re.findall(r"^\.\. code-block:: toml\n\n((?:    .*\n|\n)+)", *of_page(page))
            self.assertNotEqual(blocks, [], page.name)
            for block in blocks:
                number += 1
                self.assertEqual(check(self.ready(dedent(block))), ([], []), (page.name, block))
        self.assertGreater(number, 8)

    def test_examples(self):
        """
        What the pages on delivery, the outbox and recipients show of the configuration is right
        too, as a part of one.
        """
        number = 0
        for page in (TOP / "docs" / f"{name}.rst" for name in ("delivery", "outbox", "recipients")):
            for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", *of_page(page)):
                text = dedent(block)
                if not re.match(r"\[+[a-z_.-]+\]+\n", text):
                    continue
                number += 1
                mistakes, _ = check(self.ready(whole(text)))
                self.assertEqual(mistakes, [], (page.name, text))
        self.assertGreater(number, 8)

    def test_scoring(self):
        """
        With what the page shows for scoring no check holds or refuses a message by itself, but
        those that it names.
        """
        _, _, text = PAGE.read_text("utf-8").partition("\nScoring\n-------\n")
        text, end, _ = text.partition("\nNow is the time to train")
        self.assertNotEqual(end, "")
        shown = re.search(r"::\n\n((?:    .*\n|\n)+)", text)[1]
        checks = load(self.ready(whole(dedent(shown)))).checks
        enforcing = {name for name, given in checks if given.mode is CheckMode.ENFORCE}
        self.assertEqual(enforcing, {"rates", "traps"})
        self.assertEqual((checks.rates.enforce_for, checks.traps.addresses), (("account",), ()))
        for name, given in Checks():
            self.assertEqual(f"checks/{name}.rst" in text, given.mode is CheckMode.ENFORCE, name)

    def ready(self, text):
        """
        Write a configuration, and the files that it names; give its path.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        authority = issue("Test authority", is_authority=True).pem

        def write(name):
            file = folder / Path(name[1]).name
            if file.suffix == ".pem":
                file.write_bytes(authority)
            elif file.suffix == ".db":
                with sqlite3.connect(file) as connection:
                    connection.execute("CREATE TABLE addresses (address, destination, active)")
                connection.close()
            else:
                words = "correct horse" if "password" in file.name else "bob@example.com"
                file.write_text(f"{words}\n", "utf-8")
            file.chmod(0o600)
            return f'"{file}"'

        named = re.compile(r'"(/(?:etc/mailgate|var/lib/accounts)/[^"]+)"')
        text = named.sub(write, text)
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": str(folder)})
        for name in re.findall(r'"credential:([^"]+)"', text):
            (folder / name).write_text("correct horse\n", "utf-8")
        file = folder / "mailgate.toml"
        file.write_text(text, "utf-8")
        return file
