"""
Configuration files for the tests of this package.
"""

from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.load import check
from mailgate.config.problem import Problem

WHOLE = """
    hostname = "mail.example.com"
    data = "var"
    [[listener]]
    address = "127.0.0.1:2525"
    [[route]]
    domains = ["example.com"]
    upstream = "inbox"
    [upstream.inbox]
    kind = "maildir"
    path = "var/inbox"
    """
"""A file without a mistake, as short as one can be."""


class FileTestCase(SynchronousTestCase):
    """
    A test that writes configuration files into a folder of its own.
    """

    def setUp(self) -> None:
        """
        Make the folder.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def write(self, text: str, name: str = "mailgate.toml") -> Path:
        """
        Write a file, its margin taken away.
        """
        path = self.folder / name
        path.write_text(dedent(text))
        return path

    def mistakes(self, text: str) -> list[Problem]:
        """
        Give the mistakes in a file with this text.
        """
        return check(self.write(text))[0]

    def warnings(self, text: str) -> list[Problem]:
        """
        Give the warnings about a file with this text; it has no mistakes.
        """
        mistakes, warnings = check(self.write(text))
        self.assertEqual(mistakes, [])
        return warnings

    def only_mistake(self, text: str) -> str:
        """
        Give the one mistake in a file with this text as its line, without the file's name.
        """
        path = self.write(text)
        problems, _ = check(path)
        self.assertEqual(len(problems), 1, [str(problem) for problem in problems])
        line = str(problems[0])
        self.assertTrue(line.startswith(f"{path}: "), line)
        return line.removeprefix(f"{path}: ")
