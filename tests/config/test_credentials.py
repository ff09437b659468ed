"""
Tests of L{mailgate.config.credentials}, and how files of the configuration name them.
"""

import os
from pathlib import Path

from mailgate.config.credentials import FOLDER
from mailgate.config.load import NOT_SEEN, load, load_to_run
from mailgate.config.problem import ConfigurationError
from tests.config.files import WHOLE, FileTestCase

TLS = """
    [tls]
    certificate = "credential:tls-certificate"
    key = "credential:tls-key"
    """


class CredentialTests(FileTestCase):
    """
    A file that systemd hands over is named in the place of a path.
    """

    def setUp(self) -> None:
        """
        Be nobody to whom systemd has handed anything.
        """
        super().setUp()
        self.patch(os, "environ", {k: v for k, v in os.environ.items() if k != FOLDER})

    def test_found(self) -> None:
        """
        The service finds them in the folder that systemd made for it.
        """
        os.environ[FOLDER] = "/run/credentials/mailgate.service"
        error = self.assertRaises(ConfigurationError, load, self.write(WHOLE + TLS))
        said = "\n".join(map(str, error.problems))
        self.assertIn('key = "/run/credentials/mailgate.service/tls-key": cannot be read', said)
        self.assertIn("mailgate.service/tls-certificate", said)

    def test_elsewhere(self) -> None:
        """
        Commands that do not run as the service go on without them, and the check of the file says
        that nobody looked at them.
        """
        file = self.write(WHOLE + TLS)
        self.assertEqual(load(file).tls.key, Path("credential:tls-key"))
        told = [(each.table, each.key, each.why) for each in self.warnings(WHOLE + TLS)]
        expected = [("[tls]", "certificate", NOT_SEEN), ("[tls]", "key", NOT_SEEN)]
        self.assertEqual(told, expected)

    def test_the_gateway(self) -> None:
        """
        The gateway itself does not start without them.
        """
        error = self.assertRaises(ConfigurationError, load_to_run, self.write(WHOLE + TLS))
        self.assertEqual([each.key for each in error.problems], ["certificate", "key"])
        self.assertIn("LoadCredential=", error.problems[0].why)
        self.assertEqual(load_to_run(self.write(WHOLE)), load(self.write(WHOLE)))

    def test_everywhere(self) -> None:
        """
        They are found in tables of tables.
        """
        text = (
            WHOLE
            + """
            [accounts.upstream]
            host = "imap.example.com"
            ca_file = "credential:authority"
            """
        )
        places = [(each.table, each.key) for each in self.warnings(text) if each.key]
        self.assertEqual(places, [("[accounts.upstream]", "ca_file")])

    def test_names(self) -> None:
        """
        A name leads nowhere else.
        """
        for name in ("", "..", "../key", "a/b", ".hidden"):
            line = self.only_mistake(WHOLE + f'[tls]\nkey = "credential:{name}"')
            self.assertIn("the name of a credential, as in credential:tls-key", line)

    def test_only_what_is_read(self) -> None:
        """
        What is written to cannot be one: there it is a path like others.
        """
        settings = load(self.write(WHOLE.replace('"var"', '"credential:x"')))
        self.assertEqual(settings.data, self.folder / "credential:x")
