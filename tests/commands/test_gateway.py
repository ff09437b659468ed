"""
Tests of L{mailgate.commands.gateway}.
"""

import grp
import os
import sys
from importlib.resources import files
from pathlib import Path
from stat import S_IMODE
from types import SimpleNamespace

from twisted.scripts import twistd

from mailgate.checks import table
from mailgate.checks.headers import HeadersCheck
from mailgate.commands import gateway
from mailgate.config import load as loading
from tests.commands.case import CONFIG, CommandLineCase


class RunTests(CommandLineCase):
    """
    Tests of C{run}.
    """

    def test_run(self):
        """
        The gateway is run by twistd, in the foreground and without a pid file.
        """
        ran = []
        self.patch(twistd, "run", lambda: ran.append(list(sys.argv)))
        self.patch(sys, "argv", ["mailgate"])
        self.say("run")
        self.assertEqual(
            ran, [["twistd", "-n", "--pidfile=", "mailgate", "--config", str(self.config)]]
        )


class CheckConfigTests(CommandLineCase):
    """
    Tests of C{check-config}.
    """

    def test_ok(self):
        """
        A right configuration is ok, named either way.
        """
        self.assertEqual(self.say("check-config"), "ok\n")
        self.assertEqual(self.say("check-config", str(self.config), config=False), "ok\n")

    def test_mistakes(self):
        """
        All mistakes are listed, each on a line of its own.
        """
        self.config.write_text(
            CONFIG.replace("[[listener]]", "colour = 1\n[[listener]]\nrolle = 2")
        )
        status, _, complaints = self.call("check-config")
        self.assertEqual((status, complaints.count("\n")), (2, 2))
        self.assertIn("colour", complaints)
        self.assertIn("rolle", complaints)

    def test_plan(self):
        """
        A check that needs one which is off is a mistake, told with the file.
        """

        class Needy(HeadersCheck):
            needs = ("fields", "helo")

        needy = {**table.CHECKS, "headers": lambda settings, known: Needy.from_settings(settings)}
        self.patch(table, "CHECKS", needy)
        self.assertEqual(self.say("check-config"), "ok\n")
        self.config.write_text(f'{CONFIG}\n[checks.helo]\nmode = "off"\n')
        mistake = '[checks.headers]: needs the check "helo", which is off'
        self.assertEqual(
            self.call("check-config"), (2, "", f"mailgate: {self.config}: {mistake}\n")
        )

    def test_nothing_touched(self):
        """
        Nothing is made in the data folder.
        """
        self.say("check-config")
        self.assertFalse((self.config.parent / "data").exists())


class InitTests(CommandLineCase):
    """
    Tests of C{init}.
    """

    def setUp(self):
        """
        Name a file in a folder that is not there, and let there be no group for the service.
        """
        super().setUp()
        self.config = self.config.parent / "new" / "mailgate" / "mailgate.toml"
        self.patch(grp, "getgrnam", {}.__getitem__)

    def test_written(self):
        """
        The folder is made, and in it the sample of the package, readable by owner and group
        alone, whatever the mask of the caller.
        """
        before = os.umask(0o077)
        try:
            self.say("init")
        finally:
            os.umask(before)
        sample = files("mailgate.config").joinpath("mailgate.toml").read_bytes()
        self.assertEqual(self.config.read_bytes(), sample)
        self.assertEqual(S_IMODE(self.config.stat().st_mode), 0o640)

    def test_what_next(self):
        """
        It says what to edit, how to check it and how to start, in words that work.
        """
        text = self.say("init")
        for words in (
            "hostname",
            "[[route]] domains",
            "[upstream.mailserver]",
            f"mailgate check-config --config {self.config}",
            f"mailgate run --config {self.config}",
        ):
            self.assertIn(words, text)
        status, _, complaints = self.call("check-config")
        self.assertEqual(status, 2)
        for words in ("hostname = ", "[[route]] number 1 domains = ", "[upstream.mailserver] host"):
            self.assertIn(f"{self.config}: {words}", complaints)
        self.assertEqual(complaints.count("\n"), complaints.count("is only an example"), complaints)
        self.config.write_text(self.config.read_text().replace(".example", ".example.com"))
        self.assertEqual(self.say("check-config"), "ok\n")

    def test_never_overwrites(self):
        """
        A file that is there stays as it is, and so does a link that leads nowhere.
        """
        self.config.parent.mkdir(parents=True)
        self.config.write_text("mine")
        link = self.config.with_name("link.toml")
        link.symlink_to("nowhere")
        for path in (self.config, link):
            self.config = path
            status, out, complaints = self.call("init")
            self.assertEqual((status, out, complaints.count("\n")), (1, "", 1))
            self.assertIn(f"{path} is there already", complaints)
        self.assertEqual(link.with_name("mailgate.toml").read_text(), "mine")
        self.assertFalse(link.exists())

    def test_default(self):
        """
        Without a name it is the installed one, also where there is that of the quick start; the
        commands that it names then need no name either unless that stands in their way.
        """
        quickstart = self.config.parent.parent / "quickstart.toml"
        quickstart.parent.mkdir()
        self.patch(gateway, "INSTALLED", self.config)
        self.patch(loading, "INSTALLED", self.config)
        self.patch(loading, "QUICKSTART", quickstart)
        self.assertNotIn("--config", self.say("init", config=False))
        quickstart.touch()
        self.config.unlink()
        self.assertIn(f"check-config --config {self.config}", self.say("init", config=False))

    def test_group(self):
        """
        The group of the service may read it; where there is none yet, root is told.
        """
        self.patch(os, "geteuid", lambda: 0)
        given = []
        self.patch(os, "chown", lambda *to: given.append(to))
        self.assertIn(f"chgrp mailgate {self.config}", self.say("init"))
        self.config.unlink()
        self.patch(grp, "getgrnam", {"mailgate": SimpleNamespace(gr_gid=123)}.__getitem__)
        self.assertNotIn("chgrp", self.say("init"))
        self.assertEqual(given, [(self.config, -1, 123)])
        self.config.unlink()
        self.patch(os, "geteuid", lambda: 1000)
        self.patch(grp, "getgrnam", {}.__getitem__)
        self.assertNotIn("chgrp", self.say("init"))

    def test_whole_or_not_at_all(self):
        """
        A disk that is full leaves no file that would be in the way of the next try.
        """

        def full(*_):
            raise OSError(28, "No space left on device")

        self.patch(os, "fchmod", full)
        status, _, complaints = self.call("init")
        self.assertEqual((status, complaints), (1, "mailgate: No space left on device\n"))
        self.assertFalse(self.config.exists())

    def test_no_permission(self):
        """
        A folder that cannot be made is told with its name.
        """
        self.config = Path("/proc/mailgate/mailgate.toml")
        status, _, complaints = self.call("init")
        self.assertEqual(status, 1)
        self.assertIn("/proc/mailgate", complaints)
