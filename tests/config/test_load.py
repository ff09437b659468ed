"""
Tests of L{mailgate.config.load}.
"""

from pathlib import Path

from mailgate.config.delivery import MaildirUpstream
from mailgate.config.load import check, load
from mailgate.config.model import Settings
from mailgate.config.problem import ConfigurationError
from tests.config.files import WHOLE, FileTestCase


class LoadTests(FileTestCase):
    """
    A right file becomes settings; a wrong one is refused with everything wrong in it.
    """

    def test_defaults(self) -> None:
        """
        What the file leaves out has its default.
        """
        settings = load(self.write(WHOLE))
        self.assertEqual(settings.hostname, "mail.example.com")
        self.assertEqual(settings.limits, Settings.model_fields["limits"].default)
        self.assertEqual(settings.listener[0].role, "mx")

    def test_paths_are_seen_from_the_file(self) -> None:
        """
        A relative path is relative to the file's own folder, wherever the process stands.
        """
        (self.folder / "etc").mkdir()
        text = WHOLE.replace('"var', '"../var')
        settings = load(self.write(text, "etc/mailgate.toml"))
        self.assertEqual(settings.data, self.folder / "var")
        inbox = settings.upstream["inbox"]
        assert isinstance(inbox, MaildirUpstream)
        self.assertEqual(inbox.path, self.folder / "var" / "inbox")

    def test_path_of_the_file_may_be_relative(self) -> None:
        """
        Paths are absolute in the settings even when that of the file is not.
        """
        path = self.write(WHOLE)
        settings = load(Path(path.relative_to(Path.cwd())))
        self.assertEqual(settings.data, self.folder / "var")

    def test_absolute_path(self) -> None:
        """
        An absolute path stays as it is.
        """
        settings = load(self.write(WHOLE.replace('"var"', '"/var/lib/mailgate"')))
        self.assertEqual(settings.data, Path("/var/lib/mailgate"))

    def test_domains_are_in_lower_case(self) -> None:
        """
        Domains and the host name are the same however they are written.
        """
        text = WHOLE.replace('"example.com"', '"Example.COM"').replace("mail.", "Mail.")
        settings = load(self.write(text))
        self.assertEqual(settings.route[0].domains, ("example.com",))
        self.assertEqual(settings.hostname, "mail.example.com")

    def test_all_mistakes_at_once(self) -> None:
        """
        The error carries the mistakes of every table, and those between tables too.
        """
        path = self.write(
            """
            hostname = "mail.example.com"
            data = "var"
            [[listener]]
            address = "127.0.0.1"
            [[route]]
            domains = ["example.com"]
            upstream = "inbx"
            [upstream.inbox]
            kind = "maildir"
            path = "var/inbox"
            [limits]
            recipient = 200
            [policy]
            reject = 1
            """
        )
        error = self.assertRaises(ConfigurationError, load, path)
        self.assertEqual(
            [(problem.table, problem.key, problem.nearest) for problem in error.problems],
            [
                ("[[listener]] number 1", "address", ""),
                ("[limits]", "recipient", "recipients"),
                ("[[route]] number 1", "upstream", "inbox"),
                ("[policy]", "reject", ""),
            ],
        )
        self.assertEqual(str(error).splitlines(), list(map(str, check(path)[0])))

    def test_right_file_has_no_problems(self) -> None:
        """
        A right file gives neither mistakes nor warnings.
        """
        self.assertEqual(check(self.write(WHOLE)), ([], []))


class UnreadableTests(FileTestCase):
    """
    A file that is no TOML is refused with the place where it stops to be.
    """

    def test_missing_file(self) -> None:
        """
        A file that is not there cannot be read.
        """
        path = self.folder / "none.toml"
        error = self.assertRaises(ConfigurationError, load, path)
        self.assertEqual(str(error), f"{path}: cannot be read: No such file or directory")

    def test_folder(self) -> None:
        """
        A folder cannot be read.
        """
        error = self.assertRaises(ConfigurationError, load, self.folder)
        self.assertEqual(str(error), f"{self.folder}: cannot be read: Is a directory")

    def test_syntax(self) -> None:
        """
        A mistake in the syntax is told with its line and column.
        """
        self.assertEqual(
            self.only_mistake('hostname = "mail.example.com"\ndata "var"\n'),
            "line 2, column 6: expected '=' after a key in a key/value pair",
        )

    def test_syntax_at_the_end(self) -> None:
        """
        A file that ends too early is told with its last line.
        """
        self.assertEqual(
            self.only_mistake("[limits]\nerrors = 3\n[policy"),
            "line 3, at the end: expected ']' at the end of a table declaration",
        )

    def test_same_key_twice(self) -> None:
        """
        A key that stands twice in a table is a mistake, with its line.
        """
        self.assertEqual(
            self.only_mistake('data = "a"\ndata = "b"\n'),
            "line 2, column 11: cannot overwrite a value",
        )

    def test_encoding(self) -> None:
        """
        What is not UTF-8 is told with its line.
        """
        path = self.write("")
        path.write_bytes(b'hostname = "mail.example.com"\n# caf\xe9\n')
        error = self.assertRaises(ConfigurationError, load, path)
        self.assertEqual(str(error), f"{path}: line 2: is not UTF-8 text")
