"""
Tests of L{mailgate.tap}.
"""

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config import load as loading
from mailgate.tap import Options
from tests.commands.case import CONFIG, make_config


class OptionsTests(SynchronousTestCase):
    """
    Tests of L{Options}.
    """

    def setUp(self):
        """
        Write a configuration.
        """
        self.config = make_config(self)

    def settings(self, *words):
        """
        Give what a command line leads to.
        """
        options = Options()
        options.parseOptions(words)
        return options["settings"]

    def test_named(self):
        """
        The configuration that is named is read.
        """
        settings = self.settings("--config", str(self.config))
        self.assertEqual(settings.data, self.config.parent / "data")

    def test_default(self):
        """
        Without a name it is that which the command C{mailgate} takes: of the quick start if it
        is there, else the installed one.
        """
        missing = self.config.with_name("missing.toml")
        for quickstart, installed in ((self.config, missing), (missing, self.config)):
            self.patch(loading, "QUICKSTART", quickstart)
            self.patch(loading, "INSTALLED", installed)
            self.assertEqual(self.settings().data, self.config.parent / "data")

    def test_mistakes(self):
        """
        All mistakes are told.
        """
        self.config.write_text(f"{CONFIG}\n[limit]\n[tlss]\n")
        error = self.assertRaises(UsageError, self.settings, "--config", str(self.config))
        self.assertIn("[limit]", str(error))
        self.assertIn("[tlss]", str(error))

    def test_help(self):
        """
        The help names both places.
        """
        text = str(Options())
        self.assertIn("etc/quickstart.toml", text)
        self.assertIn("/etc/mailgate/mailgate.toml", text)
